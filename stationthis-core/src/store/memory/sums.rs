//! What ended tasks cost, with those that are gone.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{CallerId, ToolId};
use crate::money::Usd;
use crate::store::totals::{ended_at, month_of};
use crate::store::{Total, TotalsQuery};
use crate::task::TaskRecord;

/// In the order in which totals are given.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums(BTreeMap<(String, CallerId, ToolId), Sum>);

#[derive(Clone, Debug, Default)]
struct Sum {
    tasks: u64,
    cost_usd: Usd,
    unknown: u64,
}

impl Sums {
    /// Adds a task; one that has not ended costs nothing yet.
    pub(super) fn add(&mut self, task: &TaskRecord) -> Result<()> {
        let Some(at) = ended_at(task) else { return Ok(()) };
        let sum = self.0.entry((month_of(at), task.caller.clone(), task.tool_id.clone())).or_default();
        sum.tasks = sum.tasks.saturating_add(1);
        match task.state.charged_usd() {
            Some(cost) => {
                let out_of_range = || Error::new(ErrorKind::Unexpected, "add up costs");
                sum.cost_usd = sum.cost_usd.checked_add(cost).ok_or_else(out_of_range)?;
            }
            None => sum.unknown = sum.unknown.saturating_add(1),
        }
        Ok(())
    }

    pub(super) fn read(self, query: &TotalsQuery) -> Vec<Total> {
        let all = self.0.into_iter().map(|((month, caller, tool_id), sum)| {
            let Sum { tasks, cost_usd, unknown } = sum;
            Total { month, caller, tool_id, tasks, cost_usd, unknown }
        });
        all.filter(|total| query.caller.as_ref().is_none_or(|caller| total.caller == *caller))
            .filter(|total| query.month.as_ref().is_none_or(|month| total.month == *month))
            .collect()
    }
}
