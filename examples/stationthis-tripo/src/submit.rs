//! Starting a run.

use crate::client::Client;
use crate::details::EndpointDetails;
use crate::error::Operation;
use crate::wire::Created;
use stationthis_core::provider::{Submission, SubmitRequest};
use stationthis_core::{Effect, Result, RunId};

const OPERATION: Operation = Operation::Submit;

/// Creates a task at the service, once. Its id is kept as it came: the service reads a changed one as another.
pub(crate) async fn submit(client: &Client, request: &SubmitRequest) -> Result<Submission> {
    let details = EndpointDetails::read(OPERATION.name(), &request.endpoint_details)?;
    let body = details.body(&request.inputs);
    let created: Created = client.post_json(OPERATION, &details.route, &body, client.timeouts.submit).await?;
    // A run was made, whatever its name is.
    let run_id = RunId::new(created.task_id).map_err(|error| error.with_effect(Effect::Unknown))?;
    Ok(Submission::new(run_id))
}
