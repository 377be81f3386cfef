//! What the keeping of outputs makes of a state, between a confirmed success and the end.

use super::Step;
use crate::custody::{KeepOutlook, KeptOutput};
use crate::error::FailureRecord;
use crate::task::event::Witness;
use crate::task::output::{self, Output, bare};
use crate::task::report::{RunReport, RunStatus};
use crate::task::state::{Flag, Keeping, Renewal, TaskStatus};
use crate::time::Timestamp;

/// Why a task failed whose run did not.
const NOT_KEPT: &str = "notKept";

impl Step {
    /// The run ended well and gave something: where custody was agreed the task ends when all of it is kept.
    pub(super) fn succeeded(&mut self, at: Timestamp) {
        if self.state.custody && self.state.outputs.iter().any(Output::is_unkept) {
            self.state.keeping = Some(Keeping::default());
        } else {
            self.end(TaskStatus::Completed, None, at, false);
        }
    }

    /// The end is confirmed, and with it what the run cost: a report adds outputs and renews URLs, and changes nothing
    /// else. One that contradicts the end comes as late as one after it.
    pub(super) fn reported_while_keeping(&mut self, witness: Witness, report: &RunReport, at: Timestamp) {
        output::merge(&mut self.state.outputs, &report.outputs);
        match report.status {
            RunStatus::Failed | RunStatus::TimedOut | RunStatus::Cancelled => {
                self.state.flags.extend([Flag::LateReport, Flag::NeedsReview]);
            }
            RunStatus::Queued | RunStatus::Running | RunStatus::Succeeded | RunStatus::Unknown => {}
        }
        if let (Witness::Poll, Some(keeping)) = (witness, &mut self.state.keeping) {
            let ended = |output: &Output| output.is_unkept() && output.expires_at.is_some_and(|end| end <= at);
            keeping.renewal = match () {
                // An answer that names nothing says nothing of the URLs.
                () if report.outputs.is_empty() => Renewal::Unanswered,
                () if self.state.outputs.iter().any(ended) => Renewal::Ended,
                () => Renewal::Answered,
            };
        }
    }

    pub(super) fn outputs_kept(&mut self, kept: &[KeptOutput], at: Timestamp) {
        if !self.is_keeping() {
            return;
        }
        for one in kept {
            // Another run's may stand in its place by now.
            let same = |output: &&mut Output| {
                output.order == one.order && output.url.as_deref().map(bare) == Some(bare(&one.url))
            };
            if let Some(output) = self.state.outputs.iter_mut().find(same) {
                output.custody.get_or_insert_with(|| one.kept.clone());
            }
        }
        if !self.state.outputs.iter().any(Output::is_unkept) {
            self.state.keeping = None;
            self.end(TaskStatus::Completed, None, at, false);
        }
    }

    pub(super) fn keep_failed(&mut self, failure: &FailureRecord, outlook: KeepOutlook, at: Timestamp) {
        if !self.is_keeping() {
            return;
        }
        let overdue = self.custody_overdue(at);
        let Some(keeping) = &mut self.state.keeping else { return };
        // The provider was asked, and has no better URL than one that has ended.
        let lost = outlook == KeepOutlook::NewUrl && keeping.renewal == Renewal::Ended;
        keeping.attempts = keeping.attempts.saturating_add(1);
        (keeping.failure, keeping.outlook) = (Some(failure.clone()), outlook);
        keeping.renewal = Renewal::NotAsked;
        if lost || overdue || outlook == KeepOutlook::GiveUp {
            self.end_unkept(at);
        }
    }

    pub(super) fn custody_deadline_passed(&mut self, at: Timestamp) {
        if self.custody_overdue(at) {
            self.end_unkept(at);
        }
    }

    /// Did it fail for its custody alone?
    pub(super) fn gave_up_custody(&self) -> bool {
        self.state.status_reason.as_ref().is_some_and(|reason| reason.code == NOT_KEPT)
    }

    fn is_keeping(&self) -> bool {
        self.state.status == TaskStatus::Finalizing && self.state.keeping.is_some()
    }

    fn custody_overdue(&self, at: Timestamp) -> bool {
        let since = self.state.over_at().unwrap_or(self.state.times.accepted_at);
        at.since(since) >= self.state.rules.custody_deadline()
    }

    /// The run did what was asked, and is charged; what it gave is where the provider has it, if it still has.
    fn end_unkept(&mut self, at: Timestamp) {
        let known = self.state.keeping.as_ref().and_then(|keeping| keeping.failure.clone());
        let why = known.as_ref().map_or("it was never tried.", |failure| failure.message.as_str());
        let mut reason =
            FailureRecord::new(NOT_KEPT, format!("The run ended well, but not all outputs were kept: {why}"));
        if let Some(failure) = known {
            (reason.detail, reason.http_status) = (failure.detail, failure.http_status);
        }
        self.state.flags.insert(Flag::NeedsReview);
        self.end(TaskStatus::Failed, Some(reason), at, false);
    }
}
