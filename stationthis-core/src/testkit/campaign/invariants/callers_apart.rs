//! No caller sees anything of another's.

use std::collections::BTreeSet;

use crate::testkit::campaign::evidence::Evidence;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for sight in &evidence.sights {
        let caller = &sight.caller;
        let own: BTreeSet<_> =
            evidence.tasks.values().filter(|task| task.caller == *caller).map(|task| task.task_id).collect();
        if sight.tasks != own {
            broken.push(format!("{caller} sees {} tasks and has {}", sight.tasks.len(), own.len()));
        }
        for (what, seen) in [("events", &sight.events), ("notices", &sight.notices)] {
            broken.extend(seen.difference(&own).map(|task| format!("{caller} sees {what} of {task}")));
        }
        broken.extend(sight.shown.iter().map(|task| format!("{caller} was shown {task}")));
        if sight.totals.iter().any(|total| total.caller != *caller) {
            broken.push(format!("{caller} sees totals of others"));
        }
    }
    broken
}
