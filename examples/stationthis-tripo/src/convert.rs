//! From the service's tasks to reports.

use crate::outputs;
use crate::wire::Task;
use rust_decimal::Decimal;
use stationthis_core::cost::{Unit, Usage, UsageBasis};
use stationthis_core::task::report::{Progress, RunReport, RunStatus, RunTimes};
use stationthis_core::{Error, ErrorKind, FailureRecord, Result, RunId, Timestamp};
use stationthis_http::one_line;

/// The longest unknown status word that is kept, in characters.
const STATUS_CHARS_MAX: usize = 64;

/// The longest reason that is kept, in characters.
const REASON_CHARS_MAX: usize = 500;

/// The report of a task as it was seen at a time. `word` stands for the status where the task tells none.
///
/// # Errors
/// `InvalidInput` when the task's id cannot be one.
pub(crate) fn report(task: Task, word: Option<&str>, seen: Timestamp) -> Result<RunReport> {
    let word = task.status.as_deref().or(word).unwrap_or_default().to_owned();
    let status = status(&word);
    let raw: String = word.chars().take(STATUS_CHARS_MAX).collect();
    let mut report = RunReport::new(RunId::new(task.task_id.clone())?, status, raw);
    report.progress = task.progress.and_then(|percent| Progress::from_fraction(percent / 100.0));
    report.times = RunTimes { created_at: task.created_at, ended_at: task.completed_at, ..RunTimes::default() };
    report.usage = usage(status, task.credits_consumed);
    match status {
        RunStatus::Succeeded => report.outputs = outputs::convert(task.output.as_ref(), seen),
        RunStatus::Failed => report.failure = Some(failure(&task, &word)),
        RunStatus::Queued | RunStatus::Running | RunStatus::TimedOut | RunStatus::Cancelled | RunStatus::Unknown => {}
    }
    Ok(report)
}

/// The report of a task object's text, as a poll reads it; for the fuzz targets.
#[doc(hidden)]
pub fn read_task(text: &[u8], seen: Timestamp) -> Result<RunReport> {
    let task = serde_json::from_slice(text).map_err(|e| Error::new(ErrorKind::Corrupt, "read run").with_source(e))?;
    report(task, None, seen)
}

/// The words of version 3, and two of version 2 that are ends as well. `unknown` was an end in version 2 and is none for
/// Tripo's SDKs, so it is asked about again, until the task's deadline.
fn status(word: &str) -> RunStatus {
    match word {
        "queued" => RunStatus::Queued,
        "running" => RunStatus::Running,
        "success" => RunStatus::Succeeded,
        "failed" | "banned" => RunStatus::Failed,
        "cancelled" => RunStatus::Cancelled,
        "expired" => RunStatus::TimedOut,
        _ => RunStatus::Unknown,
    }
}

/// The credits, once they are final. After a run that did not end well Tripo gives all of them back, so without a count
/// that is what is taken to have happened.
fn usage(status: RunStatus, credits: Option<Decimal>) -> Option<Usage> {
    let credits = credits.filter(|credits| !credits.is_sign_negative());
    match (status, credits) {
        (RunStatus::Queued | RunStatus::Running | RunStatus::Unknown, _) | (RunStatus::Succeeded, None) => None,
        (_, Some(credits)) => Some(Usage::of(Unit::Credit, credits, UsageBasis::Reported)),
        (RunStatus::Failed | RunStatus::TimedOut | RunStatus::Cancelled, None) => {
            Some(Usage::of(Unit::Credit, Decimal::ZERO, UsageBasis::Estimated))
        }
    }
}

/// The code is shown and not read: 2018 means two things, by two pages.
fn failure(task: &Task, word: &str) -> FailureRecord {
    let fault = task.fault();
    let code = fault.code.map(|code| format!(" (code {})", one_line(&code, STATUS_CHARS_MAX))).unwrap_or_default();
    let ended = if word == "banned" { "Tripo's moderation ended the run" } else { "The run failed" };
    match fault.message {
        Some(message) => {
            let message = one_line(&message, REASON_CHARS_MAX);
            FailureRecord::new("runFailed", format!("{ended}{code}: {message}")).with_detail(message)
        }
        None => FailureRecord::new("runFailed", format!("{ended}{code}.")),
    }
}

#[cfg(test)]
mod tests;
