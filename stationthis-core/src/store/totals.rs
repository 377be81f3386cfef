//! Sums over what a store holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{CallerId, ProviderId, ToolId};
use crate::money::Usd;
use crate::task::TaskRecord;
use crate::task::state::TaskStatus;
use crate::time::Timestamp;

/// How much there is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// Tasks with something left to do, by provider and status.
    pub tasks: Vec<(ProviderId, TaskStatus, u64)>,
    /// Notices to be delivered.
    pub notices_pending: u64,
    /// When the oldest of them was added.
    pub oldest_notice_at: Option<Timestamp>,
    /// Dead letters.
    pub notices_dead: u64,
    /// Webhooks that wait.
    pub inbox: u64,
    /// When the oldest of them arrived.
    pub oldest_webhook_at: Option<Timestamp>,
    /// Tasks that need review.
    pub needs_review: u64,
    /// The number of the last event that was ever written, zero when there was none; pruning does not lower it.
    pub last_event: u64,
}

/// Which tasks' costs to add up. Every condition must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TotalsQuery {
    /// Of this caller only.
    pub caller: Option<CallerId>,
    /// Of this month (UTC, `2026-11`) only.
    pub month: Option<String>,
    /// A sum for each day, and not for each month.
    pub by_day: bool,
}

/// What ended tasks of one caller, tool and month, or day, cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Total {
    /// The month of their ends (UTC), as `2026-11`.
    pub month: String,
    /// The day of their ends (UTC), as `2026-11-25`, where sums by day were asked for. Tasks that an early version of a
    /// store forgot may be known by their month alone: their sum has none, and comes before the days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// Whose.
    pub caller: CallerId,
    /// Of which tool.
    pub tool_id: ToolId,
    /// How many.
    pub tasks: u64,
    /// The sum of the known costs ([`TaskState::charged_usd`](crate::task::state::TaskState::charged_usd)).
    pub cost_usd: Usd,
    /// How many of them have no known cost; those are not in the sum.
    pub unknown: u64,
}

/// When a task ended, if it has.
pub(super) fn ended_at(task: &TaskRecord) -> Option<Timestamp> {
    task.state.times.ended_at.filter(|_| task.is_terminal())
}

/// The day (UTC) of a time.
pub(super) fn day_of(at: Timestamp) -> String {
    at.to_string().chars().take("2026-11-25".len()).collect()
}

/// The month of a day, and the day; of a month the month alone.
pub(super) fn month_and_day(text: String) -> (String, Option<String>) {
    match text.get(.."2026-11".len()) {
        Some(month) if month.len() < text.len() => (month.to_owned(), Some(text)),
        _ => (text, None),
    }
}
