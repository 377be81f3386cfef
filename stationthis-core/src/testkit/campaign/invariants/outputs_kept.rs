//! No output that was reported in time is missing.

use crate::task::TaskRecord;
use crate::task::event::Event;
use crate::task::output::Output;
use crate::task::state::TaskStatus;
use crate::testkit::campaign::evidence::Evidence;
use crate::testkit::campaign::provider::Class;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    let books = evidence.books();
    for task in evidence.tasks.values().filter(|task| task.state.status == TaskStatus::Completed) {
        let made = books.runs_of(task.task_id).flat_map(|(_, run)| &run.outputs);
        broken.extend(missing(task, made).map(|url| format!("{}: it completed without {url}", task.task_id)));
    }
    // What was said in a webhook that was taken, or in a poll, is on the record or, when it was late, in the story.
    for (plan, taken_at) in &books.taken {
        let Some(run) = books.runs.get(plan.run).filter(|_| plan.kind.tells_the_truth()) else { continue };
        let Some(task) = evidence.tasks.get(&run.task) else { continue };
        // A webhook that names no task is nobody's until the run is known; who never learns it asks a person.
        if run.provider.as_str() == Class::Chosen.name() && task.state.run_id.is_none() && task.state.needs_review() {
            continue;
        }
        let said = run.report_at(plan.as_of).outputs;
        let in_time = task.state.times.ended_at.is_none_or(|ended| *taken_at < ended);
        for url in missing(task, &said) {
            let told = evidence.events_of(task.task_id).iter().any(|stored| says(&stored.event.what, &url));
            if in_time || !told {
                broken.push(format!("{}: a webhook that was taken at {taken_at} named {url}", task.task_id));
            }
        }
    }
    for task in evidence.tasks.values() {
        for stored in evidence.events_of(task.task_id) {
            let in_time = task.state.times.ended_at.is_none_or(|ended| stored.event.at <= ended);
            let Event::Reported { report, .. } = &stored.event.what else { continue };
            if in_time && task.state.run_id.as_ref() == Some(&report.run_id) {
                broken.extend(
                    missing(task, &report.outputs)
                        .map(|url| format!("{}: event {} names {url}", task.task_id, stored.seq)),
                );
            }
        }
    }
    broken
}

fn missing<'a>(task: &'a TaskRecord, said: impl IntoIterator<Item = &'a Output>) -> impl Iterator<Item = String> {
    let absent = said.into_iter().filter(|said| !task.state.outputs.iter().any(|known| known.same_as(said)));
    absent.filter_map(|output| output.url.clone()).collect::<Vec<_>>().into_iter()
}

fn says(event: &Event, url: &str) -> bool {
    match event {
        Event::Reported { report, .. } => report.outputs.iter().any(|output| output.url.as_deref() == Some(url)),
        _ => false,
    }
}
