//! Every task ended by its deadline; by a second one, counted from the report, where an end was reported, and by a third one,
//! counted from its confirmation, where custody was agreed.

use std::time::Duration;

use crate::testkit::campaign::evidence::Evidence;
use crate::testkit::campaign::world::{DOWN_MAX, policy};
use crate::time::Timestamp;

/// What a deadline cannot know: that nobody is there to keep it (a process is down, and once more while it starts
/// again), and that a call is under way, under its lease.
fn allowance() -> Duration {
    let call = policy().submit_timeout + Duration::from_secs(60);
    DOWN_MAX * 2 + call
}

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, task) in &evidence.tasks {
        let (state, times) = (&task.state, &task.state.times);
        let Some(ended_at) = times.ended_at.filter(|_| state.status.is_terminal()) else {
            broken.push(format!("{id}: it is {} for ever", state.status));
            continue;
        };
        let reported = times.finalizing_at.map(|at| at.plus(policy().finalizing_deadline));
        let confirmed = state.over_at().filter(|_| state.custody).map(|at| at.plus(policy().custody_deadline));
        let latest = reported.into_iter().chain(confirmed).fold(state.deadline_at, Timestamp::max).plus(allowance());
        if ended_at > latest {
            broken.push(format!("{id}: it ended {} s too late", ended_at.since(latest).as_secs()));
        }
        if task.due_at.is_some() || task.submit_at.is_some() {
            broken.push(format!("{id}: it has ended and is due again"));
        }
    }
    broken
}
