//! Submits a task, and says of what came back whether there may be a run.

use std::time::Duration;

use backon::BackoffBuilder;

use crate::error::{Effect, Error, ErrorKind, FailureRecord, Result, Retry};
use crate::id::TaskId;
use crate::provider::SubmitRequest;
use crate::station::driver::{bounded, reported};
use crate::station::engine::Engine;
use crate::station::files;
use crate::store::LeaseChange;
use crate::task::TaskRecord;
use crate::task::event::{Event, TaskEvent};
use crate::task::state::TaskStatus;
use crate::time::Timestamp;

/// What a lease outlives a submission's own limit by: the time to commit its outcome.
const SUBMIT_LEASE_MARGIN: Duration = Duration::from_secs(30);

pub(crate) async fn submit(engine: &Engine, mut task: TaskRecord) -> Result<()> {
    let backend = engine.backend(&task.provider_id)?.clone();
    let mut events = Vec::new();
    if files::must_be_given(&task, engine.now()) {
        let until = files::lease_until(&task, engine.now());
        task = engine.apply(task, &[], LeaseChange::Extend(until), &[]).await?;
        let began = engine.now();
        let given = files::give(engine, &backend, &task).await;
        let now = engine.now();
        match given {
            Ok(files) => events.push(TaskEvent::new(now, Event::FilesSent { files })),
            Err(error) => {
                // An attempt like any other, that provably made no run.
                let attempts = task.state.submit_attempts.saturating_add(1);
                let failed = submit_failed(engine, &task, attempts, &error, [began, now]);
                let events = [TaskEvent::new(now, Event::SubmitStarted), TaskEvent::new(now, failed)];
                return engine.apply(task, &events, LeaseChange::Release, &[]).await.map(drop);
            }
        }
    }
    let began = engine.now();
    // The intent is durable before the call, and the lease outlasts it: nobody takes the silence for a crash.
    let until = began.plus(engine.policy.submit_timeout.saturating_add(SUBMIT_LEASE_MARGIN));
    events.push(TaskEvent::new(began, Event::SubmitStarted));
    let task = engine.apply(task, &events, LeaseChange::Extend(until), &[]).await?;
    if task.state.status != TaskStatus::Submitting || task.state.times.submitting_at != Some(began) {
        // It was cancelled meanwhile.
        return engine.apply(task, &[], LeaseChange::Release, &[]).await.map(drop);
    }
    let inputs = files::filled(&task.inputs_sent, &task.state);
    let request = SubmitRequest::new(task.task_id, task.tool_id.clone(), task.endpoint_details.clone(), inputs)
        .with_callback(engine.callback_url(&task));
    let answer = bounded(engine.policy.submit_timeout, "submit run", backend.provider.submit(&request)).await;
    let now = engine.now();
    let events = match answer {
        Ok(submission) => {
            let mut events = vec![TaskEvent::new(now, Event::Submitted { run_id: submission.run_id })];
            events.extend(submission.report.map(|report| TaskEvent::new(now, reported(report))));
            events
        }
        Err(error) => {
            let failed = submit_failed(engine, &task, task.state.submit_attempts, &error, [began, now]);
            vec![TaskEvent::new(now, failed)]
        }
    };
    engine.apply(task, &events, LeaseChange::Release, &[]).await.map(drop)
}

/// What an attempt came to that ended in an error, begun and over at these times.
fn submit_failed(
    engine: &Engine,
    task: &TaskRecord,
    attempts: u32,
    error: &Error,
    [began, now]: [Timestamp; 2],
) -> Event {
    let answered = error.http_status().is_some();
    match error.effect() {
        Effect::Unknown => Event::SubmitLost { failure: FailureRecord::from_error("submitLost", error), answered },
        // It says nothing of the task: that waits for its turn as before, however often.
        Effect::No if error.kind() == ErrorKind::AtCapacity => {
            let failure = FailureRecord::from_error("atCapacity", error);
            let retry_at = engine.capacity.refused(task, began, error.retry(), now);
            Event::SubmitDeferred { failure, retry_at, at_capacity: true }
        }
        Effect::No => {
            let failure = FailureRecord::from_error("refused", error);
            let attempts = attempts.saturating_sub(task.state.capacity_refusals);
            let pause = match error.retry() {
                Retry::Never => None,
                _ if attempts >= engine.policy.submit_attempts_max => None,
                Retry::After(pause) => Some(pause),
                Retry::Backoff => Some(backoff(task.task_id, attempts)),
            };
            match pause {
                Some(pause) => Event::SubmitDeferred { failure, retry_at: now.plus(pause), at_capacity: false },
                None => Event::SubmitRefused { failure },
            }
        }
    }
}

/// The pause after so many attempts: 1 s doubled each time up to a minute, with jitter by the task's own id: many that
/// failed together do not come back together.
fn backoff(task: TaskId, attempts: u32) -> Duration {
    let seed = task.as_bytes().iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
    let pauses = backon::ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(60))
        .with_max_times(usize::MAX)
        .with_jitter()
        .with_jitter_seed(seed)
        .build();
    let nth = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX).min(16);
    pauses.into_iter().nth(nth).unwrap_or(Duration::from_secs(60))
}
