//! What reports about the run, and searches for the reason of its failure, make of a state.

use super::Step;
use crate::error::FailureRecord;
use crate::task::event::Witness;
use crate::task::output;
use crate::task::report::{RunReport, RunStatus};
use crate::task::state::{Ending, Flag, Renewal, TaskState, TaskStatus};
use crate::time::Timestamp;

impl Step {
    pub(super) fn reported(&mut self, witness: Witness, report: &RunReport, at: Timestamp) {
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
            if witness == Witness::Webhook && before.run_heard && !ended_with_outputs(&before) {
                // One webhook's word against another's: which run is ours, the service will say when it is asked.
                self.state.rival = Some(Box::new(report.clone()));
                if before.counters.polls_failed > 0 {
                    self.look_into_rival(at);
                }
            }
        } else if before.keeping.is_some() {
            self.reported_while_keeping(witness, report, at);
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
            self.state.flags.extend([Flag::LateOutputs, Flag::NeedsReview]);
        }
        let agrees = match report.status {
            RunStatus::Succeeded => self.state.status == TaskStatus::Completed || self.gave_up_custody(),
            RunStatus::Failed => self.state.status == TaskStatus::Failed && !self.gave_up_custody(),
            RunStatus::Cancelled => self.state.status == TaskStatus::Cancelled || self.cancelled_at_deadline(),
            RunStatus::TimedOut => self.state.status == TaskStatus::TimedOut,
            RunStatus::Queued | RunStatus::Running | RunStatus::Unknown => true,
        };
        if !agrees {
            self.state.flags.extend([Flag::LateReport, Flag::NeedsReview]);
        }
    }

    fn reported_in_time(&mut self, witness: Witness, report: &RunReport, at: Timestamp) {
        // A report is proof of a run, whatever became of the answer to the submission (I2).
        let heard = witness == Witness::Webhook && (self.state.run_id.is_none() || self.state.run_heard);
        self.run_known(&report.run_id, at);
        self.state.run_heard = heard;
        if !heard {
            self.state.rival = None;
        }
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

    pub(super) fn poll_failed(&mut self, at: Timestamp) {
        self.state.counters.polls_failed = self.state.counters.polls_failed.saturating_add(1);
        if self.state.status.is_terminal() {
            return;
        }
        if let Some(keeping) = &mut self.state.keeping {
            keeping.renewal = Renewal::Unanswered;
            return;
        }
        self.not_confirmed(Witness::Poll);
        self.look_into_rival(at);
    }

    /// Takes the other run that was heard of for ours, and keeps what was heard of the one before: they take turns
    /// until the service knows one of them. A run that ended with outputs by what was heard stays.
    fn look_into_rival(&mut self, at: Timestamp) {
        let state = &mut self.state;
        if ended_with_outputs(state) {
            return;
        }
        let Some(rival) = state.rival.take() else { return };
        let former = heard_so_far(state);
        self.forget_run();
        self.reported_in_time(Witness::Webhook, &rival, at);
        self.state.rival = former.map(Box::new);
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
                self.succeeded(at);
            }
            RunStatus::Succeeded => {
                ending.empty_confirmations = ending.empty_confirmations.saturating_add(1);
                // Where nobody can be asked once more, the first answer is the last.
                if ending.empty_confirmations >= 2 || self.state.immediate {
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

    pub(super) fn end_failed(&mut self, at: Timestamp) {
        let known = self.state.ending.as_ref().and_then(|ending| ending.failure.clone());
        let failure =
            known.unwrap_or_else(|| FailureRecord::new("runFailed", "The run failed; the service gave no reason."));
        self.end(TaskStatus::Failed, Some(failure), at, false);
    }

    pub(super) fn diagnosed(&mut self, failure: Option<&FailureRecord>, at: Timestamp) {
        let (status, rules) = (self.state.status, self.state.rules);
        let Some(ending) = &mut self.state.ending else { return };
        let Some(confirmed_at) = ending.confirmed_at.filter(|_| ending.status == RunStatus::Failed) else { return };
        if ending.diagnosed {
            return;
        }
        ending.diagnose_attempts = ending.diagnose_attempts.saturating_add(1);
        let waited = at.since(confirmed_at);
        ending.diagnosed = failure.is_some() || waited >= rules.diagnose_total();
        if failure.is_some() {
            ending.failure = failure.cloned();
        }
        match status {
            TaskStatus::Finalizing if failure.is_some() || waited >= rules.diagnose_wait() => self.end_failed(at),
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
}

fn ended_with_outputs(state: &TaskState) -> bool {
    state.ending.is_some() && !state.outputs.is_empty()
}

/// What webhooks said of the run that a task is taken to have, as one report.
fn heard_so_far(state: &TaskState) -> Option<RunReport> {
    let status = match (&state.ending, state.status) {
        (Some(ending), _) => ending.status,
        (None, TaskStatus::Queued) => RunStatus::Queued,
        (None, _) => RunStatus::Running,
    };
    Some(RunReport {
        progress: state.progress,
        live_status: state.live_status.clone(),
        outputs: state.outputs.clone(),
        times: state.provider_times,
        resource: state.resource.clone(),
        usage: state.reported_usage.clone(),
        failure: state.ending.as_ref().and_then(|ending| ending.failure.clone()),
        ..RunReport::new(state.run_id.clone()?, status, String::new())
    })
}
