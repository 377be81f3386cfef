//! What the service's refusals mean: one `classify` for every answer, and one for answers that never came.

use serde::Deserialize;
use serde_json::Value;
use stationthis_core::tool::problem::InputProblem;
use stationthis_core::{Effect, Error, ErrorKind, Retry};
use std::time::Duration;

/// What was being done, as far as it decides what an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ListDeployments,
    ListMachines,
    ReadPrices,
    Submit,
    ReadRun,
    Cancel,
    Upload,
    LookUp,
    Diagnose,
}

impl Operation {
    /// The imperative phrase for errors.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ListDeployments => "list deployments",
            Self::ListMachines => "list machines",
            Self::ReadPrices => "read prices",
            Self::Submit => "submit run",
            Self::ReadRun => "read run",
            Self::Cancel => "cancel run",
            Self::Upload => "upload file",
            Self::LookUp => "look up run",
            Self::Diagnose => "diagnose run",
        }
    }

    /// Whether it changes something at the service, so that a lost answer leaves a doubt.
    const fn changes(self) -> bool {
        matches!(self, Self::Submit | Self::Cancel | Self::Upload)
    }
}

/// The start of every refusal that came after the run was handed to a machine: it may be running.
const AFTER_DISPATCH: &str = "Error creating run";

/// How much of the service's own sentence goes into ours: a database error would fill a screen.
const DETAIL_CHARS_MAX: usize = 300;

/// The most problems taken from one 422: a value of a wrong type alone makes five.
const PROBLEMS_MAX: usize = 50;

/// The longest pause a `Retry-After` may ask for: beyond an hour it is a mistake of a proxy.
const RETRY_AFTER_MAX_S: u64 = 3600;

/// The error that an answer other than 2xx stands for.
///
/// `secrets` are cut from everything that is kept of the body: the service echoes inputs in its 422s.
pub(crate) fn classify(
    operation: Operation,
    status: u16,
    retry_after: Option<&str>,
    body: &[u8],
    secrets: &[&str],
) -> Error {
    let body = scrub(&String::from_utf8_lossy(body), secrets);
    let detail = Detail::read(&body);
    let (kind, retry) = kind(operation, status, &detail, retry_after);
    // For a submission it is certain only where the service refuses before it hands the run to a machine.
    let refused = match (operation, status) {
        (Operation::Submit, 400) => !detail.text.starts_with(AFTER_DISPATCH),
        (Operation::Submit, 401 | 403 | 404 | 422) => true,
        (Operation::Submit, _) => false,
        _ => status < 500 && status != 408,
    };
    let effect = if refused || !operation.changes() { Effect::No } else { Effect::Unknown };
    let message = if detail.text.is_empty() {
        format!("ComfyDeploy answered {status}.")
    } else {
        format!("ComfyDeploy answered {status}: {}", shortened(&detail.text, DETAIL_CHARS_MAX))
    };
    Error::new(kind, operation.name())
        .with_message(message)
        .with_retry(retry)
        .with_effect(effect)
        .with_http(status, &body)
        .with_problems(detail.problems)
}

fn kind(operation: Operation, status: u16, detail: &Detail, retry_after: Option<&str>) -> (ErrorKind, Retry) {
    match status {
        400 if detail.text.starts_with(AFTER_DISPATCH) => (ErrorKind::RunFailed, Retry::Never),
        400 if operation == Operation::Upload && detail.text.contains("size exceeds") => {
            (ErrorKind::TooLarge, Retry::Never)
        }
        400 | 422 => (ErrorKind::InvalidInput, Retry::Never),
        401 => (ErrorKind::Unauthorized, Retry::Never),
        403 => (ErrorKind::Forbidden, Retry::Never),
        404 => (ErrorKind::NotFound, Retry::Never),
        413 => (ErrorKind::TooLarge, Retry::Never),
        429 => (ErrorKind::RateLimited, pause(retry_after)),
        408 | 504 => (ErrorKind::Timeout, Retry::Backoff),
        503 => (ErrorKind::Unavailable, pause(retry_after)),
        500..=599 => (ErrorKind::Unavailable, Retry::Backoff),
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
        (true, _) => "ComfyDeploy cannot be reached.",
        (false, true) => "ComfyDeploy did not answer in time.",
        (false, false) => "The connection to ComfyDeploy broke.",
    };
    let status = error.status().map(|status| status.as_u16());
    let answer = Error::new(kind, operation.name())
        .with_message(message)
        .with_retry(Retry::Backoff)
        .with_effect(effect)
        .with_source(error.without_url());
    match status {
        Some(status) => answer.with_http(status, ""),
        None => answer,
    }
}

