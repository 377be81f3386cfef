//! The task machine: the only place where a task's state changes. Pure: no clock, no I/O.

mod cancel;
mod custody;
mod report;
mod review;

use crate::cost::Receipts;
use crate::error::FailureRecord;
use crate::id::RunId;
use crate::task::event::{Event, TaskEvent};
use crate::task::report::RunTimes;
use crate::task::state::{Doubt, Flag, TaskState, TaskStatus};
use crate::time::Timestamp;
use crate::tool::ExactlyOnce;

/// What one event makes of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The state after it.
    pub state: TaskState,
    /// What must be done in the same commit.
    pub actions: Vec<Action>,
}

/// What must be done in the same commit as the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Settle the cost.
    Settle {
        /// It provably did not run: exactly nothing.
        not_run: bool,
    },
    /// Tell everybody who is to be told about the end.
    Notify,
}

/// Pause before a submission that may be repeated under its idempotency key.
const RESUBMIT_PAUSE: std::time::Duration = std::time::Duration::from_secs(5);

/// What `event` makes of `state`.
///
/// An event that does not fit the state (a repeat, a straggler, a regression) changes nothing but counters and flags.
/// A terminal state is reached once (I1); after it only the settlement and the reason of a failure are filled in.
#[must_use]
pub fn step(state: &TaskState, event: &TaskEvent) -> Step {
    let mut step = Step { state: state.clone(), actions: Vec::new() };
    let at = event.at;
    match &event.what {
        Event::Accepted { .. } | Event::NoticeTried { .. } | Event::NoticeRequeued { .. } | Event::Amended { .. } => {}
        Event::FilesSent { files } if step.awaits_submission() => step.state.sent_files.clone_from(files),
        Event::FilesSent { .. } => {}
        Event::SubmitStarted => step.submit_started(at),
        Event::Submitted { run_id } | Event::LookupFound { run_id } => step.run_answered(run_id, at),
        Event::SubmitRefused { failure } => step.submit_refused(failure, at),
        Event::SubmitDeferred { retry_at, at_capacity, .. } => step.submit_deferred(*retry_at, *at_capacity),
        Event::SubmitLost { failure, answered } => step.submit_lost(failure, *answered, at),
        Event::LookupAbsent => step.lookup_absent(at),
        Event::LookupFailed { .. } => {
            if let Some(doubt) = &mut step.state.doubt {
                doubt.lookups = doubt.lookups.saturating_add(1);
                (doubt.absent_since, doubt.absent_count) = (None, 0);
            }
        }
        Event::Reported { witness, report } => step.reported(*witness, report, at),
        Event::WebhookReceived { copies, .. } => step.webhook_received(*copies),
        Event::WebhookUnreadable { .. } => step.count_webhook(false),
        Event::PollFailed { .. } => step.poll_failed(at),
        Event::Diagnosed { failure, nodes } => {
            if !nodes.is_empty() && step.state.nodes.is_empty() {
                step.state.nodes.clone_from(nodes);
            }
            step.diagnosed(failure.as_ref(), at);
        }
        Event::OutputsKept { outputs } => step.outputs_kept(outputs, at),
        Event::KeepFailed { failure, outlook } => step.keep_failed(failure, *outlook, at),
        Event::CancelAsked => step.cancel_asked(at),
        Event::CancelAnswered { accepted, reason } => step.cancel_answered(*accepted, reason.as_ref()),
        Event::CancelFailed { failure } => step.cancel_failed(failure),
        Event::DeadlinePassed => step.deadline_passed(at),
        Event::Resolved { resolution, .. } => step.resolved(resolution, at),
        Event::Reconciled { report, usage, settlement } => step.reconciled(report.as_deref(), usage, settlement, at),
        Event::Restored { .. } => step.restored(at),
        Event::Settled { usage, settlement, over_ceiling } => {
            if step.state.status.is_terminal() && step.state.settlement.is_none() {
                let state = &mut step.state;
                state.usage = Some(usage.clone());
                state.cost_usd = settlement.cost_usd;
                if settlement.resource_changed {
                    state.flags.insert(Flag::ResourceChanged);
                }
                if *over_ceiling {
                    state.flags.insert(Flag::OverCeiling);
                }
                state.settlement = Some((**settlement).clone());
            }
        }
    }
    step
}

impl Step {
    /// Is a submission of it what comes next?
    fn awaits_submission(&self) -> bool {
        let again = self.state.status == TaskStatus::Submitting && self.state.submit_retry_at.is_some();
        self.state.status == TaskStatus::Accepted || again
    }

