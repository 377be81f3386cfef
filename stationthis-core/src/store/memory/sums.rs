//! What ended tasks cost, with those that are gone.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{CallerId, ToolId};
use crate::money::Usd;
use crate::store::totals::{day_of, ended_at, month_and_day};
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

impl Sum {
    fn add(&mut self, other: &Self) -> Result<()> {
        let out_of_range = || Error::new(ErrorKind::Unexpected, "add up costs");
        self.tasks = self.tasks.saturating_add(other.tasks);
        self.cost_usd = self.cost_usd.checked_add(other.cost_usd).ok_or_else(out_of_range)?;
        self.unknown = self.unknown.saturating_add(other.unknown);
        Ok(())
    }
}

impl Sums {
    /// Adds a task; one that has not ended costs nothing yet.
    pub(super) fn add(&mut self, task: &TaskRecord) -> Result<()> {
        let Some(at) = ended_at(task) else { return Ok(()) };
        let sum = self.0.entry((day_of(at), task.caller.clone(), task.tool_id.clone())).or_default();
        let cost = task.state.charged_usd();
        sum.add(&Sum { tasks: 1, cost_usd: cost.unwrap_or_default(), unknown: u64::from(cost.is_none()) })
    }

    pub(super) fn read(self, query: &TotalsQuery) -> Result<Vec<Total>> {
        let mut asked: BTreeMap<(String, Option<String>, CallerId, ToolId), Sum> = BTreeMap::new();
        for ((day, caller, tool_id), sum) in self.0 {
            let (month, day) = month_and_day(day);
            if query.caller.as_ref().is_some_and(|wanted| caller != *wanted)
                || query.month.as_ref().is_some_and(|wanted| month != *wanted)
            {
                continue;
            }
            asked.entry((month, day.filter(|_| query.by_day), caller, tool_id)).or_default().add(&sum)?;
        }
        let totals = asked.into_iter().map(|((month, day, caller, tool_id), sum)| {
            let Sum { tasks, cost_usd, unknown } = sum;
            Total { month, day, caller, tool_id, tasks, cost_usd, unknown }
        });
        Ok(totals.collect())
    }
}
