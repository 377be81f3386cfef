//! Taking what a run gave into custody.

use std::time::Duration;

use futures_util::stream::{StreamExt, iter};
use tokio::time::Instant;

use crate::custody::{Custody, KeepOutlook, KeepRequest, Kept, KeptOutput};
use crate::error::{Error, ErrorKind, FailureRecord, Result, Retry};
use crate::station::driver::LEASE;
use crate::station::engine::Engine;
use crate::store::LeaseChange;
use crate::task::TaskRecord;
use crate::task::event::{Event, TaskEvent};
use crate::task::output::Output;
use crate::task::state::TaskStatus;

/// Tasks whose outputs are fetched at the same time, of all providers: each transfer holds some megabytes.
pub(crate) const KEEPING_MAX: usize = 8;

/// Outputs of one task that are fetched at the same time: a run that gives forty pictures leaves room for others'.
const OUTPUTS_AT_ONCE: usize = 2;

/// How long a task waits for a place before it is handed back: well within the lease of its claim.
const WAIT_MAX: Duration = Duration::from_secs(30);
const _: () = assert!(WAIT_MAX.as_secs() * 2 <= LEASE.as_secs());

/// What a lease outlives an attempt by: the time to commit what came of it.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// Fetches what is not kept yet, and commits what came of it in one piece. What was fetched by an attempt that was not
/// committed is found again by the next one.
pub(super) async fn keep(engine: &Engine, task: TaskRecord) -> Result<()> {
    let Some(custody) = &engine.custody else {
        let failure = FailureRecord::new("noCustody", "This host has no custody any more.");
        let event = Event::KeepFailed { failure, outlook: KeepOutlook::TryAgain };
        return engine.apply_one(task, event, LeaseChange::Release).await.map(drop);
    };
    let Ok(place) = tokio::time::timeout(WAIT_MAX, engine.keeping.acquire()).await else {
        // It is due again at once, and others that are due have their turn before.
        return engine.apply(task, &[], LeaseChange::Release, &[]).await.map(drop);
    };
    let _place = place.map_err(|e| Error::new(ErrorKind::Closed, "keep outputs").with_source(e))?;
    let limit = engine.policy.keep_timeout;
    let until = engine.now().plus(limit.saturating_add(LEASE_MARGIN));
    let task = engine.apply(task, &[], LeaseChange::Extend(until), &[]).await?;
    let mut events = Vec::new();
    if task.state.status == TaskStatus::Finalizing && task.state.keeping.is_some() {
        events = attempt(engine, custody.as_ref(), &task, limit).await;
    }
    engine.apply(task, &events, LeaseChange::Release, &[]).await.map(drop)
}

async fn attempt(engine: &Engine, custody: &dyn Custody, task: &TaskRecord, limit: Duration) -> Vec<TaskEvent> {
    let ends = Instant::now() + limit;
    let unkept: Vec<Output> = task.state.outputs.iter().filter(|output| output.is_unkept()).cloned().collect();
    let (mut outputs, mut worst) = (Vec::new(), None::<(KeepOutlook, FailureRecord)>);
    let mut tried = iter(unkept).map(|output| one(engine, custody, task, output, ends)).buffered(OUTPUTS_AT_ONCE);
    while let Some((output, tried)) = tried.next().await {
        match tried {
            Ok(kept) => outputs.push(KeptOutput::new(output.order, output.url.unwrap_or_default(), kept)),
            Err(error) => {
                tracing::warn!(task_id = %task.task_id, output = output.order, %error, "an output could not be kept");
                let outlook = KeepOutlook::of(&error);
                if worst.as_ref().is_none_or(|(known, _)| outlook > *known) {
                    worst = Some((outlook, FailureRecord::from_error("keepFailed", &error)));
                }
            }
        }
    }
    let mut events = Vec::with_capacity(2);
    if !outputs.is_empty() {
        events.push(Event::OutputsKept { outputs });
    }
    events.extend(worst.map(|(outlook, failure)| Event::KeepFailed { failure, outlook }));
    let now = engine.now();
    events.into_iter().map(|event| TaskEvent::new(now, event)).collect()
}

async fn one(
    engine: &Engine,
    custody: &dyn Custody,
    task: &TaskRecord,
    output: Output,
    ends: Instant,
) -> (Output, Result<Kept>) {
    let request = KeepRequest::new(task.task_id, task.caller.clone(), output.clone(), engine.now());
    let kept = match tokio::time::timeout_at(ends, custody.keep(&request)).await {
        Ok(kept) => kept,
        Err(_) => Err(Error::new(ErrorKind::Timeout, "keep output")
            .with_message("The output did not arrive in time.")
            .with_retry(Retry::Backoff)),
    };
    (output, kept)
}
