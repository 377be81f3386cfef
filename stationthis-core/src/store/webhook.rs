//! Raw webhooks as a store keeps them.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Retry};
use crate::id::{ProviderId, TaskId};
use crate::time::Timestamp;

/// A raw webhook, kept before anything else is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboxItem {
    /// The provider that its path names.
    pub provider_id: ProviderId,
    /// The task that its path names; `None` when only what it says tells which run it is about.
    pub task_id: Option<TaskId>,
    /// `POST` or `GET`.
    pub method: String,
    /// The public path.
    pub path: String,
    /// The query, without our own token.
    pub query: String,
    /// The headers that its provider needs to read it, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw bytes.
    pub body: Bytes,
    /// The callback key that authenticated it; the token itself is never kept.
    pub key_id: Option<String>,
    /// When it arrived; of copies, the first.
    pub received_at: Timestamp,
    /// How often it arrived.
    pub copies: u32,
}

impl InboxItem {
    /// A webhook about a task, whose body says all.
    #[must_use]
    pub fn new(
        provider_id: ProviderId,
        task_id: Option<TaskId>,
        method: impl Into<String>,
        body: Bytes,
        key_id: Option<String>,
        received_at: Timestamp,
    ) -> Self {
        let (method, path, query, headers) = (method.into(), String::new(), String::new(), Vec::new());
        Self { provider_id, task_id, method, path, query, headers, body, key_id, received_at, copies: 1 }
    }

    /// With where it came in and what came with it.
    #[must_use]
    pub fn with_request(mut self, path: String, query: String, headers: Vec<(String, String)>) -> Self {
        (self.path, self.query, self.headers) = (path, query, headers);
        self
    }

    /// What makes two webhooks the same: provider, task and body. Not the method: ComfyDeploy repeats a `POST` as `GET`.
    #[must_use]
    pub fn content(&self) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(self.provider_id.as_str());
        hash.update([0]);
        hash.update(self.task_id.as_ref().map_or(&[][..], |id| id.as_bytes().as_slice()));
        hash.update([0]);
        hash.update(&self.body);
        let mut content = [0; 16];
        content.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        content
    }
}

/// The answer to [`TaskStore::append_inbox`](crate::store::TaskStore::append_inbox): the number of the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is kept.
    New(u64),
    /// This one says the same and waits already.
    Copy(u64),
}

/// What becomes of inbox items that led to no commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxOutcome {
    /// Gone.
    Dropped,
    /// Looked at again from then on.
    ParkedUntil(Timestamp),
}

/// The most webhooks that wait: at 4 KiB each 400 MB of disk; processing takes thousands a second, so more means that
/// something is wrong, and services that are refused ask again or are polled.
pub const INBOX_MAX: usize = 100_000;

/// The error of a webhook for which there is no room.
pub(super) fn inbox_full(max: usize) -> Error {
    Error::new(ErrorKind::StoreUnavailable, "keep webhook")
        .with_message("Too many webhooks wait to be processed.")
        .with_context("max", max)
        .with_retry(Retry::Backoff)
}
