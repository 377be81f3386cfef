//! What the service knows to be true.

use super::task::{Phase, SimTask};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

/// The service's own books.
#[derive(Clone, Debug)]
pub struct Books {
    /// Every task, the oldest first.
    pub tasks: Vec<TaskBook>,
    /// The size of each file that arrived.
    pub uploads: Vec<usize>,
    /// Credits that are left.
    pub balance: Decimal,
    /// Questions about tasks that were answered.
    pub reads: usize,
    /// Webhooks that were taken.
    pub webhooks_taken: usize,
    /// Creations that were refused for want of room.
    pub refused_full: usize,
}

/// One task.
#[derive(Clone, Debug)]
pub struct TaskBook {
    /// Its id.
    pub id: String,
    /// Its old name: `text_to_model`.
    pub kind: &'static str,
    /// What it was created with.
    pub body: Map<String, Value>,
    /// Credits that it takes when it ends well.
    pub credits: Decimal,
    /// Has it ended?
    pub ended: bool,
}

impl TaskBook {
    pub(super) fn of(task: &SimTask) -> Self {
        Self {
            id: task.id.clone(),
            kind: task.kind.word(),
            body: task.body.clone(),
            credits: task.credits,
            ended: task.phase() == Phase::Ended,
        }
    }
}
