//! What the service's refusals mean: one `classify` for every answer. `stationthis_http` says what a lost one means.

use serde::Deserialize;
use serde_json::Value;
use stationthis_core::tool::problem::InputProblem;
use stationthis_core::{Effect, Error, ErrorKind, Retry};
use stationthis_http::{Call, one_line, retry_after, scrub};

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

    /// What a lost answer to it means.
    pub(crate) const fn call(self) -> Call {
        Call { service: "ComfyDeploy", operation: self.name(), changes: self.changes() }
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

/// The error that an answer other than 2xx stands for.
///
/// `secrets` are cut from everything that is kept of the body: the service echoes inputs in its 422s.
pub(crate) fn classify(operation: Operation, status: u16, pause: Option<&str>, body: &[u8], secrets: &[&str]) -> Error {
    let body = scrub(&String::from_utf8_lossy(body), secrets);
    let detail = Detail::read(&body);
    let (kind, retry) = kind(operation, status, &detail, pause);
    // For a submission it is certain only where the service refuses before it hands the run to a machine: a classic
    // machine's own status, whichever it is, comes with the sentence of after, and a 400 whose sentence cannot be read may.
    let dispatched = detail.text.starts_with(AFTER_DISPATCH);
    let refused = match (operation, status) {
        (Operation::Submit, 400) => !dispatched && !detail.text.is_empty(),
        (Operation::Submit, 401 | 403 | 404 | 422) => !dispatched,
        (Operation::Submit, _) => false,
        _ => status < 500 && status != 408,
    };
    let effect = if refused || !operation.changes() { Effect::No } else { Effect::Unknown };
    let message = if detail.text.is_empty() {
        format!("ComfyDeploy answered {status}.")
    } else {
        format!("ComfyDeploy answered {status}: {}", one_line(&detail.text, DETAIL_CHARS_MAX))
    };
    Error::new(kind, operation.name())
        .with_message(message)
        .with_retry(retry)
        .with_effect(effect)
        .with_http(status, &body)
        .with_problems(detail.problems)
}

fn kind(operation: Operation, status: u16, detail: &Detail, pause: Option<&str>) -> (ErrorKind, Retry) {
    match status {
        400..=499 if detail.text.starts_with(AFTER_DISPATCH) => (ErrorKind::RunFailed, Retry::Never),
        400 if operation == Operation::Upload && detail.text.contains("size exceeds") => {
            (ErrorKind::TooLarge, Retry::Never)
        }
        400 | 422 => (ErrorKind::InvalidInput, Retry::Never),
        401 => (ErrorKind::Unauthorized, Retry::Never),
        403 => (ErrorKind::Forbidden, Retry::Never),
        404 => (ErrorKind::NotFound, Retry::Never),
        413 => (ErrorKind::TooLarge, Retry::Never),
        429 => (ErrorKind::RateLimited, retry_after(pause)),
        408 | 504 => (ErrorKind::Timeout, Retry::Backoff),
        503 => (ErrorKind::Unavailable, retry_after(pause)),
        500..=599 => (ErrorKind::Unavailable, Retry::Backoff),
        _ => (ErrorKind::Unexpected, Retry::Never),
    }
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
            // Plain text is the service's; a page is a proxy's, and JSON that cannot be read was cut.
            let text = if body.trim_start().starts_with(['<', '{', '[']) { "" } else { body.trim() };
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

#[cfg(test)]
mod tests;
