//! One run: what was asked, the row that the service's database would hold, and counters for the books.

use super::catalogue::WorkflowRef;
use super::machine::SimMachine;
use super::misbehaviour::Misbehaviour;
use super::scene::Scene;
use super::times;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// What is fixed when a run is queued.
#[derive(Debug)]
pub(crate) struct RunFacts {
    pub(crate) id: Uuid,
    /// Position among all runs of the simulation, from 0.
    pub(crate) ordinal: u64,
    pub(crate) created: Timestamp,
    pub(crate) workflow: WorkflowRef,
    pub(crate) workflow_id: Uuid,
    pub(crate) workflow_name: String,
    pub(crate) version_id: Uuid,
    pub(crate) deployment_id: Uuid,
    pub(crate) machine: SimMachine,
    pub(crate) gpu: Option<String>,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) webhook: Option<String>,
    pub(crate) intermediate: bool,
    pub(crate) call_id: Option<String>,
    /// Scheme and host under which outputs are served.
    pub(crate) origin: String,
    pub(crate) misbehaviour: Arc<Misbehaviour>,
    pub(crate) scene: Scene,
}

/// The row of the database: everything that changes.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) status: String,
    pub(crate) live_status: Option<String>,
    pub(crate) progress: f32,
    pub(crate) updated: Timestamp,
    pub(crate) queued: Option<Timestamp>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) outputs: Vec<OutputRow>,
    pub(crate) counts: Counts,
}

/// One report of a node, as stored: not everything here is shown everywhere.
#[derive(Debug, Clone)]
pub(crate) struct OutputRow {
    pub(crate) id: Uuid,
    pub(crate) created: Timestamp,
    pub(crate) data: Value,
    pub(crate) node_meta: Option<Value>,
    pub(crate) output_id: Option<String>,
}

/// What the books count of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) hooks_sent: u64,
    pub(crate) hooks_lost: u64,
    pub(crate) hook_attempts: u64,
    pub(crate) hooks_acked: u64,
    pub(crate) hooks_given_up: u64,
    pub(crate) cancel_calls: u64,
    pub(crate) gets: u64,
    pub(crate) gets_failed: u64,
}

/// A run with its changing parts.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) facts: RunFacts,
    row: Mutex<Row>,
    /// True once a cancel was accepted.
    pub(crate) cancelled: watch::Sender<bool>,
    /// How many webhooks came to an end, well or badly.
    pub(crate) hooks_done: watch::Sender<u64>,
    /// The webhook held back by `hooks_reordered`.
    pub(crate) held: Mutex<Option<Arc<str>>>,
}

/// Statuses after which nothing changes (protocol notes §4.2).
pub(crate) fn is_final(status: &str) -> bool {
    matches!(status, "success" | "failed" | "timeout" | "cancelled")
}

impl Run {
    pub(crate) fn new(facts: RunFacts) -> Self {
        let row = Row {
            status: "not-started".into(),
            live_status: None,
            progress: 0.0,
            updated: facts.created,
            queued: None,
            started: None,
            ended: None,
            outputs: Vec::new(),
            counts: Counts::default(),
        };
        Self {
            facts,
            row: Mutex::new(row),
            cancelled: watch::Sender::new(false),
            hooks_done: watch::Sender::new(0),
            held: Mutex::new(None),
        }
    }

    pub(crate) fn row(&self) -> MutexGuard<'_, Row> {
        self.row.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `GET` and lists may show when a container took the run.
    pub(crate) fn has_times(&self) -> bool {
        self.facts.machine.is_serverless() && !self.facts.misbehaviour.null_times
    }
}

impl Row {
    pub(crate) fn is_final(&self) -> bool {
        is_final(&self.status)
    }

    /// Ends the row; the first end wins. Whether it was this one.
    pub(crate) fn end(&mut self, status: &str) -> bool {
        if self.is_final() {
            return false;
        }
        status.clone_into(&mut self.status);
        let now = times::now();
        self.updated = now;
        self.ended = Some(now);
        true
    }

    /// `queued − created`: the wait for a container.
    pub(crate) fn wait(&self, created: Timestamp) -> Option<Duration> {
        Some(times::between(created, self.queued?))
    }

    /// `started − queued`: ComfyUI's boot.
    pub(crate) fn boot(&self) -> Option<Duration> {
        Some(times::between(self.queued?, self.started?))
    }

    /// `started − created`.
    pub(crate) fn wait_and_boot(&self, created: Timestamp) -> Option<Duration> {
        Some(times::between(created, self.started?))
    }

    /// `ended − started`.
    pub(crate) fn running(&self) -> Option<Duration> {
        Some(times::between(self.started?, self.ended?))
    }

    /// `ended − created`.
    pub(crate) fn whole(&self, created: Timestamp) -> Option<Duration> {
        Some(times::between(created, self.ended?))
    }

    /// `ended − queued`: the container's time.
    pub(crate) fn container(&self) -> Option<Duration> {
        Some(times::between(self.queued?, self.ended?))
    }
}
