//! Brings tasks forward: claims what is due, does the next thing, commits what came of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::task::{JoinError, JoinSet};
use tracing::{Instrument, Span};

use crate::error::{Effect, Error, ErrorKind, FailureRecord, Result, Retry};
use crate::id::{ProviderId, RunId};
use crate::provider::{CancelAnswer, Lookup, LookupRequest, RunRef};
use crate::station::engine::Engine;
use crate::station::submit::submit;
use crate::station::{custody, metrics};
use crate::store::{Claim, Claimed, LeaseChange, ProviderFilter};
use crate::task::TaskRecord;
use crate::task::event::{Event, TaskEvent, Witness};
use crate::task::plan::{self, Work};

/// How long a claim holds: longer than any call to a provider but the submission, for which it is extended.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// The longest sleep of the driver: another process may have added work to the same store.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(2);

/// Tasks of one provider whose outputs are fetched or wait for a place: each is a record in memory.
const KEEPING_WAIT_MAX: usize = 256;

/// The calls to one provider: no provider's slowness is another's.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    /// Whose tasks.
    of: ProviderFilter,
    /// The provider with its run slots; `None` for tasks of providers that are not configured (any more): nothing is
    /// submitted there, and their deadlines do the rest.
    submits_to: Option<ProviderId>,
}

/// One lane for each provider, and one for what is left.
pub(crate) fn lanes(engine: &Engine) -> Vec<Lane> {
    let known: Vec<ProviderId> = engine.backends.keys().cloned().collect();
    let own = known.iter().map(|id| Lane { of: ProviderFilter::Only(id.clone()), submits_to: Some(id.clone()) });
    let rest = Lane { of: ProviderFilter::AllBut(known.clone()), submits_to: None };
    own.chain([rest]).collect()
}

/// Works on one lane until the station is closed. What it holds when it is dropped is claimed again after its lease.
pub(crate) async fn run(engine: Arc<Engine>, lane: Lane) {
    // Each on its own: they go on while this loop waits for its next claim.
    let mut following = JoinSet::new();
    let mut submitting = JoinSet::new();
    let mut keeping = JoinSet::new();
    let mut sleep = Duration::ZERO;
    loop {
        tokio::select! {
            () = engine.closed.cancelled() => break,
            Some(done) = following.join_next(), if !following.is_empty() => note(&done),
            Some(done) = submitting.join_next(), if !submitting.is_empty() => note(&done),
            Some(done) = keeping.join_next(), if !keeping.is_empty() => note(&done),
            () = woken(&engine, &lane) => {}
            () = tokio::time::sleep(sleep) => {}
        }
        // One claim for all that ended meanwhile.
        while let Some(done) =
            following.try_join_next().or_else(|| submitting.try_join_next()).or_else(|| keeping.try_join_next())
        {
            note(&done);
        }
        let free = engine.policy.concurrency.max(1).saturating_sub(following.len());
        let free = free.min(KEEPING_WAIT_MAX.saturating_sub(keeping.len()));
        sleep = IDLE_MAX;
        if free > 0 {
            match claim_due(&engine, &lane, free).await {
                Ok((tasks, pause)) => {
                    sleep = sleep.min(pause);
                    for task in tasks {
                        // Transfers take their time, and must not keep polls waiting.
                        let keeps = plan::plan(&task.state, engine.now()) == Work::Keep;
                        let set = if keeps { &mut keeping } else { &mut following };
                        set.spawn(bring_forward(engine.clone(), task));
                    }
                }
                Err(error) => tracing::warn!(%error, "tasks could not be claimed"),
            }
        }
        match claim_submissions(&engine, &lane).await {
            Ok((tasks, pause)) => {
                sleep = sleep.min(pause);
                tasks.into_iter().for_each(|task| drop(submitting.spawn(bring_forward(engine.clone(), task))));
            }
            Err(error) => tracing::warn!(%error, "tasks to submit could not be claimed"),
        }
    }
    // Finish what is under way; `shutdown` bounds how long that may take.
    while following.join_next().await.is_some() {}
    while submitting.join_next().await.is_some() {}
    while keeping.join_next().await.is_some() {}
}

/// What a provider's code does must not stop its lane; the lease of the task ends, and it is claimed again.
fn note(done: &std::result::Result<(), JoinError>) {
    if let Err(error) = done {
        tracing::error!(%error, "bringing a task forward panicked");
    }
}

async fn woken(engine: &Engine, lane: &Lane) {
    match lane.submits_to.as_ref().and_then(|id| engine.wake_lane.get(id)) {
        Some(wake) => wake.notified().await,
        None => std::future::pending().await,
    }
}