    fn submit_started(&mut self, at: Timestamp) {
        if self.awaits_submission() {
            self.state.status = TaskStatus::Submitting;
            self.state.times.submitting_at = Some(at);
            self.state.submit_attempts = self.state.submit_attempts.saturating_add(1);
            self.state.submit_retry_at = None;
        }
    }

    /// The provider names the run to us who asked: that is better than what a webhook said.
    fn run_answered(&mut self, run_id: &RunId, at: Timestamp) {
        if !self.state.status.is_terminal() && self.state.run_id.as_ref().is_some_and(|known| known != run_id) {
            self.forget_run();
        }
        self.run_known(run_id, at);
        (self.state.run_heard, self.state.rival) = (false, None);
    }

    /// The run that was heard of is another's: nothing that was learned of it is believed any more.
    fn forget_run(&mut self) {
        let state = &mut self.state;
        state.flags.insert(Flag::ForeignRun);
        state.status = TaskStatus::Submitting;
        (state.run_id, state.ending, state.progress, state.live_status) = (None, None, None, None);
        state.keeping = None;
        (state.times.running_at, state.times.finalizing_at) = (None, None);
        (state.provider_times, state.receipts) = (RunTimes::default(), Receipts::default());
        (state.resource, state.reported_usage) = (None, None);
        state.outputs.clear();
    }

    /// The run's name is known: from the answer, from a search, or from the first report.
    fn run_known(&mut self, run_id: &RunId, at: Timestamp) {
        match self.state.status {
            TaskStatus::Accepted | TaskStatus::Submitting | TaskStatus::InDoubt => {
                self.state.run_id = Some(run_id.clone());
                self.state.submit_retry_at = None;
                self.state.status = TaskStatus::Queued;
                self.state.times.queued_at = Some(at);
            }
            TaskStatus::Queued | TaskStatus::Running | TaskStatus::Finalizing => self.check_run(run_id),
            TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled | TaskStatus::TimedOut => {
                if self.state.run_id.is_none() {
                    // We gave up on a run that exists after all: somebody has to look at what it cost.
                    self.state.flags.extend([Flag::LateReport, Flag::NeedsReview]);
                } else {
                    self.check_run(run_id);
                }
            }
        }
    }

    fn check_run(&mut self, run_id: &RunId) {
        if self.state.run_id.as_ref() != Some(run_id) {
            self.state.flags.insert(Flag::ForeignRun);
        }
    }

    fn submit_refused(&mut self, failure: &FailureRecord, at: Timestamp) {
        if self.state.status != TaskStatus::Submitting {
            return;
        }
        if self.state.doubt.is_some() {
            // The refusal of this attempt says nothing of the one before it.
            self.in_doubt(failure.clone(), true, at);
        } else {
            self.end(TaskStatus::Failed, Some(failure.clone()), at, true);
        }
    }

    fn submit_deferred(&mut self, retry_at: Timestamp, at_capacity: bool) {
        if self.state.status == TaskStatus::Submitting {
            self.state.submit_retry_at = Some(retry_at);
            self.state.capacity_refusals = self.state.capacity_refusals.saturating_add(at_capacity.into());
        }
    }

    fn submit_lost(&mut self, failure: &FailureRecord, answered: bool, at: Timestamp) {
        // A webhook that came during the call has settled the question already.
        if self.state.status != TaskStatus::Submitting || self.state.submit_retry_at.is_some() {
            return;
        }
        if self.state.exactly_once == ExactlyOnce::IdempotencyKey {
            self.state.submit_retry_at = Some(at.plus(RESUBMIT_PAUSE));
            self.doubt(failure.clone(), answered, at);
            return;
        }
        self.in_doubt(failure.clone(), answered, at);
    }

    /// Was nothing sent that may have had an effect?
    fn is_unsent(&self) -> bool {
        let waiting = match self.state.status {
            TaskStatus::Accepted => true,
            TaskStatus::Submitting => self.state.submit_retry_at.is_some(),
            TaskStatus::InDoubt
            | TaskStatus::Queued
            | TaskStatus::Running
            | TaskStatus::Finalizing
            | TaskStatus::Completed
            | TaskStatus::Failed
            | TaskStatus::Cancelled
            | TaskStatus::TimedOut => false,
        };
        waiting && self.state.doubt.is_none()
    }

    fn in_doubt(&mut self, failure: FailureRecord, answered: bool, at: Timestamp) {
        self.state.status = TaskStatus::InDoubt;
        self.state.times.in_doubt_at = Some(at);
        self.doubt(failure, answered, at);
    }

