//! What went wrong, in words.

use stationthis_core::Error;
use stationthis_core::task::TaskRecord;
use stationthis_core::task::state::TaskStatus;
use stationthis_core::tool::problem::InputProblem;

/// How a task ended, in one sentence with its id; `None` where it ended well or has not ended.
#[must_use]
pub fn end(task: &TaskRecord) -> Option<String> {
    let how = match task.state.status {
        TaskStatus::Failed => "failed",
        TaskStatus::Cancelled => "was cancelled",
        TaskStatus::TimedOut => "had no end in time",
        TaskStatus::Completed
        | TaskStatus::Accepted
        | TaskStatus::Submitting
        | TaskStatus::Queued
        | TaskStatus::Running
        | TaskStatus::Finalizing
        | TaskStatus::InDoubt => return None,
    };
    // A cancellation needs no reason: somebody wanted it.
    let reason = match (&task.state.status_reason, task.state.status) {
        (Some(failure), _) => format!(": {}", one_line(&failure.message).trim_end_matches('.')),
        (None, TaskStatus::Cancelled) => String::new(),
        (None, _) => ": no reason is known".to_owned(),
    };
    Some(format!("{} {how}{reason} (task {}).", task.tool_name, task.task_id))
}

/// What an error says to people: its sentence, or where inputs are wrong a sentence for each problem.
///
/// No source and no context of it, which are for logs.
#[must_use]
pub fn lines(error: &Error) -> Vec<String> {
    let problems = error.problems();
    if problems.is_empty() {
        return vec![error.message().map_or_else(|| error.to_string(), one_line)];
    }
    let line = |problem: &InputProblem| {
        let sentence = one_line(&problem.message);
        match &problem.suggestion {
            // The sentence about an unknown input names what was probably meant itself.
            Some(meant) if problem.rule != "unknownInput" => format!("{sentence} Did you mean {meant}?"),
            _ => sentence,
        }
    };
    problems.iter().map(line).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use stationthis_core::error::FailureRecord;
    use stationthis_core::task::state::TaskState;
    use stationthis_core::task::terms::Terms;
    use stationthis_core::tool::{ExactlyOnce, ToolDefinition};
    use stationthis_core::{CallerId, ErrorKind, ProviderId, TaskId, Timestamp, ToolId};

    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn task(status: TaskStatus, reason: Option<&str>) -> TaskRecord {
        let provider = ProviderId::new("p").unwrap();
        let tool = ToolDefinition::new(ToolId::for_key(&provider, "t").unwrap(), provider, "service", "Portrait");
        let terms = Terms::new(Timestamp::from_micros(1), ExactlyOnce::None);
        let state = TaskState::accepted(Timestamp::from_micros(0), &terms);
        let mut task = TaskRecord::new(ID.parse::<TaskId>().unwrap(), CallerId::new("c").unwrap(), &tool, state);
        task.state.status = status;
        task.state.status_reason = reason.map(|reason| FailureRecord::new("runFailed", reason));
        task
    }

    #[test]
    fn an_end_is_one_sentence_with_the_task() {
        let failed = end(&task(TaskStatus::Failed, Some("The run failed:\n out of memory.")));
        assert_eq!(failed.unwrap(), format!("Portrait failed: The run failed: out of memory (task {ID})."));
        let cancelled = end(&task(TaskStatus::Cancelled, None));
        assert_eq!(cancelled.unwrap(), format!("Portrait was cancelled (task {ID})."));
        let late = end(&task(TaskStatus::TimedOut, None));
        assert_eq!(late.unwrap(), format!("Portrait had no end in time: no reason is known (task {ID})."));
        for status in TaskStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
            assert_eq!(end(&task(status, None)), None, "{status}");
        }
        assert_eq!(end(&task(TaskStatus::Completed, None)), None);
    }

    #[test]
    fn an_error_is_its_sentence_or_its_problems() {
        let error = Error::new(ErrorKind::NotFound, "find tool").with_message("There is no tool.\nNone.");
        assert_eq!(lines(&error), ["There is no tool. None."]);
        let refused = Error::new(ErrorKind::InvalidInput, "validate inputs").with_message("all").with_problems(vec![
            InputProblem::new("/promt", "unknownInput", "there is no input promt. Did you mean prompt?")
                .with_suggestion("prompt"),
            InputProblem::new("/sampler", "enum", "sampler must be one of euler.").with_suggestion("euler"),
        ]);
        let said =
            ["there is no input promt. Did you mean prompt?", "sampler must be one of euler. Did you mean euler?"];
        assert_eq!(lines(&refused), said);
    }
}
