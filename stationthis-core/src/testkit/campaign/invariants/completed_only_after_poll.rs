//! No task completed on a webhook's word.

use crate::task::event::{Event, Witness};
use crate::task::report::RunStatus;
use crate::task::state::TaskStatus;
use crate::testkit::campaign::evidence::Evidence;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    let books = evidence.books();
    for (id, task) in &evidence.tasks {
        if task.state.status != TaskStatus::Completed {
            continue;
        }
        let confirmed_at = task.state.ending.as_ref().and_then(|ending| ending.confirmed_at);
        let polled = evidence.events_of(*id).iter().any(|stored| match &stored.event.what {
            Event::Reported { witness: Witness::Poll, report } => {
                report.status == RunStatus::Succeeded && Some(stored.event.at) == confirmed_at
            }
            _ => false,
        });
        let answered = task
            .state
            .run_id
            .as_ref()
            .and_then(|run| books.nth(&task.provider_id, run))
            .is_some_and(|run| books.end_polled.contains_key(&run));
        if !polled || !answered {
            broken.push(format!("{id}: it completed, and no poll said so"));
        }
    }
    broken
}
