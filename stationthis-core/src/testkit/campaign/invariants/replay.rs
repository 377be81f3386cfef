//! The events of a task give its state again.

use crate::task::replay::{canonical, replay};
use crate::testkit::campaign::evidence::Evidence;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, task) in &evidence.tasks {
        match replay(evidence.events_of(*id).iter().map(|stored| &stored.event)) {
            Ok(state) if state == canonical(&task.state) => {}
            Ok(state) => {
                broken.push(format!("{id}: it is {}, and its events make it {}", task.state.status, state.status))
            }
            Err(error) => broken.push(format!("{id}: {error}")),
        }
    }
    broken
}
