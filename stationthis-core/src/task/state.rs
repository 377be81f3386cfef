//! What the task machine owns of a record.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cost::{Receipts, Settlement, Usage};
use crate::custody::KeepOutlook;
use crate::error::FailureRecord;
use crate::id::RunId;
use crate::media::SentFile;
use crate::money::Usd;
use crate::task::output::Output;
use crate::task::report::{NodeTime, Progress, RunReport, RunStatus, RunTimes};
use crate::task::terms::{Rules, Terms};
use crate::time::Timestamp;
use crate::tool::ExactlyOnce;

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TaskStatus {
    /// Recorded; nothing was sent yet.
    Accepted,
    /// The intent to submit is durable; the answer is not.
    Submitting,
    /// The answer to the submission was lost: there may be a run.
    InDoubt,
    /// The provider has it.
    Queued,
    /// It runs.
    Running,
    /// Its end was reported; it is being confirmed.
    Finalizing,
    /// Ended well.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended by a wish.
    Cancelled,
    /// Ended by a deadline, the provider's or ours.
    TimedOut,
}

impl TaskStatus {
    /// Every status, in the order of their ranks.
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Submitting,
        Self::InDoubt,
        Self::Queued,
        Self::Running,
        Self::Finalizing,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
    ];

    /// Is it an end?
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Cancelled | Self::TimedOut => true,
            Self::Accepted | Self::Submitting | Self::InDoubt | Self::Queued | Self::Running | Self::Finalizing => {
                false
            }
        }
    }

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Submitting => "submitting",
            Self::InDoubt => "inDoubt",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finalizing => "finalizing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timedOut",
        }
    }
}

impl std::fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for TaskStatus {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            crate::Error::new(crate::ErrorKind::InvalidInput, "parse task status")
                .with_message(format!("A status is one of {known}."))
        })
    }
}

/// The part of a task that only the machine changes; folding the task's events gives it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TaskState {
    /// Where it is.
    pub status: TaskStatus,
    /// Why it ended as it did, when it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<FailureRecord>,
    /// The provider's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The run is known from a webhook alone: the service has not yet answered us with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub run_heard: bool,
    /// What a webhook said of another run while `run_id` was known from a webhook alone: looked into when the service
    /// does not know that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rival: Option<Box<RunReport>>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// What it is doing, in the provider's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_status: Option<String>,
    /// When each step was reached.
    pub times: StepTimes,
    /// After this it ends, whatever the provider says or does not say.
    pub deadline_at: Timestamp,
    /// What the provider promises about a lost answer to a submission.
    pub exactly_once: ExactlyOnce,
    /// Can the provider tell afterwards why a run failed?
    #[serde(default)]
    pub can_diagnose: bool,
    /// Can the provider cancel some runs?
    #[serde(default)]
    pub can_cancel: bool,
    /// Is the answer to the submission all that is ever heard of a run?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub immediate: bool,
    /// Is it completed only when its outputs are in custody?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub custody: bool,
    /// How long such a run usually takes from submission to end, in milliseconds; absent when that was not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_ms: Option<u64>,
    /// The machine's own limits for this task.
    pub rules: Rules,
    /// Attempts to submit; more than one only after one that provably had no effect.
    #[serde(default)]
    pub submit_attempts: u32,
    /// Those of them that the service refused because it takes no more runs for the moment.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub capacity_refusals: u32,
    /// The last attempt provably had no effect; the next one is at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit_retry_at: Option<Timestamp>,
    /// The files that were given to the service for the (latest) submission.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent_files: Vec<SentFile>,
    /// The search for a run whose submission's answer was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// The end that was reported and is being confirmed, or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// The run ended well, and its outputs are being taken into custody; stays when that was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeping: Option<Keeping>,
    /// The wish to cancel it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<CancelState>,
    /// The provider's own times.
    #[serde(default)]
    pub provider_times: RunTimes,
    /// When we heard of its start and end.
    #[serde(default)]
    pub receipts: Receipts,
    /// The resource class that it ran on, where the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What the provider itself counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_usage: Option<Usage>,
    /// The time each node took, where the provider tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeTime>,
    /// What it gave; kept whatever the end was.
    #[serde(default)]
    pub outputs: Vec<Output>,
    /// What it used; set at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How the cost came about; set at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlement: Option<Settlement>,
    /// What it cost; absent until the end, and after it when the cost is unknown: see `settlement.boundUsd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<Usd>,
    /// What was found when somebody reviewed it after its end; the settlement stays as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciled: Option<Reconciled>,
    /// What a person should know about it.
    #[serde(default)]
    pub flags: BTreeSet<Flag>,
    /// How often things happened.
    #[serde(default)]
    pub counters: Counters,
}

