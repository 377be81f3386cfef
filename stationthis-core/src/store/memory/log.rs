//! The events of every task, in the order of their numbers.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::id::TaskId;
use crate::store::{EventQuery, StoredEvent};
use crate::task::event::TaskEvent;

#[derive(Debug, Default)]
pub(super) struct Log {
    events: BTreeMap<u64, StoredEvent>,
    by_task: HashMap<TaskId, Vec<u64>>,
    last: u64,
}

impl Log {
    /// Writes the events; the number of the last one ever written.
    pub(super) fn append(&mut self, task_id: TaskId, events: &[TaskEvent]) -> u64 {
        let numbers = self.by_task.entry(task_id).or_default();
        for event in events {
            self.last = self.last.saturating_add(1);
            numbers.push(self.last);
            self.events.insert(self.last, StoredEvent { seq: self.last, task_id, event: event.clone() });
        }
        self.last
    }

    /// Those of a page that `wanted` lets through.
    pub(super) fn read(&self, query: &EventQuery, wanted: impl Fn(&StoredEvent) -> bool) -> Vec<StoredEvent> {
        let after = query.after;
        let events: Box<dyn Iterator<Item = &StoredEvent>> = match query.task {
            Some(task) => {
                let numbers = self.by_task.get(&task).into_iter().flatten().filter(move |number| **number > after);
                Box::new(numbers.filter_map(|number| self.events.get(number)))
            }
            None => {
                let new = self.events.range((Bound::Excluded(after), Bound::Unbounded));
                Box::new(new.map(|(_, event)| event))
            }
        };
        events.filter(|event| wanted(event)).take(query.page_size()).cloned().collect()
    }

    /// The number of the last event ever written.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn forget(&mut self, task: TaskId) {
        for number in self.by_task.remove(&task).unwrap_or_default() {
            self.events.remove(&number);
        }
    }
}
