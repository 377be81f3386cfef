//! All remembered runs, and the log lines about them.

use super::run::Run;
use super::times;
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use uuid::Uuid;

/// Log lines kept over all runs: enough for the runs a test looks at, and at about 1 KiB each a bounded
/// share of memory.
const MAX_LOG_LINES: usize = 20_000;

/// The runs, oldest first, never more than a limit.
#[derive(Debug)]
pub(crate) struct Runs {
    limit: usize,
    by_id: HashMap<Uuid, Arc<Run>>,
    order: VecDeque<Uuid>,
    logs: VecDeque<LogLine>,
}

/// One archived log line.
#[derive(Debug, Clone)]
pub(crate) struct LogLine {
    pub(crate) run: Uuid,
    pub(crate) at: Timestamp,
    pub(crate) text: String,
}

impl Runs {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), by_id: HashMap::new(), order: VecDeque::new(), logs: VecDeque::new() }
    }

    /// Adds a run; when there are too many, the oldest ended one goes, or the oldest of all.
    pub(crate) fn insert(&mut self, run: Arc<Run>) {
        let id = run.facts.id;
        self.by_id.insert(id, run);
        self.order.push_back(id);
        if self.order.len() > self.limit {
            let ended = |id: &Uuid| self.by_id.get(id).is_none_or(|run| run.row().is_final());
            let at = self.order.iter().position(ended).unwrap_or(0);
            if let Some(old) = self.order.remove(at) {
                self.by_id.remove(&old);
            }
        }
    }

    pub(crate) fn get(&self, id: Uuid) -> Option<Arc<Run>> {
        self.by_id.get(&id).cloned()
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Run>> {
        self.order.iter().filter_map(|id| self.by_id.get(id))
    }

    /// How many older runs wait on the same machine; none for a run that waits no more.
    pub(crate) fn queue_position(&self, run: &Run) -> Option<usize> {
        let waits = |run: &Run| matches!(run.row().status.as_str(), "not-started" | "queued");
        if !waits(run) {
            return None;
        }
        let older = self.iter().take_while(|other| other.facts.id != run.facts.id);
        let same = older.filter(|other| other.facts.machine == run.facts.machine);
        Some(same.filter(|other| waits(other)).count())
    }

    pub(crate) fn log(&mut self, run: Uuid, text: String) {
        if self.logs.len() >= MAX_LOG_LINES {
            self.logs.pop_front();
        }
        let at = times::now();
        self.logs.push_back(LogLine { run, at, text });
    }

    pub(crate) fn logs(&self, run: Uuid) -> Vec<LogLine> {
        self.logs.iter().filter(|line| line.run == run).cloned().collect()
    }
}
