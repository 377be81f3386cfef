//! What people and restores make of a state.

use super::Step;
use crate::cost::{Settlement, Usage};
use crate::error::FailureRecord;
use crate::task::event::Resolution;
use crate::task::output;
use crate::task::report::RunReport;
use crate::task::state::{Flag, Reconciled, TaskStatus};
use crate::time::Timestamp;
use crate::tool::ExactlyOnce;

impl Step {
    pub(super) fn resolved(&mut self, resolution: &Resolution, at: Timestamp) {
        match (self.state.status, resolution) {
            (TaskStatus::InDoubt, Resolution::Found { run_id }) => self.run_known(run_id, at),
            (TaskStatus::InDoubt, Resolution::NotSent) => {
                let reason = FailureRecord::new("notSubmitted", "A person found that it was never submitted.");
                self.end(TaskStatus::Failed, Some(reason), at, true);
            }
            (TaskStatus::InDoubt, Resolution::GiveUp) => {
                let reason = FailureRecord::new("gaveUp", "Whether it was submitted will not be found out.");
                self.end(TaskStatus::TimedOut, Some(reason), at, false);
            }
            // After the end the review is over when its reconciliation is here; giving up is all of it.
            (status, resolution) if status.is_terminal() && self.state.needs_review() => match resolution {
                Resolution::Found { run_id } => {
                    self.state.run_id.get_or_insert_with(|| run_id.clone());
                }
                Resolution::NotSent => {}
                Resolution::GiveUp => {
                    self.state.flags.remove(&Flag::NeedsReview);
                }
            },
            (_, Resolution::Found { .. } | Resolution::NotSent | Resolution::GiveUp) => {}
        }
    }

    pub(super) fn reconciled(
        &mut self,
        report: Option<&RunReport>,
        usage: &Usage,
        settlement: &Settlement,
        at: Timestamp,
    ) {
        if !self.state.status.is_terminal() {
            return;
        }
        if let Some(report) = report {
            output::merge(&mut self.state.outputs, &report.outputs);
        }
        self.state.reconciled = Some(Reconciled {
            at,
            run_status: report.map(|report| report.status),
            usage: usage.clone(),
            settlement: settlement.clone(),
        });
        self.state.flags.remove(&Flag::NeedsReview);
    }

    /// The store is an older one of itself: what waited in it may have been submitted since, by the host that is gone.
    pub(super) fn restored(&mut self, at: Timestamp) {
        let waiting = self.state.status == TaskStatus::Accepted
            || (self.state.status == TaskStatus::Submitting && self.state.submit_retry_at.is_some());
        if !waiting {
            return;
        }
        let restored = FailureRecord::new("restored", "The store was restored from a backup.");
        if self.state.exactly_once == ExactlyOnce::IdempotencyKey {
            self.doubt(restored, false, at);
            return;
        }
        self.state.submit_retry_at = None;
        self.in_doubt(restored, false, at);
    }
}
