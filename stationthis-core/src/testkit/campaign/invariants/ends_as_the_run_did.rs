//! The end of a task is its run's own, or one of the station's deadlines; never a webhook's or a guess.

use crate::task::TaskRecord;
use crate::task::report::RunStatus;
use crate::task::state::TaskStatus;
use crate::testkit::campaign::books::{Books, Run};
use crate::testkit::campaign::evidence::Evidence;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let books = evidence.books();
    evidence
        .tasks
        .values()
        .filter_map(|task| wrong(task, &books).map(|what| format!("{}: {what}", task.task_id)))
        .collect()
}

fn wrong(task: &TaskRecord, books: &Books) -> Option<String> {
    let state = &task.state;
    let ended_at = state.times.ended_at?;
    let run = books.runs_of(task.task_id).next().map(|(_, run)| run);
    if let Some(followed) = state.run_id.as_ref().filter(|id| run.is_none_or(|run| run.id != **id)) {
        // A webhook named it before anybody else could: nothing is known by it, and a person is told.
        let told = state.status == TaskStatus::TimedOut && state.needs_review() && state.cost_usd.is_none();
        return (!told).then(|| format!("it followed {followed}, which is not its run"));
    }
    let truth = run.filter(|run| run.ended_by(ended_at)).map(|run| run.end);
    let code = state.status_reason.as_ref().map_or("", |reason| reason.code.as_str());
    let right = match (state.status, code) {
        (TaskStatus::Completed, _) => truth == Some(RunStatus::Succeeded),
        (TaskStatus::Failed, "noOutput") => truth == Some(RunStatus::Succeeded) && run.is_some_and(shows_nothing),
        // A person is told: the run ended well.
        (TaskStatus::Failed, "notKept") => truth == Some(RunStatus::Succeeded) && state.needs_review(),
        // Nothing was made: said only of what provably was not.
        (TaskStatus::Failed, "notSubmitted" | "refused") => run.is_none(),
        (TaskStatus::Failed, _) => truth == Some(RunStatus::Failed),
        (TaskStatus::Cancelled, _) => run.is_none() || truth == Some(RunStatus::Cancelled),
        (TaskStatus::TimedOut, "providerTimeout") => truth == Some(RunStatus::TimedOut),
        // A person is told, since nobody knows.
        (TaskStatus::TimedOut, "inDoubt" | "unverified") => state.needs_review(),
        (TaskStatus::TimedOut, _) => ended_at >= state.deadline_at,
        (_, _) => true,
    };
    (!right).then(|| format!("it is {} ({code}), and its run is {truth:?} by then", state.status))
}

fn shows_nothing(run: &Run) -> bool {
    run.outputs.is_empty()
}
