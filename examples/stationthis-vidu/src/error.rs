//! What the service's refusals mean: one `classify` for every answer, and one for answers that never came.

use serde::Deserialize;
use stationthis_core::{Effect, Error, ErrorKind, Retry};
use std::time::Duration;

/// What was being done, as far as it decides what an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    CheckKey,
    Submit,
    ReadTask,
    Cancel,
    Upload,
}

impl Operation {
    /// The imperative phrase for errors.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CheckKey => "check key",
            Self::Submit => "submit run",
            Self::ReadTask => "read task",
            Self::Cancel => "cancel task",
            Self::Upload => "upload file",
        }
    }

    /// Whether it changes something at the service, so that a lost answer leaves a doubt.
    const fn changes(self) -> bool {
        matches!(self, Self::Submit | Self::Cancel | Self::Upload)
    }
}

/// How much of the service's own sentence goes into ours.
const MESSAGE_CHARS_MAX: usize = 300;

/// The longest pause a `Retry-After` may ask for: none is documented, and beyond an hour it is a mistake of a proxy.
const RETRY_AFTER_MAX_S: u64 = 3600;

/// The body of a refusal. The number in `code` repeats the HTTP status; `reason` is the word for programs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    reason: String,
    message: String,
}

/// The error that an answer other than 2xx stands for.
///
/// `secrets` are cut from everything that is kept of the body.
pub(crate) fn classify(
    operation: Operation,
    status: u16,
    retry_after: Option<&str>,
    body: &[u8],
    secrets: &[&str],
) -> Error {
    let body = scrub(&String::from_utf8_lossy(body), secrets);
    let refusal: Refusal = serde_json::from_str(&body).unwrap_or_default();
    let (kind, retry) = kind(status, &refusal.reason, retry_after);
    // A refusal with the service's own word for it made no task; without one it may be a proxy's, which knows nothing
    // of what went on behind it. These four every gateway gives before it asks anybody.
    let refused = match (operation, status) {
        (_, 401 | 403 | 404 | 429) => true,
        (_, 408 | 499 | 500..) => false,
        (Operation::Submit, _) => !refusal.reason.is_empty(),
        _ => true,
    };
    let effect = if refused || !operation.changes() { Effect::No } else { Effect::Unknown };
    let says = match (refusal.reason.as_str(), refusal.message.as_str()) {
        ("", "") => ".".to_owned(),
        (reason, "") => format!(": {reason}."),
        ("", message) => format!(": {message}"),
        (reason, message) => format!(": {reason}: {message}"),
    };
    Error::new(kind, operation.name())
        .with_message(shortened(&format!("Vidu answered {status}{says}"), MESSAGE_CHARS_MAX))
        .with_retry(retry)
        .with_effect(effect)
        .with_http(status, &body)
}

/// The service's error table; a word that it does not have is judged by its status.
fn kind(status: u16, reason: &str, retry_after: Option<&str>) -> (ErrorKind, Retry) {
    match (status, reason) {
        // It answers 400 for an empty account, not 402.
        (_, "CreditInsufficient") => (ErrorKind::Forbidden, Retry::Never),
        // Their fetch of the picture failed, which may pass.
        (_, "ImageDownloadFailure") => (ErrorKind::InvalidInput, Retry::Backoff),
        (_, "OperationInProcess") => (ErrorKind::Conflict, Retry::Backoff),
        (400 | 422, _) => (ErrorKind::InvalidInput, Retry::Never),
        (401, _) => (ErrorKind::Unauthorized, Retry::Never),
        (403, _) => (ErrorKind::Forbidden, Retry::Never),
        (404, _) => (ErrorKind::NotFound, Retry::Never),
        (409, _) => (ErrorKind::Conflict, Retry::Never),
        (413, _) => (ErrorKind::TooLarge, Retry::Never),
        // As many tasks at once as the account may have: it passes when one ends.
        (429, "QuotaExceeded") => (ErrorKind::AtCapacity, pause(retry_after)),
        (429, _) => (ErrorKind::RateLimited, pause(retry_after)),
        (408 | 504, _) => (ErrorKind::Timeout, Retry::Backoff),
        (503, _) => (ErrorKind::Unavailable, pause(retry_after)),
        (499..=599, _) => (ErrorKind::Unavailable, Retry::Backoff),
        _ => (ErrorKind::Unexpected, Retry::Never),
    }
}

fn pause(retry_after: Option<&str>) -> Retry {
    let seconds = retry_after.and_then(|text| text.trim().parse::<u64>().ok());
    seconds.map_or(Retry::Backoff, |s| Retry::After(Duration::from_secs(s.min(RETRY_AFTER_MAX_S))))
}

/// The error for a request that got no answer, or not a whole one.
///
/// Only a connection that was never made proves that nothing happened. The URL is cut from the source: presigned ones
/// are secrets.
pub(crate) fn unanswered(operation: Operation, error: reqwest::Error) -> Error {
    let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable };
    let unsent = error.is_connect() || error.is_builder();
    let effect = if unsent || !operation.changes() { Effect::No } else { Effect::Unknown };
    let message = match (error.is_connect(), error.is_timeout()) {
        (true, _) => "Vidu cannot be reached.",
        (false, true) => "Vidu did not answer in time.",
        (false, false) => "The connection to Vidu broke.",
    };
    Error::new(kind, operation.name())
        .with_message(message)
        .with_retry(Retry::Backoff)
        .with_effect(effect)
        .with_source(error.without_url())
}

/// The error for an answer that is not what the service sends (a proxy's page, a new format).
pub(crate) fn unreadable(operation: Operation, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let effect = if operation.changes() { Effect::Unknown } else { Effect::No };
    Error::new(ErrorKind::Corrupt, operation.name())
        .with_message("Vidu's answer cannot be read.")
        .with_retry(Retry::Backoff)
        .with_effect(effect)
        .with_http(200, "")
        .with_source(why)
}

/// The error for an answer beyond its limit.
pub(crate) fn too_large(operation: Operation, status: u16, limit: usize) -> Error {
    let effect = if operation.changes() { Effect::Unknown } else { Effect::No };
    Error::new(ErrorKind::TooLarge, operation.name())
        .with_message("Vidu's answer is larger than its limit.")
        .with_context("limit_bytes", limit)
        .with_effect(effect)
        .with_http(status, "")
}

/// Cuts `secrets` out of a text that the service sent.
fn scrub(text: &str, secrets: &[&str]) -> String {
    secrets.iter().filter(|secret| !secret.is_empty()).fold(text.to_owned(), |text, s| text.replace(s, "[cut]"))
}

/// The first `max` characters, on one line.
pub(crate) fn shortened(text: &str, max: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests;
