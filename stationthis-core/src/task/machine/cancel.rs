//! What a wish to cancel, and the answers to it, make of a state.

use super::Step;
use crate::error::FailureRecord;
use crate::task::state::{CancelOutcome, CancelState, CancelledBy, TaskStatus};
use crate::time::Timestamp;

impl Step {
    pub(super) fn cancel_asked(&mut self, at: Timestamp) {
        let wish = |outcome, reason: Option<&str>| {
            let by = CancelledBy::Caller;
            Some(CancelState { asked_at: at, by, outcome, reason: reason.map(str::to_owned), attempts: 0 })
        };
        match self.state.status {
            TaskStatus::Accepted | TaskStatus::Submitting if self.is_unsent() => self.cancel_unsent(at),
            TaskStatus::Accepted
            | TaskStatus::Submitting
            | TaskStatus::InDoubt
            | TaskStatus::Queued
            | TaskStatus::Running => {
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
        let (by, outcome) = (CancelledBy::Caller, CancelOutcome::Accepted);
        self.state.cancel = Some(CancelState { asked_at: at, by, outcome, reason: None, attempts: 0 });
        let failure = FailureRecord::new("cancelled", "It was cancelled before it was submitted.");
        self.end(TaskStatus::Cancelled, Some(failure), at, true);
    }

    pub(super) fn cancel_answered(&mut self, accepted: bool, reason: Option<&String>) {
        if let Some(cancel) = &mut self.state.cancel {
            cancel.attempts = cancel.attempts.saturating_add(1);
            cancel.outcome = if accepted { CancelOutcome::Accepted } else { CancelOutcome::Refused };
            cancel.reason = reason.cloned();
        }
    }

    pub(super) fn cancel_failed(&mut self, failure: &FailureRecord) {
        let attempts_max = self.state.rules.cancel_attempts_max;
        if let Some(cancel) = &mut self.state.cancel {
            cancel.attempts = cancel.attempts.saturating_add(1);
            cancel.reason = Some(failure.message.clone());
            if cancel.attempts >= attempts_max {
                cancel.outcome = CancelOutcome::Refused;
            }
        }
    }

    /// At the deadline what goes on at the provider is for nobody any more: it is asked to stop, after the end.
    pub(super) fn cancel_at_deadline(&mut self, at: Timestamp) {
        if self.state.can_cancel && self.state.cancel.is_none() {
            let (by, outcome) = (CancelledBy::Deadline, CancelOutcome::Pending);
            self.state.cancel = Some(CancelState { asked_at: at, by, outcome, reason: None, attempts: 0 });
        }
    }

    /// After a deadline a wish is sent all the same, to the run that goes on; after any other end, or where no run is
    /// known, there is nothing left to stop.
    pub(super) fn cancel_overtaken(&mut self, end: TaskStatus) {
        let run_known = self.state.run_id.is_some();
        if let Some(cancel) = &mut self.state.cancel
            && cancel.outcome == CancelOutcome::Pending
            && !(end == TaskStatus::TimedOut && run_known)
        {
            let ended_by_it = end == TaskStatus::Cancelled;
            cancel.outcome = if ended_by_it { CancelOutcome::Accepted } else { CancelOutcome::Refused };
            let reason = if run_known { "The run ended first." } else { "No run is known that could be stopped." };
            cancel.reason = Some(reason.to_owned());
        }
    }

    pub(super) fn cancelled_at_deadline(&self) -> bool {
        self.state.cancel.as_ref().is_some_and(|cancel| cancel.by == CancelledBy::Deadline)
    }
}
