//! Starting a run.

use crate::client::Client;
use crate::convert;
use crate::details::EndpointDetails;
use crate::error::Operation;
use crate::wire::Task;
use reqwest::Method;
use serde_json::Value;
use stationthis_core::provider::{Submission, SubmitRequest};
use stationthis_core::{Result, RunId, Timestamp};

const OPERATION: Operation = Operation::Submit;

/// Makes a task, once. Sends what the tool's schema lets through, and of our own only what the route documents: the
/// service refuses fields that it does not know.
pub(crate) async fn submit(client: &Client, request: &SubmitRequest) -> Result<Submission> {
    let details = EndpointDetails::read(OPERATION, &request.endpoint_details)?;
    let route = details.route;
    let mut body = route.wire_inputs(&request.inputs);
    if let Some(model) = details.model {
        body.insert("model".to_owned(), Value::String(model));
    }
    if route.takes_payload() {
        body.insert("payload".to_owned(), Value::String(request.task_id.to_string()));
    }
    let callback = request.callback_url.as_ref().map(|url| url.expose()).filter(|_| route.takes_callback());
    if let Some(url) = callback {
        body.insert("callback_url".to_owned(), Value::String(url.to_owned()));
    }
    let url = client.api(&format!("/{}", route.name()));
    let secrets: &[&str] = &[callback.unwrap_or_default()];
    let answer = client.write(OPERATION, Method::POST, &url, &body, client.timeouts.submit, secrets).await?;
    let task: Task = serde_json::from_slice(&answer).map_err(|e| OPERATION.call().unreadable(200, e))?;
    let spare_id = RunId::new(format!("{}-{}", route.name(), request.task_id))?;
    let report = convert::created(route, &task, spare_id, Timestamp::now())?;
    let mut submission = Submission::new(report.run_id.clone());
    // It holds the credits that the run takes, and of an immediate route the result.
    submission.report = Some(report);
    Ok(submission)
}
