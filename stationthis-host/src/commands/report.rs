//! What is said about a task at its end.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stationthis_core::cost::Unit;
use stationthis_core::task::TaskRecord;
use stationthis_core::task::state::TaskStatus;

use crate::cli::exit::End;
use crate::face::failure;
use crate::face::summary::{self, rate_text};

/// Prints a task in lines, or as its bare record with `savedPaths` beside.
pub(super) fn print(task: &TaskRecord, saved: &[PathBuf], json: bool) -> anyhow::Result<()> {
    if json {
        let mut record = serde_json::to_value(task)?;
        if let Value::Object(fields) = &mut record {
            fields.insert("savedPaths".to_owned(), json!(saved));
        }
        anstream::println!("{record:#}");
        return Ok(());
    }
    for path in saved {
        line("saved", &shown(path));
    }
    line("task", &format!("{} {}", task.task_id, task.state.status));
    if let Some(duration) = duration_text(task) {
        line("took", &duration);
    }
    if let Some(rate) = &task.cost_rate {
        line("rate", &format!("{} ({})", rate_text(rate), rate.source));
    }
    line("cost", &summary::cost(task));
    Ok(())
}

/// One line with its word in front.
pub(super) fn line(word: &str, text: &str) {
    anstream::println!("{word:<9}{text}");
}

/// The error that a task which did not end well is for the command that ran it.
pub(super) fn check_end(task: &TaskRecord) -> anyhow::Result<()> {
    let Some(sentence) = failure::end(task) else { return Ok(()) };
    let undecided = task.state.status == TaskStatus::TimedOut || task.state.needs_review();
    Err(if undecided { End::Undecided(sentence) } else { End::Failed(sentence) }.into())
}

/// The billed time, where seconds are billed, and the time from acceptance to the end.
fn duration_text(task: &TaskRecord) -> Option<String> {
    let whole = task.state.times.ended_at.map(|end| end.since(task.state.times.accepted_at).as_secs_f64())?;
    let billed = task.state.usage.as_ref().and_then(|usage| usage.amounts.get(&Unit::Second));
    let billed = billed.map(|seconds| format!("{seconds} s billed, ")).unwrap_or_default();
    Some(format!("{billed}{whole:.2} s from request to result"))
}

fn shown(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
