//! What the service's refusals mean: one `classify` for every answer. `stationthis_http` says what a lost one means.

use serde::Deserialize;
use stationthis_core::{Effect, Error, ErrorKind, Retry};
use stationthis_http::{Call, one_line, retry_after, scrub};

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

    /// What a lost answer to it means.
    pub(crate) const fn call(self) -> Call {
        Call { service: "Vidu", operation: self.name(), changes: self.changes() }
    }

    /// Whether it changes something at the service, so that a lost answer leaves a doubt.
    const fn changes(self) -> bool {
        matches!(self, Self::Submit | Self::Cancel | Self::Upload)
    }
}

/// How much of the service's own sentence goes into ours.
const MESSAGE_CHARS_MAX: usize = 300;

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
pub(crate) fn classify(operation: Operation, status: u16, pause: Option<&str>, body: &[u8], secrets: &[&str]) -> Error {
    let body = scrub(&String::from_utf8_lossy(body), secrets);
    let refusal: Refusal = serde_json::from_str(&body).unwrap_or_default();
    let (kind, retry) = kind(status, &refusal.reason, pause);
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
        .with_message(one_line(&format!("Vidu answered {status}{says}"), MESSAGE_CHARS_MAX))
        .with_retry(retry)
        .with_effect(effect)
        .with_http(status, &body)
}

/// The service's error table; a word that it does not have is judged by its status.
fn kind(status: u16, reason: &str, pause: Option<&str>) -> (ErrorKind, Retry) {
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
        (429, "QuotaExceeded") => (ErrorKind::AtCapacity, retry_after(pause)),
        (429, _) => (ErrorKind::RateLimited, retry_after(pause)),
        (408 | 504, _) => (ErrorKind::Timeout, Retry::Backoff),
        (503, _) => (ErrorKind::Unavailable, retry_after(pause)),
        (499..=599, _) => (ErrorKind::Unavailable, Retry::Backoff),
        _ => (ErrorKind::Unexpected, Retry::Never),
    }
}

#[cfg(test)]
mod tests;
