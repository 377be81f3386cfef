//! Finding the run of a task when the answer to its submission was lost.

use crate::cancel::escaped;
use crate::client::Client;
use crate::details::EndpointDetails;
use crate::error::Operation;
use crate::wire::run::{LightRun, Run};
use futures_util::{StreamExt, TryStreamExt, stream};
use stationthis_core::provider::{Lookup, LookupRequest};
use stationthis_core::{Error, ErrorKind, Result, Retry, RunId, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

const OPERATION: Operation = Operation::LookUp;

/// How much earlier than our own clock says the run may have been made: their clock may be behind.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// Runs per page of the list.
const PAGE_SIZE: usize = 100;

/// The most pages: a lookup asks for each run, and 1000 requests are what one lost answer is worth.
const PAGES_MAX: usize = 10;

/// Requests for runs at a time.
const AT_A_TIME: usize = 4;

/// Looks through every run of the deployment since the submission for our task id.
///
/// The light list shows no webhook, so each run is asked for, those made nearest to the submission first.
///
/// # Errors
/// As reads; `TooLarge` when there are more runs than can be looked through: then nothing is known.
pub(crate) async fn lookup(client: &Client, request: &LookupRequest) -> Result<Lookup> {
    let details = EndpointDetails::read(OPERATION, &request.endpoint_details)?;
    let mut candidates = candidates(client, &details, request.since).await?;
    let distance = |run: &LightRun| run.created_at.map_or(0, |at| at.micros_since(request.since).unsigned_abs());
    candidates.sort_by_key(distance);
    let task = request.task_id.to_string();
    let task = task.as_str();
    let mut answers = stream::iter(candidates)
        .map(|run| async move { Ok::<_, Error>(is_of(client, &run.id, task).await?.then_some(run.id)) })
        .buffer_unordered(AT_A_TIME);
    while let Some(found) = answers.try_next().await? {
        if let Some(id) = found {
            return Ok(Lookup::Found(RunId::new(id)?));
        }
    }
    Ok(Lookup::Absent)
}

async fn candidates(client: &Client, details: &EndpointDetails, since: Timestamp) -> Result<Vec<LightRun>> {
    let path = format!("/v2/workflow/{}/runs", escaped(&details.workflow_id));
    let from_s = since.minus(CLOCK_SKEW).as_micros().div_euclid(1_000_000);
    let mut seen = BTreeSet::new();
    let mut all: Vec<LightRun> = Vec::new();
    for page in 0..PAGES_MAX {
        let query = [
            ("deployment_id", details.deployment_id.clone()),
            ("rf", from_s.to_string()),
            ("limit", PAGE_SIZE.to_string()),
            ("offset", (page * PAGE_SIZE).to_string()),
        ];
        let runs: Vec<LightRun> = client.read_json(OPERATION, &path, &query).await?;
        let last = runs.len() < PAGE_SIZE;
        // Runs made meanwhile push others to the next page: seen twice, never missed.
        all.extend(runs.into_iter().filter(|run| seen.insert(run.id.clone())));
        if last {
            return Ok(all);
        }
    }
    Err(Error::new(ErrorKind::TooLarge, OPERATION.name())
        .with_message("There are more runs since the submission than can be looked through.")
        .with_context("limit", PAGES_MAX * PAGE_SIZE)
        .with_retry(Retry::Backoff))
}

/// Whether a run carries our task id in its webhook, whatever host this station had then.
async fn is_of(client: &Client, id: &str, task: &str) -> Result<bool> {
    match client.read_json::<Run>(OPERATION, &format!("/run/{}", escaped(id)), &[]).await {
        Ok(run) => Ok(run.webhook.is_some_and(|webhook| webhook.contains(task))),
        // The list shows every caller's runs; another's cannot be ours.
        Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}