/// Does what is due now, once, and waits for it; how many tasks that were.
pub(crate) async fn tick(engine: &Arc<Engine>) -> Result<usize> {
    let mut tasks = Vec::new();
    for lane in lanes(engine) {
        tasks.extend(claim_due(engine, &lane, engine.policy.concurrency.max(1)).await?.0);
        tasks.extend(claim_submissions(engine, &lane).await?.0);
    }
    let count = tasks.len();
    let mut working: FuturesUnordered<_> = tasks.into_iter().map(|task| bring_forward(engine.clone(), task)).collect();
    while working.next().await.is_some() {}
    Ok(count)
}

async fn claim_due(engine: &Engine, lane: &Lane, limit: usize) -> Result<(Vec<TaskRecord>, Duration)> {
    let claim = Claim { owner: engine.instance.clone(), now: engine.now(), lease: LEASE, limit };
    Ok(with_pause(engine.store.claim_due(&claim, &lane.of).await?, &claim))
}

async fn claim_submissions(engine: &Engine, lane: &Lane) -> Result<(Vec<TaskRecord>, Duration)> {
    let Some(provider) = &lane.submits_to else { return Ok((Vec::new(), IDLE_MAX)) };
    let (runs_max, now) = (engine.policy.runs_max.max(1), engine.now());
    let room = engine.capacity.room(provider, now);
    let limit = if room.singly { 1 } else { runs_max };
    let claim = Claim { owner: engine.instance.clone(), now, lease: LEASE, limit };
    let claimed = engine.store.claim_submissions(&claim, provider, runs_max, &room.but).await?;
    claimed.items.iter().for_each(|task| engine.capacity.trying(task));
    let (tasks, pause) = with_pause(claimed, &claim);
    Ok((tasks, room.next_at.map_or(pause, |at| pause.min(at.since(now)))))
}

fn with_pause(claimed: Claimed<TaskRecord>, claim: &Claim) -> (Vec<TaskRecord>, Duration) {
    let pause = claimed.next_at.map_or(IDLE_MAX, |at| at.since(claim.now).min(IDLE_MAX));
    (claimed.items, pause)
}

/// One thing for one task. An error leaves the task as it is; it is claimed again when its lease ends.
async fn bring_forward(engine: Arc<Engine>, task: TaskRecord) {
    let (task_id, provider) = (task.task_id, task.provider_id.clone());
    let work = plan::plan(&task.state, engine.now());
    let span = span_of(work, &task);
    let brought = async {
        if let Err(error) = perform(&engine, task, work).await {
            tracing::warn!(%task_id, ?work, %error, "a task could not be brought forward");
        }
    };
    brought.instrument(span).await;
    engine.capacity.done(&provider, task_id, engine.now());
}

/// The span of one thing for one task; what is done often and changes little has a lower level.
fn span_of(work: Work, task: &TaskRecord) -> Span {
    let (task_id, provider) = (task.task_id, &task.provider_id);
    match work {
        Work::Submit => tracing::info_span!("submit", %task_id, %provider),
        Work::Recover => tracing::info_span!("recover", %task_id, %provider),
        Work::Lookup => tracing::info_span!("lookup", %task_id, %provider),
        Work::Poll | Work::LastPoll => tracing::debug_span!("poll", %task_id, %provider),
        Work::Expire => tracing::info_span!("expire", %task_id, %provider),
        Work::Cancel => tracing::info_span!("cancel", %task_id, %provider),
        Work::Diagnose => tracing::info_span!("diagnose", %task_id, %provider),
        Work::Keep => tracing::info_span!("keep", %task_id, %provider),
        Work::Rest => tracing::debug_span!("rest", %task_id, %provider),
    }
}

async fn perform(engine: &Engine, task: TaskRecord, work: Work) -> Result<()> {
    match work {
        Work::Submit => submit(engine, task).await,
        Work::Recover => {
            let failure = FailureRecord::new("interrupted", "The host stopped while it was submitting.");
            release(engine, task, Event::SubmitLost { failure, answered: false }).await
        }
        Work::Lookup => lookup(engine, task).await,
        Work::Poll => poll(engine, task, false).await,
        Work::LastPoll => poll(engine, task, true).await,
        Work::Expire => release(engine, task, Event::DeadlinePassed).await,
        Work::Cancel => cancel(engine, task).await,
        Work::Diagnose => diagnose(engine, task).await,
        Work::Keep => custody::keep(engine, task).await,
        Work::Rest => engine.apply(task, &[], LeaseChange::Release, &[]).await.map(drop),
    }
}

