//! A task reaches one end, and what was decided there stays.

use crate::task::event::Event;
use crate::task::machine;
use crate::task::state::TaskState;
use crate::testkit::campaign::evidence::Evidence;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for id in evidence.tasks.keys() {
        let mut state: Option<TaskState> = None;
        for stored in evidence.events_of(*id) {
            let Some(before) = state.take() else {
                if let Event::Accepted { terms, .. } = &stored.event.what {
                    state = Some(TaskState::accepted(stored.event.at, terms));
                }
                continue;
            };
            let after = machine::step(&before, &stored.event).state;
            let same = before.status == after.status
                && before.times.ended_at == after.times.ended_at
                && before.outputs == after.outputs
                && (before.settlement.is_none() || before.settlement == after.settlement);
            if before.status.is_terminal() && !same {
                let (from, to) = (before.status, after.status);
                broken.push(format!("{id}: it was {from} and became {to} by event {}", stored.seq));
            }
            state = Some(after);
        }
    }
    broken
}
