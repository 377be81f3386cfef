//! From the service's tasks to reports.

use crate::error::Operation;
use crate::route::Route;
use crate::wire::{Creation, Task};
use stationthis_core::cost::{Unit, Usage, UsageBasis};
use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::{FailureRecord, Result, RunId, Timestamp};
use stationthis_http::one_line;
use std::time::Duration;

/// How long an output's URL is counted on: the current page says 24 hours, an older copy of the same page one. A later
/// query gives a new link.
const OUTPUT_LIFE: Duration = Duration::from_secs(3600);

/// The longest word of the service that is kept, in characters.
const WORD_CHARS_MAX: usize = 64;

/// The most files taken from one task: it makes one, a few at most.
const CREATIONS_MAX: usize = 64;

/// What the answer to a submission says of the new task; `outputs` too, where the route answers with them.
///
/// # Errors
/// `Corrupt`, effect unknown, when the answer names no task, and no file either where that is the result.
pub(crate) fn created(route: Route, task: &Task, spare_id: RunId, now: Timestamp) -> Result<RunReport> {
    const OPERATION: Operation = Operation::Submit;
    let id = match task.id() {
        Some(id) => RunId::new(id).map_err(|e| OPERATION.call().unreadable(200, e))?,
        // What is there already needs no name to be asked for by; the reply of this route is not documented in full.
        None if route.is_immediate() => spare_id,
        None => return Err(OPERATION.call().unreadable(200, "it names no task")),
    };
    let mut report = of_state(id, task);
    report.usage = usage(task);
    if route.is_immediate() {
        report.outputs = outputs(route, task, now);
        match report.status {
            RunStatus::Failed | RunStatus::Cancelled => {}
            _ if report.outputs.is_empty() => return Err(OPERATION.call().unreadable(200, "it names no file")),
            // A file is the end, whatever the word for it, or none.
            _ => report.status = RunStatus::Succeeded,
        }
    }
    Ok(report)
}

/// What the answer to a query says.
pub(crate) fn queried(route: Route, run: &RunId, task: &Task, now: Timestamp) -> RunReport {
    let mut report = of_state(run.clone(), task);
    report.outputs = outputs(route, task, now);
    if report.status.is_terminal() {
        // Before the end it is what the answer to the submission said, or nothing yet.
        report.usage = usage(task);
    }
    report
}

/// What a callback says: how the task stands, and no more. Its body is not signed, so neither files nor credits are
/// taken from it.
pub(crate) fn called_back(run: RunId, task: &Task) -> RunReport {
    of_state(run, task)
}

/// The report of a state query's answer, for programs that look for what cannot be read.
///
/// # Errors
/// `Corrupt` when it is no task.
#[doc(hidden)]
pub fn read_state(route: Route, body: &[u8], now: Timestamp) -> Result<RunReport> {
    let task: Task = serde_json::from_slice(body).map_err(|e| Operation::ReadTask.call().unreadable(200, e))?;
    let run = RunId::new(task.id().unwrap_or("1")).map_err(|e| Operation::ReadTask.call().unreadable(200, e))?;
    Ok(queried(route, &run, &task, now))
}

fn of_state(run: RunId, task: &Task) -> RunReport {
    let word = task.word().unwrap_or_default();
    let status = status(word, task.error());
    let mut report = RunReport::new(run, status, word.chars().take(WORD_CHARS_MAX).collect::<String>());
    if status == RunStatus::Failed {
        report.failure = Some(failure(task.error()));
    }
    report
}

/// The service's words. There is none for cancelled: such a task is shown as failed, by what the error table suggests
/// with this code, in one of two spellings.
fn status(word: &str, error: Option<&str>) -> RunStatus {
    match (word, error) {
        // Pages spell it both ways.
        ("created" | "queueing" | "queuing", _) => RunStatus::Queued,
        ("processing", _) => RunStatus::Running,
        ("success", _) => RunStatus::Succeeded,
        ("failed", Some("UserCancelled" | "Canceled")) => RunStatus::Cancelled,
        ("failed", _) => RunStatus::Failed,
        _ => RunStatus::Unknown,
    }
}

fn failure(error: Option<&str>) -> FailureRecord {
    let Some(error) = error else {
        return FailureRecord::new("runFailed", "The run failed; Vidu gave no reason.");
    };
    let sentence = match error {
        "TaskPromptPolicyViolation" | "AuditSubmitIllegal" => "Vidu refused the prompt by its content policy.",
        "CreationPolicyViolation" => "Vidu refused what it made by its content policy.",
        "ImageDownloadFailure" => "Vidu could not fetch a picture.",
        "ImageFormatInvalid" => "A picture has a format that Vidu does not read.",
        "ImageCheckBodyJointsFailed" | "ImageCheckFaceFailed" | "ImageObjectsUndetected" => {
            "Vidu did not find on a picture what the model needs."
        }
        "CreditInsufficient" => "The Vidu account has too few credits.",
        "SystemThrottling" | "QuotaExceeded" | "TooManyRequests" => "Vidu had no room for the run.",
        _ => "The run failed at Vidu.",
    };
    FailureRecord::new("runFailed", sentence).with_detail(one_line(error, WORD_CHARS_MAX))
}

/// The credits that the service counted; fewer than none make no sense.
fn usage(task: &Task) -> Option<Usage> {
    let credits = task.credits.filter(|credits| !credits.is_sign_negative())?;
    Some(Usage::of(Unit::Credit, credits, UsageBasis::Reported))
}

fn outputs(route: Route, task: &Task, now: Timestamp) -> Vec<Output> {
    let mut outputs: Vec<Output> =
        task.creations.iter().take(CREATIONS_MAX).filter_map(|creation| of_creation(route, creation)).collect();
    if outputs.is_empty() {
        outputs.extend(task.sound.url().map(|url| file(route, url)));
    }
    for (order, output) in (0..).zip(&mut outputs) {
        output.order = order;
        output.expires_at = Some(now.plus(OUTPUT_LIFE));
    }
    outputs
}

/// The file itself: not its cover, and of its two forms the one without a watermark of the service's. A watermark that
/// was asked for is in both, as far as is known.
fn of_creation(route: Route, creation: &Creation) -> Option<Output> {
    let given = |url: &'_ Option<String>| url.clone().filter(|url| !url.is_empty());
    let url = given(&creation.url)
        .or_else(|| creation.sound.url().map(str::to_owned))
        .or_else(|| given(&creation.watermarked_url))?;
    let mut output = file(route, &url);
    // What `upscale` asks for.
    output.output_id = creation.id.clone().filter(|id| !id.is_empty());
    Some(output)
}

fn file(route: Route, url: &str) -> Output {
    let name = url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let mime = name.rsplit_once('.').and_then(|(_, ending)| mime_of(&ending.to_ascii_lowercase()));
    let kind = mime.map_or_else(|| route.output(), OutputKind::from_mime);
    let mut output = Output::file(kind, url);
    output.mime = mime.map(str::to_owned);
    output.filename = mime.map(|_| name.to_owned());
    output
}

fn mime_of(ending: &str) -> Option<&'static str> {
    Some(match ending {
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "m4a" => "audio/mp4",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