impl TaskState {
    /// The state of a request that was just accepted.
    #[must_use]
    pub fn accepted(at: Timestamp, terms: &Terms) -> Self {
        Self {
            status: TaskStatus::Accepted,
            status_reason: None,
            run_id: None,
            run_heard: false,
            rival: None,
            progress: None,
            live_status: None,
            times: StepTimes {
                accepted_at: at,
                submitting_at: None,
                in_doubt_at: None,
                queued_at: None,
                running_at: None,
                finalizing_at: None,
                ended_at: None,
            },
            deadline_at: terms.deadline_at,
            exactly_once: terms.exactly_once,
            can_diagnose: terms.can_diagnose,
            can_cancel: terms.can_cancel,
            immediate: terms.immediate,
            custody: terms.custody,
            expected_ms: terms.expected_ms,
            rules: terms.rules,
            submit_attempts: 0,
            capacity_refusals: 0,
            submit_retry_at: None,
            sent_files: Vec::new(),
            doubt: None,
            ending: None,
            keeping: None,
            cancel: None,
            provider_times: RunTimes::default(),
            receipts: Receipts::default(),
            resource: None,
            reported_usage: None,
            nodes: Vec::new(),
            outputs: Vec::new(),
            usage: None,
            settlement: None,
            cost_usd: None,
            reconciled: None,
            flags: BTreeSet::new(),
            counters: Counters::default(),
        }
    }

    /// Does it take one of the run slots of its provider: is a run being made, or at work?
    ///
    /// Not while it is in doubt: there may be no run at all, and that may last until the deadline.
    #[must_use]
    pub const fn holds_slot(&self) -> bool {
        match self.status {
            TaskStatus::Submitting => self.submit_retry_at.is_none(),
            TaskStatus::Queued | TaskStatus::Running => true,
            TaskStatus::Accepted
            | TaskStatus::InDoubt
            | TaskStatus::Finalizing
            | TaskStatus::Completed
            | TaskStatus::Failed
            | TaskStatus::Cancelled
            | TaskStatus::TimedOut => false,
        }
    }

    /// When it was known to be over: its end, or before that the poll that confirmed the end of its run. What came between
    /// was no work of the provider's.
    #[must_use]
    pub fn over_at(&self) -> Option<Timestamp> {
        self.ending.as_ref().and_then(|ending| ending.confirmed_at).or(self.times.ended_at)
    }

    /// Should a person look at it?
    #[must_use]
    pub fn needs_review(&self) -> bool {
        self.flags.contains(&Flag::NeedsReview)
    }

