//! What runs usually use, learned from those that ended well: for quotes, never for prices.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::cost::{Unit, Usage, UsageBasis};
use crate::error::Result;
use crate::id::ToolId;
use crate::store::{Put, TaskStore};
use crate::task::TaskRecord;
use crate::task::state::TaskStatus;

/// Where it is kept in the store.
const DOCUMENT: (&str, &str) = ("typical", "usage");

/// Runs remembered of a tool: enough for a median that no single cold start moves, few enough to follow a change.
const SAMPLES: usize = 16;

/// Tools remembered: as many as a provider's catalogue may have.
const TOOLS_MAX: usize = 10_000;

/// The last runs of each tool. In memory, and written now and then: what a crash forgets is an estimate.
#[derive(Debug, Default)]
pub(crate) struct Typical(Mutex<Learned>);

#[derive(Debug, Default)]
struct Learned {
    tools: BTreeMap<ToolId, Runs>,
    dirty: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Runs {
    /// A new revision of a tool may take another time: it starts anew.
    revision: String,
    unit: Unit,
    used: VecDeque<Decimal>,
}

impl Typical {
    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a task that has just ended.
    pub(crate) fn learn(&self, task: &TaskRecord) {
        let settlement = task.state.settlement.as_ref().filter(|_| task.state.status == TaskStatus::Completed);
        let Some((amount, unit)) = settlement.and_then(|s| s.amount.zip(s.unit)) else { return };
        let mut learned = self.learned();
        if learned.tools.len() >= TOOLS_MAX && !learned.tools.contains_key(&task.tool_id) {
            return;
        }
        let fresh = || Runs { revision: task.tool_revision.clone(), unit, used: VecDeque::new() };
        let runs = learned.tools.entry(task.tool_id.clone()).or_insert_with(fresh);
        if runs.revision != task.tool_revision || runs.unit != unit {
            *runs = fresh();
        }
        runs.used.push_back(amount);
        if runs.used.len() > SAMPLES {
            runs.used.pop_front();
        }
        learned.dirty = true;
    }

    /// The median of the last runs of this revision; `None` while there are none.
    pub(crate) fn usage(&self, tool: &ToolId, revision: &str) -> Option<Usage> {
        let learned = self.learned();
        let runs = learned.tools.get(tool).filter(|runs| runs.revision == revision)?;
        let mut used: Vec<Decimal> = runs.used.iter().copied().collect();
        used.sort_unstable();
        let median = *used.get(used.len() / 2)?;
        Some(Usage::of(runs.unit, median, UsageBasis::Estimated))
    }

    /// Takes back what an earlier process learned; an unreadable document is learned anew.
    pub(crate) async fn restore(&self, store: &dyn TaskStore) -> Result<()> {
        if let Some(document) = store.get_document(DOCUMENT.0, DOCUMENT.1).await? {
            match serde_json::from_slice(&document.bytes) {
                Ok(tools) => self.learned().tools = tools,
                Err(error) => tracing::warn!(%error, "what runs usually use could not be read; it is learned anew"),
            }
        }
        Ok(())
    }

    /// Writes what was learned since the last time. Of two hosts that write at once one wins: either estimate is good.
    pub(crate) async fn save(&self, store: &dyn TaskStore) -> Result<()> {
        let bytes = {
            let mut learned = self.learned();
            if !std::mem::take(&mut learned.dirty) {
                return Ok(());
            }
            serde_json::to_vec(&learned.tools).unwrap_or_default()
        };
        let expected = store.get_document(DOCUMENT.0, DOCUMENT.1).await?.map(|document| document.version);
        match store.put_document(DOCUMENT.0, DOCUMENT.1, expected, Bytes::from(bytes)).await? {
            Put::Done(_) => {}
            Put::Stale(_) => self.learned().dirty = true,
        }
        Ok(())
    }
}