/// The error for an answer that is not what the service sends (a proxy's page, a new format).
pub(crate) fn unreadable(operation: Operation, status: u16, error: serde_json::Error) -> Error {
    let effect = if operation.changes() { Effect::Unknown } else { Effect::No };
    Error::new(ErrorKind::Corrupt, operation.name())
        .with_message("ComfyDeploy's answer cannot be read.")
        .with_retry(Retry::Backoff)
        .with_effect(effect)
        .with_http(status, "")
        .with_source(error)
}

/// The error for an answer beyond its limit.
pub(crate) fn too_large(operation: Operation, status: u16, limit: usize) -> Error {
    let effect = if operation.changes() { Effect::Unknown } else { Effect::No };
    Error::new(ErrorKind::TooLarge, operation.name())
        .with_message("ComfyDeploy's answer is larger than its limit.")
        .with_context("limit_bytes", limit)
        .with_effect(effect)
        .with_http(status, "")
}

/// What the four shapes of an error body say.
#[derive(Debug, Default)]
struct Detail {
    text: String,
    problems: Vec<InputProblem>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    loc: Vec<Value>,
    #[serde(default)]
    msg: String,
}

impl Detail {
    fn read(body: &str) -> Self {
        let Ok(value) = serde_json::from_str::<Value>(body) else {
            // Plain text is the service's, a page is a proxy's.
            let text = if body.trim_start().starts_with('<') { "" } else { body.trim() };
            return Self { text: text.to_owned(), problems: Vec::new() };
        };
        match value.get("detail").or_else(|| value.get("error")) {
            Some(Value::String(text)) => Self { text: text.clone(), problems: Vec::new() },
            Some(Value::Array(list)) => Self::of_list(list),
            _ => Self::default(),
        }
    }

    fn of_list(list: &[Value]) -> Self {
        let read = list.iter().filter_map(|p| serde_json::from_value::<Problem>(p.clone()).ok());
        let problems: Vec<Problem> = read.take(PROBLEMS_MAX).collect();
        let words = |loc: &[Value]| loc.iter().map(word).collect::<Vec<_>>().join(".");
        let text = problems.first().map(|p| format!("{}: {}", words(&p.loc), p.msg)).unwrap_or_default();
        let of_inputs = problems.iter().filter_map(|p| {
            let [_, inputs, name, ..] = p.loc.as_slice() else { return None };
            let pointer = format!("/{}", word(name).replace('~', "~0").replace('/', "~1"));
            (inputs == "inputs").then(|| InputProblem::new(pointer, "service", p.msg.clone()))
        });
        Self { problems: of_inputs.collect(), text }
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Cuts `secrets` and every callback URL out of a text that the service sent.
pub(crate) fn scrub(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|s| !s.is_empty()) {
        text = text.replace(secret, "[cut]");
    }
    if !text.contains(stationthis_core::webhook::WEBHOOK_PATH) {
        return text;
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '\\');
    let cut = |word: &str| {
        if word.contains(stationthis_core::webhook::WEBHOOK_PATH) { "[callback]".to_owned() } else { word.to_owned() }
    };
    text.split_inclusive(ends)
        .map(|piece| match piece.char_indices().next_back() {
            Some((at, last)) if ends(last) => format!("{}{last}", cut(piece.get(..at).unwrap_or_default())),
            _ => cut(piece),
        })
        .collect()
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