    /// What it is charged with: what a review found, else what was settled. `None` when it has not ended, or when
    /// neither knows.
    #[must_use]
    pub fn charged_usd(&self) -> Option<Usd> {
        self.reconciled.as_ref().and_then(|reconciled| reconciled.settlement.cost_usd).or(self.cost_usd)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// When each step was reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepTimes {
    /// The request was recorded.
    pub accepted_at: Timestamp,
    /// The (latest) submission was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitting_at: Option<Timestamp>,
    /// The answer to the submission was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_doubt_at: Option<Timestamp>,
    /// The provider had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// It was seen running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_at: Option<Timestamp>,
    /// Its end was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalizing_at: Option<Timestamp>,
    /// It ended here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// The search for a run that may or may not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Doubt {
    /// Since when.
    pub since: Timestamp,
    /// Did an HTTP answer come (an error), or none at all?
    pub answered: bool,
    /// What the submission came to.
    pub failure: FailureRecord,
    /// Searches so far.
    #[serde(default)]
    pub lookups: u32,
    /// When searches found nothing: the first of an unbroken row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_since: Option<Timestamp>,
    /// Searches that found nothing, in a row.
    #[serde(default)]
    pub absent_count: u32,
}

/// An end that was reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// What was reported.
    pub status: RunStatus,
    /// When a poll confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// Polls that said "success" and named no output.
    #[serde(default)]
    pub empty_confirmations: u32,
    /// Polls since the report that did not confirm it.
    #[serde(default)]
    pub unconfirmed_polls: u32,
    /// Searches for the reason so far.
    #[serde(default)]
    pub diagnose_attempts: u32,
    /// The reason that the reports themselves gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureRecord>,
    /// Was the reason found, or the search given up?
    #[serde(default)]
    pub diagnosed: bool,
}

/// Outputs on their way into custody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keeping {
    /// Attempts so far that did not keep all of them.
    #[serde(default)]
    pub attempts: u32,
    /// Why the last one did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureRecord>,
    /// What it left to hope for.
    #[serde(default)]
    pub outlook: KeepOutlook,
    /// Was the provider asked for new URLs since then?
    #[serde(default)]
    pub renewal: Renewal,
}

/// Whether the provider was asked for new URLs of outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Renewal {
    /// Not since the last attempt to keep them.
    #[default]
    NotAsked,
    /// It was, and named outputs.
    Answered,
    /// It was, and has no better URL than one that had ended by then.
    Ended,
    /// It was, and named none, or did not answer.
    Unanswered,
}

/// What a review found after the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reconciled {
    /// When.
    pub at: Timestamp,
    /// What the provider says of the run now; absent when there provably was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_status: Option<RunStatus>,
    /// What it used, as is known now.
    pub usage: Usage,
    /// What it cost, as is known now, on the card that was pinned.
    pub settlement: Settlement,
}

/// A wish to cancel: recorded, sent, and confirmed or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelState {
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Whose wish it is.
    #[serde(default)]
    pub by: CancelledBy,
    /// What came of it.
    pub outcome: CancelOutcome,
    /// The provider's reason for refusing, or the last error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Attempts to send it.
    #[serde(default)]
    pub attempts: u32,
}

/// Whose wish a cancellation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CancelledBy {
    /// The caller's.
    #[default]
    Caller,
    /// The station's, at the deadline: what goes on there is for nobody any more.
    Deadline,
}

/// What came of a wish to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CancelOutcome {
    /// Not sent yet.
    Pending,
    /// The provider took it; a report will tell of the end.
    Accepted,
    /// The provider does not cancel this run: it goes on.
    Refused,
}

/// What a person should know about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Flag {
    /// A person should look at it: nobody knows whether there is a run or what became of it, or the provider said
    /// something after the end. Taken away by a review.
    NeedsReview,
    /// It ran on another resource than the one that was quoted.
    ResourceChanged,
    /// It cost more than the quoted ceiling.
    OverCeiling,
    /// Outputs came after the end; they are in the events.
    LateOutputs,
    /// A report that contradicts the end came after it.
    LateReport,
    /// A webhook named another run than the task's.
    ForeignRun,
}

/// How often things happened; not part of what the events fold to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Counters {
    /// Webhooks received for this task.
    pub webhooks: u32,
    /// Those of them that changed something.
    pub webhooks_kept: u32,
    /// Those of them that changed nothing: repeats, stragglers, regressions.
    pub webhooks_ignored: u32,
    /// Answers to polls.
    pub polls: u32,
    /// Polls without an answer, in a row.
    pub polls_failed: u32,
    /// Reports with a status that we do not know.
    pub unknown_statuses: u32,
}
