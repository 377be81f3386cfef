//! Notices as a store keeps them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::id::{CallerId, NoticeId, TaskId};
use crate::notify::{NoticeKind, NotifyTarget};
use crate::store::PAGE_MAX;
use crate::time::Timestamp;

/// A notice to be added by a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotice {
    /// Its id, derived from task, kind and target.
    pub id: NoticeId,
    /// What about.
    pub kind: NoticeKind,
    /// To whom.
    pub target: NotifyTarget,
    /// Not before.
    pub due_at: Timestamp,
}

/// A notice on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxItem {
    /// Its id.
    pub id: NoticeId,
    /// The task that it is about.
    pub task_id: TaskId,
    /// What about.
    pub kind: NoticeKind,
    /// To whom.
    pub target: NotifyTarget,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was added: the time of its commit's last event.
    pub created_at: Timestamp,
}

/// What becomes of a notice after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeOutcome {
    /// It arrived; done.
    Delivered,
    /// Again at this time.
    RetryAt(Timestamp),
    /// Given up; kept as a dead letter with the reason.
    Dead(String),
    /// Nothing was tried; not before this time. The attempts stay as they are.
    PutOff(Timestamp),
}

/// Where a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoticeState {
    /// To be delivered, or delivered again.
    Pending,
    /// It arrived.
    Delivered,
    /// Given up.
    Dead,
}

impl NoticeState {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// Which notices to list. Every condition must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticeQuery {
    /// About tasks of this caller only.
    pub caller: Option<CallerId>,
    /// About this task only.
    pub task: Option<TaskId>,
    /// In this state only.
    pub state: Option<NoticeState>,
    /// Added before this one: the cursor of the page before.
    pub before: Option<u64>,
    /// At most so many; zero means 50. Bounded by [`PAGE_MAX`].
    pub limit: usize,
}

impl NoticeQuery {
    /// The page size in force.
    #[must_use]
    pub fn page_size(&self) -> usize {
        if self.limit == 0 { 50 } else { self.limit.min(PAGE_MAX) }
    }
}

/// A notice and what became of it so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeRecord {
    /// Its number: grows in the order in which notices were added.
    pub number: u64,
    /// Its id.
    pub id: NoticeId,
    /// The task that it is about.
    pub task_id: TaskId,
    /// What about.
    pub kind: NoticeKind,
    /// To whom.
    pub target: NotifyTarget,
    /// Where it is.
    pub state: NoticeState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it is tried next; absent when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Why it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A page of notices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NoticePage {
    /// Newest first.
    pub notices: Vec<NoticeRecord>,
    /// The `before` of the next page; `None` at the end.
    pub next: Option<u64>,
}

/// The error of an operation on a notice that was never added.
pub(super) fn unknown_notice(operation: &'static str, id: NoticeId) -> Error {
    Error::new(ErrorKind::NotFound, operation).with_context("notice", id)
}
