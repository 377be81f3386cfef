//! What runs usually use and how long they usually take, learned from those that ended well: for quotes and for the
//! times of polls, never for prices.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cost::{Unit, Usage, UsageBasis};
use crate::error::Result;
use crate::id::ToolId;
use crate::store::{Put, TaskStore};
use crate::task::TaskRecord;
use crate::task::state::TaskStatus;

/// Where they are kept in the store, apart from each other and from prices.
const NAMESPACE: &str = "learned";
const USAGE: &str = "usage";
const DURATIONS: &str = "durations";

/// Runs remembered of a tool: enough for a quantile that no single cold start moves, few enough to follow a change.
const SAMPLES: usize = 16;

/// Tools remembered: as many as a provider's catalogue may have.
const TOOLS_MAX: usize = 10_000;

/// In memory, and written now and then: what a crash forgets is an estimate.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    usage: Book<Decimal>,
    durations: Book<u64>,
}

impl Learned {
    /// Takes note of a task that has just ended.
    pub(crate) fn learn(&self, task: &TaskRecord) {
        if task.state.status != TaskStatus::Completed {
            return;
        }
        if let Some((amount, unit)) = task.state.settlement.as_ref().and_then(|s| s.amount.zip(s.unit)) {
            self.usage.push(task, Some(unit), amount);
        }
        if let Some(ms) = run_ms(task) {
            self.durations.push(task, None, ms);
        }
    }

    /// The median of what the last runs of this revision used; `None` while there are none.
    pub(crate) fn usage(&self, tool: &ToolId, revision: &str) -> Option<Usage> {
        let (unit, median) = self.usage.quantile(tool, revision, 2)?;
        Some(Usage::of(unit?, median, UsageBasis::Estimated))
    }

    /// How long the last runs of this revision took from submission to end, in milliseconds: three in four were no
    /// longer. `None` while there are none.
    pub(crate) fn duration_ms(&self, tool: &ToolId, revision: &str) -> Option<u64> {
        self.durations.quantile(tool, revision, 3).map(|(_, ms)| ms)
    }

    /// Takes back what an earlier process learned; an unreadable document is learned anew.
    pub(crate) async fn restore(&self, store: &dyn TaskStore) -> Result<()> {
        self.usage.restore(store, USAGE).await?;
        self.durations.restore(store, DURATIONS).await
    }

    /// Writes what was learned since the last time. Of two hosts that write at once one wins: either estimate is good.
    pub(crate) async fn save(&self, store: &dyn TaskStore) -> Result<()> {
        self.usage.save(store, USAGE).await?;
        self.durations.save(store, DURATIONS).await
    }
}

/// From the submission to the end by the provider's clock where that is plausible, else to when we heard of it.
fn run_ms(task: &TaskRecord) -> Option<u64> {
    let (state, since) = (&task.state, task.state.times.submitting_at?);
    let heard = state.receipts.webhook_ended_at.into_iter().chain(state.receipts.poll_ended_at).min()?;
    let ended = state.provider_times.ended_at.filter(|at| *at > since && *at < heard).unwrap_or(heard);
    u64::try_from(ended.since(since).as_millis()).ok()
}

/// The last runs of each tool.
#[derive(Debug)]
struct Book<T>(Mutex<Pages<T>>);

#[derive(Debug)]
struct Pages<T> {
    tools: BTreeMap<ToolId, Runs<T>>,
    dirty: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Runs<T> {
    /// A new revision of a tool may take another time: it starts anew.
    revision: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<Unit>,
    values: VecDeque<T>,
}

impl<T> Default for Book<T> {
    fn default() -> Self {
        Self(Mutex::new(Pages { tools: BTreeMap::new(), dirty: false }))
    }
}

impl<T: Copy + Ord + Serialize + DeserializeOwned> Book<T> {
    fn pages(&self) -> MutexGuard<'_, Pages<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, task: &TaskRecord, unit: Option<Unit>, value: T) {
        let mut pages = self.pages();
        if pages.tools.len() >= TOOLS_MAX && !pages.tools.contains_key(&task.tool_id) {
            return;
        }
        let fresh = || Runs { revision: task.tool_revision.clone(), unit, values: VecDeque::new() };
        let runs = pages.tools.entry(task.tool_id.clone()).or_insert_with(fresh);
        if runs.revision != task.tool_revision || runs.unit != unit {
            *runs = fresh();
        }
        runs.values.push_back(value);
        if runs.values.len() > SAMPLES {
            runs.values.pop_front();
        }
        pages.dirty = true;
    }

    /// The value that `quarters` of four runs do not exceed.
    fn quantile(&self, tool: &ToolId, revision: &str, quarters: usize) -> Option<(Option<Unit>, T)> {
        let pages = self.pages();
        let runs = pages.tools.get(tool).filter(|runs| runs.revision == revision)?;
        let mut values: Vec<T> = runs.values.iter().copied().collect();
        values.sort_unstable();
        values.get(values.len() * quarters / 4).map(|value| (runs.unit, *value))
    }

    async fn restore(&self, store: &dyn TaskStore, key: &str) -> Result<()> {
        if let Some(document) = store.get_document(NAMESPACE, key).await? {
            match serde_json::from_slice(&document.bytes) {
                Ok(tools) => self.pages().tools = tools,
                Err(error) => {
                    tracing::warn!(%error, key, "what was learned of runs could not be read; it is learned anew")
                }
            }
        }
        Ok(())
    }

    async fn save(&self, store: &dyn TaskStore, key: &str) -> Result<()> {
        let bytes = {
            let mut pages = self.pages();
            if !std::mem::take(&mut pages.dirty) {
                return Ok(());
            }
            serde_json::to_vec(&pages.tools).unwrap_or_default()
        };
        let expected = store.get_document(NAMESPACE, key).await?.map(|document| document.version);
        match store.put_document(NAMESPACE, key, expected, Bytes::from(bytes)).await? {
            Put::Done(_) => {}
            Put::Stale(_) => self.pages().dirty = true,
        }
        Ok(())
    }
}
