//! What the driver does next for a task, and when. Pure, like the machine.

use std::time::Duration;

use crate::custody::KeepOutlook;
use crate::task::output::Output;
use crate::task::policy::Policy;
use crate::task::report::RunStatus;
use crate::task::state::{CancelOutcome, Ending, Keeping, Renewal, TaskState, TaskStatus};
use crate::time::Timestamp;
use crate::tool::ExactlyOnce;

/// The next thing to do for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Submit it.
    Submit,
    /// A submission was begun and its end is not on record: whoever made it died. It may have had an effect.
    Recover,
    /// Look for its run.
    Lookup,
    /// Ask about its run.
    Poll,
    /// Ask about its run once more, then end it.
    LastPoll,
    /// End it.
    Expire,
    /// Send the wish to cancel.
    Cancel,
    /// Look for the reason of its failure.
    Diagnose,
    /// Take its outputs into custody.
    Keep,
    /// Nothing.
    Rest,
}

/// What is to be done for a task that is due.
#[must_use]
pub fn plan(state: &TaskState, now: Timestamp) -> Work {
    let late = now >= state.deadline_at;
    match state.status {
        TaskStatus::Accepted if late => Work::Expire,
        TaskStatus::Accepted => Work::Submit,
        TaskStatus::Submitting if state.submit_retry_at.is_none() => Work::Recover,
        TaskStatus::Submitting if late => Work::Expire,
        TaskStatus::Submitting => Work::Submit,
        TaskStatus::InDoubt if late => Work::Expire,
        TaskStatus::InDoubt if can_look_up(state) => Work::Lookup,
        TaskStatus::InDoubt => Work::Rest,
        TaskStatus::Queued | TaskStatus::Running if late => Work::LastPoll,
        // A webhook named a run that the service does not know: is there another one?
        TaskStatus::Queued | TaskStatus::Running
            if state.run_heard && state.counters.polls_failed > 0 && can_look_up(state) =>
        {
            Work::Lookup
        }
        TaskStatus::Queued | TaskStatus::Running if cancel_pending(state) => Work::Cancel,
        TaskStatus::Queued | TaskStatus::Running => Work::Poll,
        TaskStatus::Finalizing if state.keeping.is_some() => keeping_work(state, now),
        TaskStatus::Finalizing if reason_wanted(state).is_some() => Work::Diagnose,
        TaskStatus::Finalizing if now >= finalizing_deadline(state) => Work::LastPoll,
        TaskStatus::Finalizing => Work::Poll,
        TaskStatus::Failed if reason_wanted(state).is_some() => Work::Diagnose,
        TaskStatus::TimedOut if cancel_pending(state) => Work::Cancel,
        TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled | TaskStatus::TimedOut => Work::Rest,
    }
}

/// From when on a task in this state waits for a run slot; `None` when it does not.
#[must_use]
pub fn submit_at(state: &TaskState) -> Option<Timestamp> {
    match state.status {
        TaskStatus::Accepted => Some(state.times.accepted_at),
        TaskStatus::Submitting => state.submit_retry_at,
        TaskStatus::InDoubt
        | TaskStatus::Queued
        | TaskStatus::Running
        | TaskStatus::Finalizing
        | TaskStatus::Completed
        | TaskStatus::Failed
        | TaskStatus::Cancelled
        | TaskStatus::TimedOut => None,
    }
}

/// When a task in this state is to be looked at next, as seen at `now`. While it waits for a run slot
/// ([`submit_at`]) that is its deadline.
#[must_use]
pub fn due_at(state: &TaskState, now: Timestamp, policy: &Policy) -> Option<Timestamp> {
    let by_deadline = |at: Timestamp| Some(at.min(state.deadline_at.max(now)));
    match state.status {
        TaskStatus::Accepted => Some(state.deadline_at),
        TaskStatus::Submitting if state.submit_retry_at.is_some() => Some(state.deadline_at),
        TaskStatus::Submitting => Some(now),
        TaskStatus::InDoubt => match &state.doubt {
            Some(doubt) if can_look_up(state) && doubt.lookups == 0 => Some(now),
            Some(_) if can_look_up(state) => by_deadline(now.plus(state.rules.lookup_interval())),
            Some(_) | None => Some(state.deadline_at),
        },
        TaskStatus::Queued | TaskStatus::Running => match &state.cancel {
            Some(cancel) if cancel.outcome == CancelOutcome::Pending && cancel.attempts == 0 => Some(now),
            Some(_) | None => by_deadline(now.plus(poll_pause(state, now, policy))),
        },
        TaskStatus::Finalizing => {
            let ending = state.ending.as_ref()?;
            if let Some(keeping) = &state.keeping {
                let pause = keep_pause(keeping, state, now, policy);
                return Some(now.plus(pause).min(custody_deadline(state).max(now)));
            }
            let pause = match (reason_wanted(state), ending.empty_confirmations) {
                (Some(wanted), _) => diagnose_pause(wanted, state),
                (None, 0) => doubled(policy.poll_interval_min, ending.unconfirmed_polls, policy.poll_interval_max),
                (None, _) => policy.empty_confirm_pause,
            };
            Some(now.plus(pause).min(finalizing_deadline(state).max(now)))
        }
        TaskStatus::Failed => reason_wanted(state).map(|ending| now.plus(diagnose_pause(ending, state))),
        TaskStatus::TimedOut => state
            .cancel
            .as_ref()
            .filter(|cancel| cancel.outcome == CancelOutcome::Pending)
            .map(|cancel| now.plus(doubled(policy.poll_interval_min, cancel.attempts, policy.poll_interval_max))),
        TaskStatus::Completed | TaskStatus::Cancelled => None,
    }
}

