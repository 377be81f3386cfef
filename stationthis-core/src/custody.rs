//! Keeping what runs gave: the URLs of services end, some within minutes.

use std::fmt;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result, Retry};
use crate::id::{CallerId, TaskId};
use crate::task::output::Output;
use crate::time::Timestamp;

/// Fetches outputs and keeps them where they do not end. Core opens no socket: the application gives it one of these.
///
/// # Contract
/// - What is kept is whole: its bytes are all that its URL gave, under limits of size and type that are the
///   implementation's own.
/// - It is idempotent: an output that is kept again gives the same key, hash, size and type, also after its URL has
///   ended. A crash may come between the keeping and the commit that remembers it, and then the station asks again.
/// - A key is one output's of one task alone: neither another caller nor another task can overwrite what is there.
///
/// # Cancellation
/// The future may be dropped at any point. What is half done then is not there: the next attempt begins anew.
///
/// # Errors
/// - `Gone`: the URL has ended. The provider is asked for a new one, and then it is tried again.
/// - One that must not be tried again ([`Retry::Never`]) and is not `Gone`: it never will be kept (too large, of a type
///   that is not allowed, at an address that is not called). The task ends with it.
/// - Any other: it is tried again, until the task's custody deadline. What the network or the storage does is such a
///   one, and so says [`Retry::Backoff`].
///
/// The message is shown to the caller: it names no signature of a URL and no secret.
#[async_trait]
pub trait Custody: Send + Sync + fmt::Debug {
    /// Keeps one output that is at a URL.
    async fn keep(&self, request: &KeepRequest) -> Result<Kept>;
}

/// An output to be kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeepRequest {
    /// The task that it is of.
    pub task_id: TaskId,
    /// Whose it is.
    pub caller: CallerId,
    /// What it is, with its URL as the provider named it last.
    pub output: Output,
    /// The time by the station's clock.
    pub at: Timestamp,
}

impl KeepRequest {
    /// A wish of now.
    #[must_use]
    pub const fn new(task_id: TaskId, caller: CallerId, output: Output, at: Timestamp) -> Self {
        Self { task_id, caller, output, at }
    }
}

/// An output in custody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Kept {
    /// Where it is, in the custody's own words.
    pub key: String,
    /// The BLAKE3 hash of its content, in hex.
    pub blake3: String,
    /// Its size.
    pub bytes: u64,
    /// Its media type, by its content where that tells.
    pub mime: String,
    /// When it was kept.
    pub kept_at: Timestamp,
}

impl Kept {
    /// An output that is kept under `key`.
    pub fn new(
        key: impl Into<String>,
        blake3: impl Into<String>,
        bytes: u64,
        mime: impl Into<String>,
        kept_at: Timestamp,
    ) -> Self {
        Self { key: key.into(), blake3: blake3.into(), bytes, mime: mime.into(), kept_at }
    }
}

/// One of a task's outputs that was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct KeptOutput {
    /// Its place among the task's outputs.
    pub order: u32,
    /// The URL that it was fetched from.
    pub url: String,
    /// Where it is now.
    pub kept: Kept,
}

impl KeptOutput {
    /// The output of this place, from this URL.
    pub fn new(order: u32, url: impl Into<String>, kept: Kept) -> Self {
        Self { order, url: url.into(), kept }
    }
}

/// What a failure to keep an output leaves to hope for, the least last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeepOutlook {
    /// It may pass by itself.
    #[default]
    TryAgain,
    /// The URL has ended: a new one is needed.
    NewUrl,
    /// It never will be kept.
    GiveUp,
}

impl KeepOutlook {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TryAgain => "tryAgain",
            Self::NewUrl => "newUrl",
            Self::GiveUp => "giveUp",
        }
    }

    /// What an error of [`Custody::keep`] leaves to hope for.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match (error.kind(), error.retry()) {
            (ErrorKind::Gone, _) => Self::NewUrl,
            (_, Retry::Never) => Self::GiveUp,
            (_, Retry::Backoff | Retry::After(_)) => Self::TryAgain,
        }
    }
}