    fn doubt(&mut self, failure: FailureRecord, answered: bool, at: Timestamp) {
        let (absent_since, absent_count) = (None, 0);
        self.state.doubt = Some(Doubt { since: at, answered, failure, lookups: 0, absent_since, absent_count });
    }

    fn lookup_absent(&mut self, at: Timestamp) {
        if self.state.status != TaskStatus::InDoubt {
            return;
        }
        let Some(doubt) = &mut self.state.doubt else { return };
        doubt.lookups = doubt.lookups.saturating_add(1);
        let since = *doubt.absent_since.get_or_insert(at);
        doubt.absent_count = doubt.absent_count.saturating_add(1);
        let rules = &self.state.rules;
        let needed = if doubt.answered { rules.lookup_interval() } else { rules.absent_without_answer() };
        if doubt.absent_count >= 2 && at.since(since) >= needed {
            let mut failure = doubt.failure.clone();
            failure.code = "notSubmitted".to_owned();
            self.end(TaskStatus::Failed, Some(failure), at, true);
        }
    }

    fn webhook_received(&mut self, copies: u32) {
        let counters = &mut self.state.counters;
        counters.webhooks = counters.webhooks.saturating_add(copies);
        counters.webhooks_ignored = counters.webhooks_ignored.saturating_add(copies.saturating_sub(1));
    }

    fn count_webhook(&mut self, kept: bool) {
        let counters = &mut self.state.counters;
        let kind = if kept { &mut counters.webhooks_kept } else { &mut counters.webhooks_ignored };
        *kind = kind.saturating_add(1);
    }

    fn deadline_passed(&mut self, at: Timestamp) {
        let timed_out = |code: &str, message: &str| Some(FailureRecord::new(code, message));
        match self.state.status {
            TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled | TaskStatus::TimedOut => {}
            TaskStatus::Finalizing if self.state.keeping.is_some() => self.custody_deadline_passed(at),
            TaskStatus::Finalizing => {
                let since = self.state.times.finalizing_at.unwrap_or(self.state.times.accepted_at);
                if at.since(since) < self.state.rules.finalizing_deadline() {
                    return;
                }
                if self.state.ending.as_ref().is_some_and(|e| e.confirmed_at.is_some()) {
                    self.end_failed(at);
                } else {
                    self.state.flags.insert(Flag::NeedsReview);
                    let reason = "The end was reported, but the service could not be asked to confirm it in time.";
                    self.end(TaskStatus::TimedOut, timed_out("unverified", reason), at, false);
                }
            }
            TaskStatus::Accepted
            | TaskStatus::Submitting
            | TaskStatus::InDoubt
            | TaskStatus::Queued
            | TaskStatus::Running
                if at < self.state.deadline_at => {}
            TaskStatus::Accepted | TaskStatus::Submitting if self.is_unsent() => {
                let reason = match self.state.capacity_refusals {
                    0 => "It could not be submitted before its deadline.",
                    _ => "The service took no more runs until its deadline.",
                };
                let reason = timed_out("notSubmitted", reason);
                self.end(TaskStatus::Failed, reason, at, true);
            }
            TaskStatus::Accepted | TaskStatus::Submitting | TaskStatus::InDoubt => {
                self.state.flags.insert(Flag::NeedsReview);
                let reason = "The answer to the submission was lost, and nothing was heard of a run by the deadline.";
                self.end(TaskStatus::TimedOut, timed_out("inDoubt", reason), at, false);
            }
            TaskStatus::Queued | TaskStatus::Running if self.state.run_heard => {
                self.state.flags.insert(Flag::NeedsReview);
                let reason = "A webhook named a run, but the service never said that there is one.";
                self.end(TaskStatus::TimedOut, timed_out("inDoubt", reason), at, false);
            }
            TaskStatus::Queued | TaskStatus::Running => {
                let reason = "The run had not ended by the task's deadline.";
                self.cancel_at_deadline(at);
                self.end(TaskStatus::TimedOut, timed_out("deadline", reason), at, false);
            }
        }
    }

    fn end(&mut self, status: TaskStatus, reason: Option<FailureRecord>, at: Timestamp, not_run: bool) {
        self.state.status = status;
        self.state.status_reason = reason;
        self.state.times.ended_at = Some(at);
        self.cancel_overtaken(status);
        self.actions.extend([Action::Settle { not_run }, Action::Notify]);
    }
}

#[cfg(test)]
mod tests;
