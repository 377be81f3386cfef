//! What the service's refusals mean: one `classify` for every answer. `stationthis_http` says what a lost one means.

use serde::Deserialize;
use stationthis_core::{Effect, Error, ErrorKind, Retry};
use stationthis_http::{Call, one_line, retry_after};

use crate::wire::lenient;

/// What was being done, as far as it decides what an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ReadBalance,
    Submit,
    ReadTask,
    Upload,
}

impl Operation {
    /// The imperative phrase for errors.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ReadBalance => "read balance",
            Self::Submit => "submit run",
            Self::ReadTask => "read run",
            Self::Upload => "upload file",
        }
    }

    /// What a lost answer to it means.
    pub(crate) const fn call(self) -> Call {
        Call { service: "Tripo", operation: self.name(), changes: self.changes() }
    }

    /// Whether it changes something at the service, so that a lost answer leaves a doubt.
    const fn changes(self) -> bool {
        matches!(self, Self::Submit | Self::Upload)
    }
}

/// How much of the service's own sentence goes into ours.
const MESSAGE_CHARS_MAX: usize = 300;

/// An answer that is a refusal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    /// May be 200: then the body's code is not 0.
    pub(crate) status: u16,
    pub(crate) retry_after: Option<&'a str>,
    /// Without our key.
    pub(crate) body: &'a str,
}

/// The body of a refusal.
#[derive(Debug, Default, Deserialize)]
struct Refusal {
    #[serde(default, deserialize_with = "lenient::whole")]
    code: Option<i64>,
    #[serde(default, deserialize_with = "lenient::text")]
    message: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    suggestion: Option<String>,
}

/// The error that a refusal stands for.
///
/// The HTTP status decides, and the code within it: code 1000 is a bad key with 401 and a fault of the service with 500.
/// A refusal with status 200 is judged by the status that its code usually comes with.
pub(crate) fn classify(operation: Operation, answer: &Answer<'_>) -> Error {
    let refusal: Refusal = serde_json::from_str(answer.body).unwrap_or_default();
    let status = match answer.status {
        200..=299 => refusal.code.and_then(usual_status).unwrap_or(answer.status),
        status => status,
    };
    let (kind, retry) = kind(operation, status, refusal.code, answer.retry_after);
    // 503 is what Tripo's own SDK sends a creation again after; 500, 502 and 504 it calls indeterminate. A code that
    // nobody knows, with a status of 200, proves nothing.
    let refused = matches!(status, 300..=499 | 503) && status != 408;
    let effect = if refused || !operation.changes() { Effect::No } else { Effect::Unknown };
    Error::new(kind, operation.name())
        .with_message(sentence(answer.status, &refusal))
        .with_retry(retry)
        .with_effect(effect)
        .with_http(answer.status, answer.body)
}

/// The status that a code comes with, by the table of errors; none for those that come with several.
const fn usual_status(code: i64) -> Option<u16> {
    match code {
        1003 | 1004 | 2002..=2009 | 2011..=2012 | 2014..=2018 | 2021..=2022 => Some(400),
        1005 | 2010 | 2013 => Some(403),
        1007 | 2000 => Some(429),
        2001 | 2019 | 4001 => Some(404),
        _ => None,
    }
}

fn kind(operation: Operation, status: u16, code: Option<i64>, pause: Option<&str>) -> (ErrorKind, Retry) {
    match (status, code) {
        (429, Some(2000)) => (ErrorKind::AtCapacity, retry_after(pause)),
        // Uploads are counted by the minute (ten, by one page), so a burst meets this for longer than a few attempts
        // last: its tasks wait as those do that find no room.
        (429, _) if operation == Operation::Upload => (ErrorKind::AtCapacity, retry_after(pause)),
        (429, _) => (ErrorKind::RateLimited, retry_after(pause)),
        (413, _) | (400, Some(2021 | 2022)) => (ErrorKind::TooLarge, Retry::Never),
        (400 | 422, _) => (ErrorKind::InvalidInput, Retry::Never),
        (401, _) => (ErrorKind::Unauthorized, Retry::Never),
        (403, _) => (ErrorKind::Forbidden, Retry::Never),
        // A submission names no run of ours: what is not found is what an input names.
        (404, Some(2001)) if operation == Operation::Submit => (ErrorKind::InvalidInput, Retry::Never),
        (404, _) => (ErrorKind::NotFound, Retry::Never),
        (408 | 504, _) => (ErrorKind::Timeout, Retry::Backoff),
        (503, _) => (ErrorKind::Unavailable, retry_after(pause)),
        (500..=599, _) => (ErrorKind::Unavailable, Retry::Backoff),
        _ => (ErrorKind::Unexpected, Retry::Never),
    }
}

fn sentence(status: u16, refusal: &Refusal) -> String {
    let code = refusal.code.map(|code| format!(" (code {code})")).unwrap_or_default();
    let said = [refusal.message.as_deref(), refusal.suggestion.as_deref()];
    let said: Vec<&str> = said.into_iter().flatten().filter(|text| !text.trim().is_empty()).collect();
    if said.is_empty() {
        format!("Tripo answered {status}{code}.")
    } else {
        format!("Tripo answered {status}{code}: {}", one_line(&said.join("; "), MESSAGE_CHARS_MAX))
    }
}

#[cfg(test)]
mod tests;
