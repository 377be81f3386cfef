//! What happened to a task, append-only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cost::{Settlement, Usage};
use crate::custody::{KeepOutlook, KeptOutput};
use crate::error::FailureRecord;
use crate::id::{NoticeId, RunId};
use crate::media::SentFile;
use crate::notify::{NotifyTarget, Receipt};
use crate::task::report::{NodeTime, RunReport};
use crate::task::terms::Terms;
use crate::time::Timestamp;

/// The version of the events' shape that this code writes; older ones stay readable.
pub const EVENT_VERSION: u16 = 1;

/// One thing that happened to a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TaskEvent {
    /// The version of its shape.
    pub v: u16,
    /// When, by our clock.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: Event,
}

impl TaskEvent {
    /// An event of now.
    #[must_use]
    pub const fn new(at: Timestamp, what: Event) -> Self {
        Self { v: EVENT_VERSION, at, what }
    }
}

/// What happened. Every input to a decision of the machine is one of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Event {
    /// The request was validated, quoted and recorded.
    Accepted {
        /// The tool's revision.
        tool_revision: String,
        /// What holds for it until its end.
        terms: Box<Terms>,
    },
    /// The task's files were given to the service, for the submission that follows.
    FilesSent {
        /// Which, and where they are there.
        files: Vec<SentFile>,
    },
    /// We are about to submit: from here on there may be a run.
    SubmitStarted,
    /// The provider made a run.
    Submitted {
        /// Its name.
        run_id: RunId,
    },
    /// The provider provably made no run, and would not on a second try.
    SubmitRefused {
        /// Why.
        failure: FailureRecord,
    },
    /// The provider provably made no run; it is tried again later.
    SubmitDeferred {
        /// Why.
        failure: FailureRecord,
        /// When.
        retry_at: Timestamp,
        /// It takes no more runs for the moment, which is no attempt that counts.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        at_capacity: bool,
    },
    /// The answer to the submission was lost or says nothing: there may be a run.
    SubmitLost {
        /// What came instead.
        failure: FailureRecord,
        /// Did an HTTP answer come?
        answered: bool,
    },
    /// A search found the run.
    LookupFound {
        /// Its name.
        run_id: RunId,
    },
    /// A search saw everything since the submission, and no run of ours.
    LookupAbsent,
    /// A search could not be done.
    LookupFailed {
        /// Why.
        failure: FailureRecord,
    },
    /// The provider said something about the run.
    Reported {
        /// How it reached us.
        witness: Witness,
        /// What it said.
        report: Box<RunReport>,
    },
    /// A webhook came in; what it says follows as events of their own.
    WebhookReceived {
        /// `POST` or `GET`.
        method: String,
        /// Its body as text, at most 16 KiB of it, tokens of ours cut out.
        body: String,
        /// The size of the whole body.
        bytes: u64,
        /// The callback key that authenticated it; absent when its provider's signature did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_id: Option<String>,
        /// How often it had arrived by the time it was looked at.
        copies: u32,
    },
    /// The webhook before this event cannot be read by its provider.
    WebhookUnreadable {
        /// Why.
        failure: FailureRecord,
    },
    /// The provider did not answer when asked about the run.
    PollFailed {
        /// Why.
        failure: FailureRecord,
    },
    /// A search for the reason of a failure ended.
    Diagnosed {
        /// The reason, when one was found.
        failure: Option<FailureRecord>,
        /// The time each node took.
        nodes: Vec<NodeTime>,
    },
    /// Outputs are in custody.
    OutputsKept {
        /// Which, and where.
        outputs: Vec<KeptOutput>,
    },
    /// Not all outputs could be kept.
    KeepFailed {
        /// Why.
        failure: FailureRecord,
        /// What is left to hope for.
        outlook: KeepOutlook,
    },
    /// Somebody asked to cancel.
    CancelAsked,
    /// The provider answered the wish to cancel.
    CancelAnswered {
        /// Did it take it?
        accepted: bool,
        /// Its reason for refusing.
        reason: Option<String>,
    },
    /// The wish to cancel could not be delivered.
    CancelFailed {
        /// Why.
        failure: FailureRecord,
    },
    /// A deadline passed.
    DeadlinePassed,
    /// The cost was settled.
    Settled {
        /// What was used.
        usage: Usage,
        /// What it cost.
        settlement: Box<Settlement>,
        /// Above the quoted ceiling?
        over_ceiling: bool,
    },
    /// One attempt to deliver a notice.
    NoticeTried {
        /// The notice.
        notice_id: NoticeId,
        /// To whom.
        target: NotifyTarget,
        /// Which attempt, from one.
        attempt: u32,
        /// What came of it.
        receipt: Receipt,
    },
    /// Somebody asked to deliver a dead notice again.
    NoticeRequeued {
        /// The notice.
        notice_id: NoticeId,
    },
    /// A person who knows better said what became of the submission.
    Resolved {
        /// Who, as the station knows them.
        by: String,
        /// What they said.
        resolution: Resolution,
    },
    /// The task was reviewed after its end.
    Reconciled {
        /// What the provider says of the run now; absent when there provably was none.
        report: Option<Box<RunReport>>,
        /// What was used, as is known now.
        usage: Usage,
        /// What it cost, as is known now.
        settlement: Box<Settlement>,
    },
    /// The caller changed what is the caller's on the record; the machine ignores it.
    Amended {
        /// Who, as the station knows them.
        by: String,
        /// What; the record has the new values.
        fields: Vec<OwnField>,
    },
    /// The store was restored from a backup: whatever was waiting in it may have been submitted since.
    Restored {
        /// When the backup was made.
        backup_at: Timestamp,
    },
}

/// A field of a record that is its caller's to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum OwnField {
    /// [`TaskRecord::metadata`](crate::task::TaskRecord::metadata).
    Metadata,
    /// [`TaskRecord::initiating_event_id`](crate::task::TaskRecord::initiating_event_id).
    InitiatingEventId,
    /// [`TaskRecord::notify`](crate::task::TaskRecord::notify).
    Notify,
}

impl OwnField {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::InitiatingEventId => "initiatingEventId",
            Self::Notify => "notify",
        }
    }
}

/// What a person knows about a submission whose answer was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Resolution {
    /// There is a run.
    Found {
        /// Its name at the provider.
        run_id: RunId,
    },
    /// There is none.
    NotSent,
    /// It will not be found out.
    GiveUp,
}

/// How a report reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Witness {
    /// The service called back.
    Webhook,
    /// We asked.
    Poll,
}
