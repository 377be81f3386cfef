//! Why a run failed: status answers and webhooks do not say, the workflow's unfiltered run list does.

mod reason;

use crate::cancel::escaped;
use crate::client::Client;
use crate::details::EndpointDetails;
use crate::error::Operation;
use crate::wire::run_row::{LogLine, RunRow};
use serde_json::value::RawValue;
use stationthis_core::Result;
use stationthis_core::provider::{Diagnosis, RunRef};

const OPERATION: Operation = Operation::Diagnose;

/// Rows per page: each carries two whole graphs.
const PAGE_SIZE: usize = 5;

/// The most pages: a run that ended just now is among the newest of its workflow, unless that is very busy.
const PAGES_MAX: usize = 8;

/// The largest page: five rows with two graphs of a few megabytes each.
const PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Looks for the run among the newest of its workflow, then in its archived log.
///
/// `None` when neither says anything, or not yet (the log is archived up to half a minute after the end).
pub(crate) async fn diagnose(client: &Client, run: &RunRef) -> Result<Option<Diagnosis>> {
    let details = EndpointDetails::read(OPERATION, &run.endpoint_details)?;
    let id = run.run_id.as_str();
    // The log may tell where the list fails.
    let (row, list_error) = match find_row(client, &details.workflow_id, id).await {
        Ok(row) => (row, None),
        Err(error) => (None, Some(error)),
    };
    let webhook = row.as_ref().and_then(|row| row.webhook.clone()).unwrap_or_default();
    let secrets = [webhook.as_str()];
    let nodes = row.as_ref().map(|row| reason::nodes(&row.outputs)).unwrap_or_default();
    if let Some(failure) = row.as_ref().and_then(|row| reason::of_rows(&row.outputs, &secrets)) {
        return Ok(Some(Diagnosis::new(failure, nodes)));
    }
    let path = format!("/v2/clickhouse-run-logs/{}", escaped(id));
    let log: Vec<LogLine> = client.read_json(OPERATION, &path, &[]).await?;
    let lines: Vec<&str> = log.iter().filter_map(|line| line.log.as_deref()).collect();
    match (reason::of_log(&lines, &secrets), list_error) {
        (Some(failure), _) => Ok(Some(Diagnosis::new(failure, nodes))),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

/// The row of a run. Newest first; the list has no filter.
async fn find_row(client: &Client, workflow: &str, run: &str) -> Result<Option<RunRow>> {
    let path = format!("/workflow/{}/runs", escaped(workflow));
    for page in 0..PAGES_MAX {
        let query = [
            ("limit", PAGE_SIZE.to_string()),
            ("offset", (page * PAGE_SIZE).to_string()),
            ("with_outputs", "true".to_owned()),
            ("with_inputs", "false".to_owned()),
        ];
        let body = client.read(OPERATION, &path, &query, PAGE_BYTES_MAX).await?;
        let rows: Vec<&RawValue> = serde_json::from_slice(&body).map_err(|e| OPERATION.call().unreadable(200, e))?;
        let read = rows.iter().filter_map(|row| serde_json::from_str::<RunRow>(row.get()).ok());
        if let Some(found) = read.into_iter().find(|row| row.id == run) {
            return Ok(Some(found));
        }
        if rows.len() < PAGE_SIZE {
            break;
        }
    }
    Ok(None)
}
