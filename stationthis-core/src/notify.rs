//! Telling somebody about a task.

pub mod events;
pub mod log;
pub mod signing;

pub use events::EventsNotifier;
pub use log::LogNotifier;
pub use signing::SigningKeys;

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::id::NoticeId;
use crate::task::TaskRecord;

/// Delivers notices to one kind of destination.
///
/// # Contract
/// - At least once: a notice is handed over again until `deliver` answers `Delivered`, `Permanent` or `NoRecipient`,
///   or until the outbox gives up. [`Notice::id`] is the same each time, so the receiver can drop repeats.
/// - Calls for different notices may run at the same time and in any order.
///
/// # Implementing
/// Bound the attempt by a timeout of your own; the station ends it after its policy's limit all the same.
///
/// # Cancellation
/// The future may be dropped at any point; the notice is then delivered again.
///
/// # Errors
/// `deliver` has none: what went wrong is a [`Receipt`], which decides what happens next.
///
/// # Proving it
/// Deliver the same notice twice; refuse it for ever; be slow.
#[async_trait]
pub trait Notifier: Send + Sync + std::fmt::Debug {
    /// The word that targets name it by (`log`, `events`, `webhook`, `telegram`); constant.
    fn channel(&self) -> &str;

    /// Could a notice ever be delivered to this address? Asked when a request names it, so that a mistake is an answer
    /// to the request and no dead letter later; calls nobody. An address that passes may be refused at delivery all the
    /// same.
    ///
    /// # Errors
    /// `InvalidInput` with a sentence for whoever named it.
    fn check(&self, address: &str) -> Result<()>;

    /// The receiver behind an address that was checked, such as the host of a URL. The outbox limits how much goes to
    /// one receiver at a time, and spares one that does not answer. Equal for all addresses where there is only one.
    fn destination(&self, address: &str) -> String;

    /// One attempt to deliver one notice.
    async fn deliver(&self, notice: &Notice) -> Receipt;
}

/// Who is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotifyTarget {
    /// The notifier.
    pub channel: String,
    /// The destination in that notifier's terms (a URL, a chat id); empty where there is only one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
}

impl NotifyTarget {
    /// A destination.
    pub fn new(channel: impl Into<String>, address: impl Into<String>) -> Self {
        Self { channel: channel.into(), address: address.into() }
    }
}

/// One thing to tell one destination about one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Notice {
    /// The same on every attempt.
    pub id: NoticeId,
    /// Who is told.
    pub target: NotifyTarget,
    /// What about.
    pub kind: NoticeKind,
    /// The attempt, from one.
    pub attempt: u32,
    /// The task as it is at this attempt.
    pub task: TaskRecord,
}

impl Notice {
    /// A notice at some attempt.
    #[must_use]
    pub const fn new(id: NoticeId, target: NotifyTarget, kind: NoticeKind, attempt: u32, task: TaskRecord) -> Self {
        Self { id, target, kind, attempt, task }
    }
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoticeKind {
    /// The task has ended.
    Finished,
}

impl NoticeKind {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
        }
    }
}

/// What came of one attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "outcome", rename_all_fields = "camelCase")]
pub enum Receipt {
    /// It arrived.
    Delivered,
    /// Try again, not before so long when the receiver said so.
    Retry {
        /// The receiver's own wish.
        after: Option<Duration>,
        /// What went wrong, in a sentence.
        reason: String,
    },
    /// It never will.
    Permanent {
        /// Why, in a sentence.
        reason: String,
    },
    /// There is nobody at this address (any more).
    NoRecipient,
}
