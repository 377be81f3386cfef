//! The costs of the tasks add up to the totals, of each caller and of all.

use std::collections::BTreeMap;

use crate::id::{CallerId, ToolId};
use crate::store::Total;
use crate::testkit::campaign::evidence::Evidence;

/// Tasks, nano-dollars, unknown costs.
type Sum = (u64, i64, u64);
type Sums = BTreeMap<(CallerId, ToolId), Sum>;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut parts = Sums::new();
    for task in evidence.tasks.values().filter(|task| task.is_terminal()) {
        let sum = parts.entry((task.caller.clone(), task.tool_id.clone())).or_default();
        sum.0 += 1;
        match task.state.charged_usd() {
            Some(cost) => sum.1 += cost.nanos(),
            None => sum.2 += 1,
        }
    }
    let mut broken = differences("all", &parts, &sums(&evidence.totals));
    for sight in &evidence.sights {
        let own: Sums =
            parts.iter().filter(|((caller, _), _)| *caller == sight.caller).map(|(k, v)| (k.clone(), *v)).collect();
        broken.extend(differences(sight.caller.as_str(), &own, &sums(&sight.totals)));
    }
    broken
}

fn sums(totals: &[Total]) -> Sums {
    let mut sums = Sums::new();
    for total in totals {
        let sum = sums.entry((total.caller.clone(), total.tool_id.clone())).or_default();
        *sum = (sum.0 + total.tasks, sum.1 + total.cost_usd.nanos(), sum.2 + total.unknown);
    }
    sums
}

fn differences(of: &str, parts: &Sums, totals: &Sums) -> Vec<String> {
    let keys = parts.keys().chain(totals.keys().filter(|key| !parts.contains_key(key)));
    keys.filter(|key| parts.get(key) != totals.get(key))
        .map(|key| format!("{of}, {key:?}: the tasks sum to {:?}, the total is {:?}", parts.get(key), totals.get(key)))
        .collect()
}
