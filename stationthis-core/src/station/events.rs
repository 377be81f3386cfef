//! What happens to tasks, as a stream inside the process.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::id::CallerId;
use crate::task::TaskRecord;

/// Updates that a slow reader may be behind before it is told that it missed some.
const CAPACITY: usize = 1024;

/// A task as it is after a commit.
#[derive(Clone, Debug)]
pub struct TaskUpdate {
    /// The number of the last event of that commit: grows with every commit of every task. Read what was missed with
    /// [`Caller::events_after`](crate::station::Caller::events_after).
    pub seq: u64,
    /// The task.
    pub task: Arc<TaskRecord>,
}

/// The reader was too slow: so many updates are gone from the stream (not from the store).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged(pub u64);

/// Updates of a caller's tasks from now on.
#[derive(Debug)]
pub struct EventStream {
    receiver: broadcast::Receiver<TaskUpdate>,
    caller: Option<CallerId>,
}

impl EventStream {
    /// The next update; `None` when the station is gone. May be dropped at any point.
    pub async fn next(&mut self) -> Option<Result<TaskUpdate, Lagged>> {
        loop {
            match self.receiver.recv().await {
                Ok(update) if self.caller.as_ref().is_none_or(|caller| *caller == update.task.caller) => {
                    return Some(Ok(update));
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(missed)) => return Some(Err(Lagged(missed))),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Updates(broadcast::Sender<TaskUpdate>);

impl Updates {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }

    pub(crate) fn publish(&self, seq: u64, task: &TaskRecord) {
        // Copying a record for nobody would be the larger part of a commit's work.
        if self.0.receiver_count() > 0 {
            let _ = self.0.send(TaskUpdate { seq, task: Arc::new(task.clone()) });
        }
    }

    pub(crate) fn subscribe(&self, caller: Option<CallerId>) -> EventStream {
        EventStream { receiver: self.0.subscribe(), caller }
    }
}