async fn release(engine: &Engine, task: TaskRecord, event: Event) -> Result<()> {
    engine.apply_one(task, event, LeaseChange::Release).await.map(drop)
}

async fn lookup(engine: &Engine, task: TaskRecord) -> Result<()> {
    let backend = engine.backend(&task.provider_id)?.clone();
    let since = task.state.times.submitting_at.unwrap_or(task.state.times.accepted_at);
    let request = LookupRequest::new(task.task_id, task.endpoint_details.clone(), since);
    let event = match bounded(engine.policy.call_timeout, "look up run", backend.provider.lookup(&request)).await {
        Ok(Lookup::Found(run_id)) => Event::LookupFound { run_id },
        Ok(Lookup::Absent) => Event::LookupAbsent,
        Err(error) => Event::LookupFailed { failure: FailureRecord::from_error("lookupFailed", &error) },
    };
    release(engine, task, event).await
}

async fn poll(engine: &Engine, task: TaskRecord, last: bool) -> Result<()> {
    let Some(run) = run_ref(&task) else {
        return release(engine, task, Event::DeadlinePassed).await;
    };
    metrics::poll_begins(&task, engine.now());
    // A provider that was taken out of the configuration answers nothing, and the deadlines do the rest.
    let answer = match engine.backend(&task.provider_id) {
        Ok(backend) => bounded(engine.policy.call_timeout, "poll run", backend.provider.poll(&run)).await,
        Err(error) => Err(error),
    };
    let event = match answer {
        Ok(report) => reported(report),
        Err(error) => Event::PollFailed { failure: FailureRecord::from_error("pollFailed", &error) },
    };
    let now = engine.now();
    let mut events = vec![TaskEvent::new(now, event)];
    if last {
        // Does nothing when the poll has just brought the end.
        events.push(TaskEvent::new(now, Event::DeadlinePassed));
    }
    engine.apply(task, &events, LeaseChange::Release, &[]).await.map(drop)
}

pub(crate) fn reported(report: crate::task::report::RunReport) -> Event {
    Event::Reported { witness: Witness::Poll, report: Box::new(report) }
}

async fn cancel(engine: &Engine, task: TaskRecord) -> Result<()> {
    let Some(run) = run_ref(&task) else {
        return engine.apply(task, &[], LeaseChange::Release, &[]).await.map(drop);
    };
    let backend = engine.backend(&task.provider_id)?.clone();
    let answer = bounded(engine.policy.call_timeout, "cancel run", backend.provider.cancel(&run)).await;
    let event = match answer {
        Ok(CancelAnswer::Accepted) => Event::CancelAnswered { accepted: true, reason: None },
        Ok(CancelAnswer::Refused(reason)) => Event::CancelAnswered { accepted: false, reason: Some(reason) },
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Event::CancelAnswered { accepted: false, reason: Some("This service cannot cancel.".to_owned()) }
        }
        Err(error) => Event::CancelFailed { failure: FailureRecord::from_error("cancelFailed", &error) },
    };
    release(engine, task, event).await
}

async fn diagnose(engine: &Engine, task: TaskRecord) -> Result<()> {
    let Some(run) = run_ref(&task) else {
        return engine.apply(task, &[], LeaseChange::Release, &[]).await.map(drop);
    };
    // The end of the task waits for this, so one attempt may not take longer than all of them together.
    let answer = match engine.backend(&task.provider_id) {
        Ok(backend) => bounded(engine.policy.diagnose_wait, "diagnose run", backend.provider.diagnose(&run)).await,
        Err(error) => Err(error),
    };
    let event = match answer {
        Ok(Some(diagnosis)) => Event::Diagnosed { failure: Some(diagnosis.failure), nodes: diagnosis.nodes },
        Ok(None) => Event::Diagnosed { failure: None, nodes: Vec::new() },
        Err(error) => {
            tracing::debug!(task_id = %task.task_id, %error, "the reason of a failure could not be read");
            Event::Diagnosed { failure: None, nodes: Vec::new() }
        }
    };
    release(engine, task, event).await
}

fn run_ref(task: &TaskRecord) -> Option<RunRef> {
    let run_id: &RunId = task.state.run_id.as_ref()?;
    Some(RunRef::new(task.task_id, run_id.clone(), task.endpoint_details.clone()))
}

/// A call with a limit; what runs into it may have had an effect.
pub(crate) async fn bounded<T>(
    limit: Duration,
    operation: &'static str,
    call: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::new(ErrorKind::Timeout, operation)
            .with_message(format!("No answer within {} s.", limit.as_secs()))
            .with_retry(Retry::Backoff)
            .with_effect(Effect::Unknown)),
    }
}
