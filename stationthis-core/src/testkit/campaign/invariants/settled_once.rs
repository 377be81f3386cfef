//! Every ended task has one settlement; no other task has any.

use crate::task::event::Event;
use crate::testkit::campaign::evidence::Evidence;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, task) in &evidence.tasks {
        let settlements: Vec<_> = evidence
            .events_of(*id)
            .iter()
            .filter_map(|stored| match &stored.event.what {
                Event::Settled { settlement, .. } => Some(settlement.as_ref()),
                _ => None,
            })
            .collect();
        let expected = usize::from(task.is_terminal());
        if settlements.len() != expected {
            broken.push(format!("{id}: {} and {} settlements", task.state.status, settlements.len()));
        }
        if settlements.first().copied() != task.state.settlement.as_ref() {
            broken.push(format!("{id}: the record's settlement is not the event's"));
        }
        let cost = task.state.settlement.as_ref().and_then(|settlement| settlement.cost_usd);
        if task.state.cost_usd != cost {
            broken.push(format!("{id}: the record's cost is not its settlement's"));
        }
    }
    broken
}
