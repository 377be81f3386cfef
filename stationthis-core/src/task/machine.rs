//! The task machine: the only place where a task's state changes. Pure: no clock, no I/O.

use crate::error::FailureRecord;
use crate::id::RunId;
use crate::task::event::{Event, TaskEvent, Witness};
use crate::task::output;
use crate::task::policy::Policy;
use crate::task::report::{RunReport, RunStatus};
use crate::task::state::{CancelOutcome, CancelState, Doubt, Ending, Flag, TaskState, TaskStatus};
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
pub fn step(state: &TaskState, event: &TaskEvent, policy: &Policy) -> Step {
    let mut step = Step { state: state.clone(), actions: Vec::new() };
    let at = event.at;
    match &event.what {
        Event::Accepted { .. } | Event::NoticeTried { .. } => {}
        Event::SubmitStarted => step.submit_started(at),
        Event::Submitted { run_id } | Event::LookupFound { run_id } => step.run_known(run_id, at),
        Event::SubmitRefused { failure } => step.submit_refused(failure, at),
        Event::SubmitDeferred { retry_at, .. } => step.submit_deferred(*retry_at),
        Event::SubmitLost { failure, answered } => step.submit_lost(failure, *answered, at),
        Event::LookupAbsent => step.lookup_absent(at, policy),
        Event::LookupFailed { .. } => {
            if let Some(doubt) = &mut step.state.doubt {
                doubt.lookups = doubt.lookups.saturating_add(1);
                (doubt.absent_since, doubt.absent_count) = (None, 0);
            }
        }
        Event::Reported { witness, report, .. } => step.reported(*witness, report, at),
        Event::WebhookUnreadable { .. } => step.count_webhook(false),
        Event::PollFailed { .. } => step.poll_failed(),
        Event::Diagnosed { failure, nodes } => {
            if !nodes.is_empty() && step.state.nodes.is_empty() {
                step.state.nodes.clone_from(nodes);
            }
            step.diagnosed(failure.as_ref(), at, policy);
        }
        Event::CancelAsked => step.cancel_asked(at),
        Event::CancelAnswered { accepted, reason } => {
            if let Some(cancel) = &mut step.state.cancel {
                cancel.attempts = cancel.attempts.saturating_add(1);
                cancel.outcome = if *accepted { CancelOutcome::Accepted } else { CancelOutcome::Refused };
                cancel.reason.clone_from(reason);
            }
        }
        Event::CancelFailed { failure } => {
            if let Some(cancel) = &mut step.state.cancel {
                cancel.attempts = cancel.attempts.saturating_add(1);
                cancel.reason = Some(failure.message.clone());
                if cancel.attempts >= policy.cancel_attempts_max {
                    cancel.outcome = CancelOutcome::Refused;
                }
            }
        }
        Event::DeadlinePassed => step.deadline_passed(at, policy),
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
    fn submit_started(&mut self, at: Timestamp) {
        let again = self.state.status == TaskStatus::Submitting && self.state.submit_retry_at.is_some();
        if self.state.status == TaskStatus::Accepted || again {
            self.state.status = TaskStatus::Submitting;
            self.state.times.submitting_at = Some(at);
            self.state.submit_attempts = self.state.submit_attempts.saturating_add(1);
            self.state.submit_retry_at = None;
        }
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
        if self.state.status == TaskStatus::Submitting {
            self.end(TaskStatus::Failed, Some(failure.clone()), at, true);
        }
    }

    fn submit_deferred(&mut self, retry_at: Timestamp) {
        if self.state.status == TaskStatus::Submitting {
            self.state.submit_retry_at = Some(retry_at);
        }
    }

    fn submit_lost(&mut self, failure: &FailureRecord, answered: bool, at: Timestamp) {
        // A webhook that came during the call has settled the question already.
        if self.state.status != TaskStatus::Submitting || self.state.submit_retry_at.is_some() {
            return;
        }
        if self.state.exactly_once == ExactlyOnce::IdempotencyKey {
            self.state.submit_retry_at = Some(at.plus(RESUBMIT_PAUSE));
            return;
        }
        self.state.status = TaskStatus::InDoubt;
        self.state.times.in_doubt_at = Some(at);
        self.state.doubt = Some(Doubt {
            since: at,
            answered,
            failure: failure.clone(),
            lookups: 0,
            absent_since: None,
            absent_count: 0,
        });
    }

    fn lookup_absent(&mut self, at: Timestamp, policy: &Policy) {
        if self.state.status != TaskStatus::InDoubt {
            return;
        }
        let Some(doubt) = &mut self.state.doubt else { return };
        doubt.lookups = doubt.lookups.saturating_add(1);
        let since = *doubt.absent_since.get_or_insert(at);
        doubt.absent_count = doubt.absent_count.saturating_add(1);
        let needed = if doubt.answered { policy.lookup_interval } else { policy.absent_without_answer };
        if doubt.absent_count >= 2 && at.since(since) >= needed {
            let mut failure = doubt.failure.clone();
            failure.code = "notSubmitted".to_owned();
            self.end(TaskStatus::Failed, Some(failure), at, true);
        }
    }

    fn count_webhook(&mut self, kept: bool) {
        let counters = &mut self.state.counters;
        counters.webhooks = counters.webhooks.saturating_add(1);
        let kind = if kept { &mut counters.webhooks_kept } else { &mut counters.webhooks_ignored };
        *kind = kind.saturating_add(1);
    }

    fn reported(&mut self, witness: Witness, report: &RunReport, at: Timestamp) {
        let before = self.state.clone();
        if witness == Witness::Poll {
            self.state.counters.polls = self.state.counters.polls.saturating_add(1);
            self.state.counters.polls_failed = 0;
        }
        if report.status == RunStatus::Unknown {
            self.state.counters.unknown_statuses = self.state.counters.unknown_statuses.saturating_add(1);
        }
        if before.status.is_terminal() {
            self.reported_late(report);
        } else if before.run_id.as_ref().is_some_and(|known| *known != report.run_id) {
            self.state.flags.insert(Flag::ForeignRun);
        } else {
            self.reported_in_time(witness, report, at);
        }
        if witness == Witness::Webhook {
            let counters = self.state.counters;
            let changed =
                Self { state: TaskState { counters: before.counters, ..self.state.clone() }, actions: vec![] };
            let kept = changed.state != before;
            self.state.counters = counters;
            self.count_webhook(kept);
        }
    }

    /// After the end: nothing changes but flags.
    fn reported_late(&mut self, report: &RunReport) {
        if report.outputs.iter().any(|new| !self.state.outputs.iter().any(|known| known.same_as(new))) {
            self.state.flags.insert(Flag::LateOutputs);
        }
        let agrees = match report.status {
            RunStatus::Succeeded => self.state.status == TaskStatus::Completed,
            RunStatus::Failed => self.state.status == TaskStatus::Failed,
            RunStatus::Cancelled => self.state.status == TaskStatus::Cancelled,
            RunStatus::TimedOut => self.state.status == TaskStatus::TimedOut,
            RunStatus::Queued | RunStatus::Running | RunStatus::Unknown => true,
        };
        if !agrees {
            self.state.flags.insert(Flag::LateReport);
        }
    }

    fn reported_in_time(&mut self, witness: Witness, report: &RunReport, at: Timestamp) {
        // A report is proof of a run, whatever became of the answer to the submission (I2).
        self.run_known(&report.run_id, at);
        let state = &mut self.state;
        output::merge(&mut state.outputs, &report.outputs);
        state.provider_times.update(&report.times);
        state.resource = report.resource.clone().or(state.resource.take());
        state.reported_usage = report.usage.clone().or(state.reported_usage.take());
        // Reports overtake each other: progress never goes back, and a queued straggler says nothing of a running one.
        if report.progress > state.progress {
            state.progress = report.progress;
            state.live_status = report.live_status.clone().or(state.live_status.take());
        }
        self.note_receipt(witness, report.status, at);
        match report.status {
            RunStatus::Queued | RunStatus::Unknown => self.not_confirmed(witness),
            RunStatus::Running => {
                if self.state.status == TaskStatus::Queued {
                    self.state.status = TaskStatus::Running;
                    self.state.times.running_at = Some(at);
                }
                self.not_confirmed(witness);
            }
            RunStatus::Succeeded | RunStatus::Failed | RunStatus::TimedOut | RunStatus::Cancelled => {
                self.end_reported(witness, report, at);
            }
        }
    }

    fn note_receipt(&mut self, witness: Witness, status: RunStatus, at: Timestamp) {
        let receipts = &mut self.state.receipts;
        let (running, ended) = match witness {
            Witness::Webhook => (&mut receipts.webhook_running_at, &mut receipts.webhook_ended_at),
            Witness::Poll => (&mut receipts.poll_running_at, &mut receipts.poll_ended_at),
        };
        // The first of each counts; a "running" that arrives after the end measures nothing.
        if status == RunStatus::Running && ended.is_none() {
            running.get_or_insert(at);
        } else if status.is_terminal() {
            ended.get_or_insert(at);
        }
    }

    fn not_confirmed(&mut self, witness: Witness) {
        if let (Witness::Poll, Some(ending)) = (witness, &mut self.state.ending) {
            ending.unconfirmed_polls = ending.unconfirmed_polls.saturating_add(1);
        }
    }

    fn poll_failed(&mut self) {
        self.state.counters.polls_failed = self.state.counters.polls_failed.saturating_add(1);
        if !self.state.status.is_terminal() {
            self.not_confirmed(Witness::Poll);
        }
    }

    fn end_reported(&mut self, witness: Witness, report: &RunReport, at: Timestamp) {
        if self.state.status != TaskStatus::Finalizing {
            self.state.status = TaskStatus::Finalizing;
            self.state.times.finalizing_at = Some(at);
        }
        let ending = self.state.ending.get_or_insert(Ending {
            status: report.status,
            confirmed_at: None,
            empty_confirmations: 0,
            unconfirmed_polls: 0,
            diagnose_attempts: 0,
            failure: None,
            diagnosed: false,
        });
        if report.failure.is_some() {
            ending.failure.clone_from(&report.failure);
        }
        if witness == Witness::Webhook {
            // Not proof: a poll confirms it. The first end that was reported stands until then.
            return;
        }
        ending.status = report.status;
        match report.status {
            RunStatus::Succeeded if !self.state.outputs.is_empty() => {
                ending.confirmed_at.get_or_insert(at);
                self.end(TaskStatus::Completed, None, at, false);
            }
            RunStatus::Succeeded => {
                ending.empty_confirmations = ending.empty_confirmations.saturating_add(1);
                if ending.empty_confirmations >= 2 {
                    ending.confirmed_at.get_or_insert(at);
                    let failure = FailureRecord::new("noOutput", "The service says success but shows no output.");
                    self.end(TaskStatus::Failed, Some(failure), at, false);
                }
            }
            RunStatus::Failed => {
                ending.confirmed_at.get_or_insert(at);
                if !self.state.can_diagnose {
                    self.end_failed(at);
                }
            }
            RunStatus::TimedOut => {
                let failure = FailureRecord::new("providerTimeout", "The service ended the run at its own time limit.");
                self.end(TaskStatus::TimedOut, Some(failure), at, false);
            }
            RunStatus::Cancelled => {
                let failure = FailureRecord::new("cancelled", "The run was cancelled.");
                self.end(TaskStatus::Cancelled, Some(failure), at, false);
            }
            RunStatus::Queued | RunStatus::Running | RunStatus::Unknown => {}
        }
    }

    fn end_failed(&mut self, at: Timestamp) {
        let known = self.state.ending.as_ref().and_then(|ending| ending.failure.clone());
        let failure =
            known.unwrap_or_else(|| FailureRecord::new("runFailed", "The run failed; the service gave no reason."));
        self.end(TaskStatus::Failed, Some(failure), at, false);
    }

    fn diagnosed(&mut self, failure: Option<&FailureRecord>, at: Timestamp, policy: &Policy) {
        let status = self.state.status;
        let Some(ending) = &mut self.state.ending else { return };
        let Some(confirmed_at) = ending.confirmed_at.filter(|_| ending.status == RunStatus::Failed) else { return };
        if ending.diagnosed {
            return;
        }
        ending.diagnose_attempts = ending.diagnose_attempts.saturating_add(1);
        let waited = at.since(confirmed_at);
        ending.diagnosed = failure.is_some() || waited >= policy.diagnose_total;
        if failure.is_some() {
            ending.failure = failure.cloned();
        }
        match status {
            TaskStatus::Finalizing if failure.is_some() || waited >= policy.diagnose_wait => self.end_failed(at),
            // The end stands; only its reason is filled in.
            TaskStatus::Failed if failure.is_some() => self.state.status_reason = failure.cloned(),
            TaskStatus::Accepted
            | TaskStatus::Submitting
            | TaskStatus::InDoubt
            | TaskStatus::Queued
            | TaskStatus::Running
            | TaskStatus::Finalizing
            | TaskStatus::Completed
            | TaskStatus::Failed
            | TaskStatus::Cancelled
            | TaskStatus::TimedOut => {}
        }
    }

    fn cancel_asked(&mut self, at: Timestamp) {
        let wish = |outcome, reason: Option<&str>| {
            Some(CancelState { asked_at: at, outcome, reason: reason.map(str::to_owned), attempts: 0 })
        };
        match self.state.status {
            TaskStatus::Accepted => self.cancel_unsent(at),
            TaskStatus::Submitting if self.state.submit_retry_at.is_some() => self.cancel_unsent(at),
            TaskStatus::Submitting | TaskStatus::InDoubt | TaskStatus::Queued | TaskStatus::Running => {
                if self.state.cancel.is_none() {
                    self.state.cancel = wish(CancelOutcome::Pending, None);
                }
            }
            TaskStatus::Finalizing => {
                if self.state.cancel.is_none() {
                    self.state.cancel = wish(CancelOutcome::Refused, Some("The run had ended already."));
                }
            }
            TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled | TaskStatus::TimedOut => {}
        }
    }

    fn cancel_unsent(&mut self, at: Timestamp) {
        self.state.cancel =
            Some(CancelState { asked_at: at, outcome: CancelOutcome::Accepted, reason: None, attempts: 0 });
        let failure = FailureRecord::new("cancelled", "It was cancelled before it was submitted.");
        self.end(TaskStatus::Cancelled, Some(failure), at, true);
    }

    fn deadline_passed(&mut self, at: Timestamp, policy: &Policy) {
        let timed_out = |code: &str, message: &str| Some(FailureRecord::new(code, message));
        match self.state.status {
            TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled | TaskStatus::TimedOut => {}
            TaskStatus::Finalizing => {
                let since = self.state.times.finalizing_at.unwrap_or(self.state.times.accepted_at);
                if at.since(since) < policy.finalizing_deadline {
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
            TaskStatus::Accepted => {
                let reason = timed_out("notSubmitted", "It could not be submitted before its deadline.");
                self.end(TaskStatus::Failed, reason, at, true);
            }
            TaskStatus::Submitting if self.state.submit_retry_at.is_some() => {
                let reason = timed_out("notSubmitted", "It could not be submitted before its deadline.");
                self.end(TaskStatus::Failed, reason, at, true);
            }
            TaskStatus::Submitting | TaskStatus::InDoubt => {
                self.state.flags.insert(Flag::NeedsReview);
                let reason = "The answer to the submission was lost, and nothing was heard of a run by the deadline.";
                self.end(TaskStatus::TimedOut, timed_out("inDoubt", reason), at, false);
            }
            TaskStatus::Queued | TaskStatus::Running => {
                let reason = "The run had not ended by the task's deadline.";
                self.end(TaskStatus::TimedOut, timed_out("deadline", reason), at, false);
            }
        }
    }

    fn end(&mut self, status: TaskStatus, reason: Option<FailureRecord>, at: Timestamp, not_run: bool) {
        self.state.status = status;
        self.state.status_reason = reason;
        self.state.times.ended_at = Some(at);
        self.actions.extend([Action::Settle { not_run }, Action::Notify]);
    }
}

#[cfg(test)]
mod tests;