fn can_look_up(state: &TaskState) -> bool {
    match state.exactly_once {
        ExactlyOnce::Lookup | ExactlyOnce::ClientChosenId => true,
        ExactlyOnce::IdempotencyKey | ExactlyOnce::None => false,
    }
}

fn cancel_pending(state: &TaskState) -> bool {
    state.cancel.as_ref().is_some_and(|cancel| cancel.outcome == CancelOutcome::Pending)
}

/// The failed ending whose reason is still looked for.
fn reason_wanted(state: &TaskState) -> Option<&Ending> {
    state.ending.as_ref().filter(|ending| {
        state.can_diagnose && !ending.diagnosed && ending.status == RunStatus::Failed && ending.confirmed_at.is_some()
    })
}

/// URLs that end sooner than this are renewed before they are fetched.
const RENEWAL_MARGIN: Duration = Duration::from_secs(10);

/// The longest pause between two attempts to keep outputs: what was out of order for half an hour may be for long.
const KEEP_PAUSE_MAX: Duration = Duration::from_secs(300);

/// What brings outputs nearer to their custody: a fetch of them, or, where their URLs have ended, new URLs.
fn keeping_work(state: &TaskState, now: Timestamp) -> Work {
    let Some(keeping) = &state.keeping else { return Work::Rest };
    let soon = now.plus(RENEWAL_MARGIN);
    let ends = |output: &Output| output.is_unkept() && output.expires_at.is_some_and(|end| end <= soon);
    if now >= custody_deadline(state) {
        Work::Expire
    } else if keeping.renewal == Renewal::NotAsked
        && (keeping.outlook == KeepOutlook::NewUrl || state.outputs.iter().any(ends))
    {
        Work::Poll
    } else {
        Work::Keep
    }
}

/// None before the first attempt and after new URLs were asked for; then a tenth of the time since the run was over.
fn keep_pause(keeping: &Keeping, state: &TaskState, now: Timestamp, policy: &Policy) -> Duration {
    if keeping.attempts == 0 || keeping.renewal != Renewal::NotAsked {
        return Duration::ZERO;
    }
    let min = policy.poll_interval_min.min(KEEP_PAUSE_MAX);
    (now.since(state.over_at().unwrap_or(now)) / 10).clamp(min, KEEP_PAUSE_MAX)
}

fn custody_deadline(state: &TaskState) -> Timestamp {
    state.over_at().unwrap_or(state.times.accepted_at).plus(state.rules.custody_deadline())
}

fn finalizing_deadline(state: &TaskState) -> Timestamp {
    state.times.finalizing_at.unwrap_or(state.times.accepted_at).plus(state.rules.finalizing_deadline())
}

/// A tenth of the time since the submission, less what the call itself may take, so that an end is known within that
/// tenth; within the policy's bounds; longer while polls fail. Where the end is expected within that step, the poll is
/// put there: just after most runs have ended.
fn poll_pause(state: &TaskState, now: Timestamp, policy: &Policy) -> Duration {
    let since = state.times.submitting_at.unwrap_or(state.times.accepted_at);
    let (min, max) = (policy.poll_interval_min.min(policy.poll_interval_max), policy.poll_interval_max);
    let elapsed = now.since(since);
    let step = (elapsed / 11).clamp(min, max);
    let to_expected = state.expected_ms.map(Duration::from_millis).and_then(|expected| expected.checked_sub(elapsed));
    let step = to_expected.filter(|pause| *pause > Duration::ZERO && *pause < step).unwrap_or(step);
    let cancel_attempts = if cancel_pending(state) { state.cancel.as_ref().map_or(0, |c| c.attempts) } else { 0 };
    match state.counters.polls_failed.max(cancel_attempts) {
        // It was looked for: by now it may have ended.
        0 if state.counters.polls == 0 && state.times.in_doubt_at.is_some() => Duration::ZERO,
        0 => step,
        failed => step.max(doubled(min, failed, max)),
    }
}

/// At once, then `first`, doubled each time, at most `max`.
fn doubled(first: Duration, times: u32, max: Duration) -> Duration {
    match times {
        0 => Duration::ZERO,
        times => first.saturating_mul(1 << (times - 1).min(16)).min(max),
    }
}

/// At once, then every 2 s while the end waits for the reason, then every 10 s.
fn diagnose_pause(ending: &Ending, state: &TaskState) -> Duration {
    let quick = Duration::from_secs(2);
    match ending.diagnose_attempts {
        0 => Duration::ZERO,
        attempts if quick.saturating_mul(attempts) <= state.rules.diagnose_wait() => quick,
        _ => Duration::from_secs(10),
    }
}
