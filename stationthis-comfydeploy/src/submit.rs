//! Starting a run.

use crate::client::Client;
use crate::details::EndpointDetails;
use crate::error::Operation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stationthis_core::provider::{Submission, SubmitRequest};
use stationthis_core::{Result, RunId};

const OPERATION: Operation = Operation::Submit;

/// The body of `POST /run/deployment/queue`.
#[derive(Serialize)]
struct QueueBody<'a> {
    deployment_id: &'a str,
    inputs: Map<String, Value>,
    webhook: &'a str,
    webhook_intermediate_status: bool,
}

#[derive(Deserialize)]
struct QueueAnswer {
    run_id: RunId,
}

/// Queues a run, once.
///
/// Without a callback the webhook is a mark that holds the task's id and is no URL: the service accepts it, and a
/// lookup finds the run by it.
pub(crate) async fn submit(client: &Client, request: &SubmitRequest) -> Result<Submission> {
    let details = EndpointDetails::read(OPERATION, &request.endpoint_details)?;
    let mark = format!("stationthis:task/{}", request.task_id);
    let url = request.callback_url.as_ref().map(|url| url.expose());
    let body = QueueBody {
        deployment_id: &details.deployment_id,
        inputs: details.wire_inputs(&request.inputs),
        webhook: url.unwrap_or(&mark),
        webhook_intermediate_status: url.is_some(),
    };
    let secrets: &[&str] = &url.map_or([""], |url| [url]);
    let path = "/run/deployment/queue";
    let answer = client.post_json(OPERATION, path, &body, client.timeouts.submit, secrets).await?;
    let answer: QueueAnswer = serde_json::from_slice(&answer).map_err(|e| OPERATION.call().unreadable(200, e))?;
    Ok(Submission::new(answer.run_id))
}
