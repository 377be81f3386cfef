//! Stopping a run.

use crate::client::Client;
use crate::error::Operation;
use reqwest::Method;
use serde_json::json;
use stationthis_core::provider::{CancelAnswer, RunRef};
use stationthis_core::{Error, Result};

/// Asks the service to stop a run. It stops only what has not been given to a machine, by its own refusal of the rest
/// ("task state is scheduled, can not cancel").
pub(crate) async fn cancel(client: &Client, run: &RunRef) -> Result<CancelAnswer> {
    let id = run.run_id.as_str();
    let url = client.api(&format!("/tasks/{}/cancel", escaped(id)));
    let body = json!({ "id": id });
    match client.write(Operation::Cancel, Method::POST, &url, &body, client.timeouts.read, &[]).await {
        Ok(_) => Ok(CancelAnswer::Accepted),
        Err(error) if error.http_status() == Some(400) => Ok(CancelAnswer::Refused(sentence(&error))),
        Err(error) => Err(error),
    }
}

fn sentence(error: &Error) -> String {
    format!("{} The run goes on.", error.message().unwrap_or("Vidu cannot stop it."))
}

/// A run id as one segment of a path: ids come from answers, and a slash in one must not lead elsewhere.
pub(crate) fn escaped(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes()).collect()
}
