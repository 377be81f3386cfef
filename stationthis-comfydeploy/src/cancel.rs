//! Stopping a run.

use crate::client::Client;
use crate::details::EndpointDetails;
use crate::error::Operation;
use stationthis_core::Result;
use stationthis_core::provider::{CancelAnswer, RunRef};

const OPERATION: Operation = Operation::Cancel;

/// What the service says, as a 500, of runs that it cannot stop; it says the same of runs that it does not know.
const NO_CALL: &str = "has no modal function call ID";

/// Asks the service to stop a run.
///
/// Runs on classic and RunPod machines are refused without asking: the service has no handle on them.
pub(crate) async fn cancel(client: &Client, run: &RunRef) -> Result<CancelAnswer> {
    let details = EndpointDetails::read(OPERATION, &run.endpoint_details)?;
    if details.is_uncancellable() {
        let kind = details.machine_type.unwrap_or_default();
        let reason = format!("ComfyDeploy cannot stop runs on a {kind} machine; the run goes on.");
        return Ok(CancelAnswer::Refused(reason));
    }
    match client.post_empty(OPERATION, &format!("/run/{}/cancel", escaped(run.run_id.as_str()))).await {
        Ok(_) => Ok(CancelAnswer::Accepted),
        Err(error) if error.http_status() == Some(500) && error.message().is_some_and(|m| m.contains(NO_CALL)) => {
            Ok(CancelAnswer::Refused("ComfyDeploy has no handle to stop this run; it goes on.".to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// A run id as one segment of a path: ids come from answers, and a slash in one must not lead elsewhere.
pub(crate) fn escaped(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes()).collect()
}
