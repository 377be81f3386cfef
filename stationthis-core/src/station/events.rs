//! What happens to tasks, as a stream inside the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::broadcast;

use crate::id::{CallerId, TaskId};
use crate::task::TaskRecord;

/// Updates that a slow reader of every caller's tasks may be behind before it is told that it missed some.
const ALL_CAPACITY: usize = 1024;

/// The same for a reader of one caller's tasks: there may be a thousand callers, and each channel takes its room at once.
const CALLER_CAPACITY: usize = 128;

/// The same for a reader of one task: it has some twenty updates in its life.
const TASK_CAPACITY: usize = 16;

/// A task as it is after a commit.
#[derive(Clone, Debug)]
pub struct TaskUpdate {
    /// The number of the last event of that commit: grows with every commit of every task. Read what was missed with
    /// [`Caller::events_after`](crate::station::Caller::events_after).
    pub seq: u64,
    /// The task, with `inputs_asked` and `inputs_sent` empty: they never change, and may hold whole pictures, which a slow
    /// reader would keep in memory once for each update.
    pub task: Arc<TaskRecord>,
}

/// The reader was too slow: so many updates are gone from the stream (not from the store).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged(pub u64);

/// Updates of a caller's tasks, or of one task, from now on. Updates of two tasks may come in another order than their
/// numbers, when they were committed at the same moment.
#[derive(Debug)]
pub struct EventStream {
    receiver: broadcast::Receiver<TaskUpdate>,
    caller: Option<CallerId>,
    topic: Topic,
    topics: Weak<Mutex<Topics>>,
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

impl Drop for EventStream {
    fn drop(&mut self) {
        if let Some(topics) = self.topics.upgrade() {
            lock(&topics).left(&self.topic);
        }
    }
}

/// What a stream is about: nobody is woken for a task that it does not ask for.
#[derive(Clone, Debug)]
enum Topic {
    All,
    Caller(CallerId),
    Task(TaskId),
}

/// A channel for each topic that somebody listens to.
#[derive(Debug, Default)]
struct Topics {
    all: Option<broadcast::Sender<TaskUpdate>>,
    callers: HashMap<CallerId, broadcast::Sender<TaskUpdate>>,
    tasks: HashMap<TaskId, broadcast::Sender<TaskUpdate>>,
}

impl Topics {
    fn of(&self, task: &TaskRecord) -> impl Iterator<Item = &broadcast::Sender<TaskUpdate>> {
        [self.all.as_ref(), self.callers.get(&task.caller), self.tasks.get(&task.task_id)].into_iter().flatten()
    }

    fn listen(&mut self, topic: &Topic) -> broadcast::Receiver<TaskUpdate> {
        let sender = match topic {
            Topic::All => self.all.get_or_insert_with(|| broadcast::Sender::new(ALL_CAPACITY)),
            Topic::Caller(id) => {
                self.callers.entry(id.clone()).or_insert_with(|| broadcast::Sender::new(CALLER_CAPACITY))
            }
            Topic::Task(id) => self.tasks.entry(*id).or_insert_with(|| broadcast::Sender::new(TASK_CAPACITY)),
        };
        sender.subscribe()
    }

    /// A stream is about to be dropped; the last one takes its channel along.
    fn left(&mut self, topic: &Topic) {
        let last = |sender: &broadcast::Sender<TaskUpdate>| sender.receiver_count() <= 1;
        match topic {
            Topic::All => drop(self.all.take_if(|sender| last(sender))),
            Topic::Caller(id) if self.callers.get(id).is_some_and(last) => drop(self.callers.remove(id)),
            Topic::Task(id) if self.tasks.get(id).is_some_and(last) => drop(self.tasks.remove(id)),
            Topic::Caller(_) | Topic::Task(_) => {}
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Updates(Arc<Mutex<Topics>>);

impl Updates {
    pub(crate) fn publish(&self, seq: u64, task: &TaskRecord) {
        let topics = lock(&self.0);
        let mut listened = topics.of(task).peekable();
        // Copying a record for nobody would be the larger part of a commit's work.
        if listened.peek().is_some() {
            let update = TaskUpdate { seq, task: Arc::new(task.without_inputs()) };
            listened.for_each(|sender| drop(sender.send(update.clone())));
        }
    }

    /// The updates of a caller's tasks, or of everybody's; only those of one task when there is one.
    pub(crate) fn subscribe(&self, caller: Option<CallerId>, task: Option<TaskId>) -> EventStream {
        let topic = match (&caller, task) {
            (_, Some(task)) => Topic::Task(task),
            (Some(caller), None) => Topic::Caller(caller.clone()),
            (None, None) => Topic::All,
        };
        let receiver = lock(&self.0).listen(&topic);
        EventStream { receiver, caller, topic, topics: Arc::downgrade(&self.0) }
    }
}

fn lock(topics: &Mutex<Topics>) -> std::sync::MutexGuard<'_, Topics> {
    topics.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::testkit::store_suite::fixtures::task;

    fn listeners(updates: &Updates) -> (bool, usize, usize) {
        let topics = updates.0.lock().unwrap();
        (topics.all.is_some(), topics.callers.len(), topics.tasks.len())
    }

    #[test]
    fn each_stream_hears_of_its_own_and_leaves_nothing_behind() {
        let (ada, eve) = (task("ada"), task("eve"));
        let updates = Updates::default();
        let mut all = updates.subscribe(None, None);
        let mut of_ada = updates.subscribe(Some(ada.caller.clone()), None);
        let mut one = updates.subscribe(Some(eve.caller.clone()), Some(eve.task_id));
        let mut foreign = updates.subscribe(Some(ada.caller.clone()), Some(eve.task_id));
        assert_eq!(listeners(&updates), (true, 1, 1));
        updates.publish(1, &ada);
        updates.publish(2, &eve);
        let heard = |stream: &mut EventStream| {
            let mut numbers = Vec::new();
            while let Some(Some(Ok(update))) = stream.next().now_or_never() {
                numbers.push(update.seq);
            }
            numbers
        };
        assert_eq!(heard(&mut all), [1, 2]);
        assert_eq!(heard(&mut of_ada), [1]);
        assert_eq!(heard(&mut one), [2]);
        assert_eq!(heard(&mut foreign), [0_u64; 0], "the id of a task is no key to it");
        drop((all, of_ada, one));
        assert_eq!(listeners(&updates), (false, 0, 1));
        drop(foreign);
        assert_eq!(listeners(&updates), (false, 0, 0));
        let mut late = updates.subscribe(None, None);
        drop(updates);
        assert!(late.next().now_or_never().unwrap().is_none(), "the station is gone");
    }
}
