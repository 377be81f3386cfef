//! What a stream says next.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde_json::Map;
use stationthis_core::station::{Caller, EventStream, Lagged, TaskUpdate};
use stationthis_core::store::{PAGE_MAX, StoredEvent};
use stationthis_core::task::TaskRecord;
use stationthis_core::task::event::Event;
use stationthis_core::task::state::TaskStatus;
use stationthis_core::{ErrorKind, Result, TaskId};
use tokio::time::Instant;

/// The time between two looks at progress: people see no more than about four changes a second.
const PROGRESS_PAUSE: Duration = Duration::from_millis(250);

/// The longest time between two looks: another process may have changed a task in the same store.
const LOOK: Duration = Duration::from_secs(15);

/// Tasks of which is known what was said last. More are forgotten, and at worst said once more.
const SAID_MAX: usize = 1024;

/// Follows one task, or all of a caller's.
///
/// The store is read, and news are only the reason to look into it: so there is no order but the store's, nothing is
/// missed or said twice between what was and what comes, and nothing is kept for a reader that is slow. It hears of a
/// task as it is when its turn comes.
#[derive(Debug)]
pub(super) struct Feed {
    caller: Caller,
    task: Option<TaskId>,
    news: EventStream,
    /// The last event that was read.
    position: u64,
    /// There may be events after it.
    behind: bool,
    /// What is to be said before the next reading: tasks, each with its last event so far.
    changed: VecDeque<(u64, TaskId)>,
    said: HashMap<TaskId, Said>,
    /// To be said first.
    ready: bool,
    lagged: Option<u64>,
    read_at: Instant,
    over: bool,
}

/// A task as it was said last.
#[derive(Clone, Copy, Debug)]
struct Said {
    revision: u64,
    status: TaskStatus,
}

/// One thing to say.
#[derive(Debug)]
pub(super) enum Item {
    /// Everything after this event will be said.
    Ready(u64),
    /// So many changes in between were not seen; the tasks are said as they are now.
    Lagged(u64),
    /// A task as it is, and its last event.
    Task(u64, Box<TaskRecord>),
}

impl Feed {
    /// All tasks of the caller, after an event or from now on.
    pub(super) async fn of_all(caller: Caller, after: Option<u64>) -> Result<Self> {
        let news = caller.events();
        let position = match after {
            Some(after) => after,
            None => caller.last_event().await?,
        };
        Ok(Self { ready: true, ..Self::new(caller, None, news, position) })
    }

    /// One task, as it is now, or as it changed after an event; `None` when it ended before that event.
    pub(super) async fn of_task(caller: Caller, id: TaskId, after: Option<u64>) -> Result<Option<Self>> {
        let news = caller.events_of(id);
        let task = caller.task(id).await?;
        let mut feed = Self::new(caller, Some(id), news, after.unwrap_or_default());
        while feed.behind {
            feed.read().await?;
        }
        Ok((!task.is_terminal() || !feed.changed.is_empty()).then_some(feed))
    }

    fn new(caller: Caller, task: Option<TaskId>, news: EventStream, position: u64) -> Self {
        Self {
            caller,
            task,
            news,
            position,
            behind: true,
            changed: VecDeque::new(),
            said: HashMap::new(),
            ready: false,
            lagged: None,
            read_at: Instant::now(),
            over: false,
        }
    }

    /// The next thing to say; `None` after the end of the one task, or when the station is gone.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub(super) async fn next(&mut self) -> Result<Option<Item>> {
        loop {
            if std::mem::take(&mut self.ready) {
                return Ok(Some(Item::Ready(self.position)));
            }
            if let Some(missed) = self.lagged.take() {
                return Ok(Some(Item::Lagged(missed)));
            }
            if let Some((seq, id)) = self.changed.pop_front() {
                if let Some(task) = self.changed_task(id).await? {
                    return Ok(Some(Item::Task(seq, task)));
                }
            } else if self.over {
                return Ok(None);
            } else if self.behind {
                self.read().await?;
            } else {
                self.wait().await;
            }
        }
    }

    /// Reads a page of events.
    async fn read(&mut self) -> Result<()> {
        let page = self.caller.events_after(self.task, self.position).await?;
        self.read_at = Instant::now();
        self.behind = page.len() >= PAGE_MAX;
        self.position = page.last().map_or(self.position, |event| event.seq);
        let mut last: HashMap<TaskId, u64> = HashMap::new();
        last.extend(page.iter().filter(|event| says_something(event)).map(|event| (event.task_id, event.seq)));
        // Of the one task pages are read before anything is said.
        self.changed.retain(|(_, id)| !last.contains_key(id));
        let mut changed: Vec<(u64, TaskId)> = last.into_iter().map(|(id, seq)| (seq, id)).collect();
        changed.sort_unstable();
        self.changed.extend(changed);
        Ok(())
    }

    /// The task as it is, without its inputs; `None` when it was said so already, or is forgotten.
    async fn changed_task(&mut self, id: TaskId) -> Result<Option<Box<TaskRecord>>> {
        let mut task = match self.caller.task(id).await {
            Ok(task) => task,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        (task.inputs_asked, task.inputs_sent) = (Map::new(), Map::new());
        if self.said.len() >= SAID_MAX {
            self.said.clear();
        }
        let said = Said { revision: task.revision, status: task.state.status };
        let before = self.said.insert(id, said);
        self.over = self.task.is_some() && task.is_terminal();
        Ok(before.is_none_or(|before| before.revision < task.revision).then(|| Box::new(task)))
    }

    /// Until there is a reason to read: news at once, mere progress after a pause.
    async fn wait(&mut self) {
        let mut until = self.read_at + LOOK;
        loop {
            tokio::select! {
                news = self.news.next() => match news {
                    None => {
                        self.over = true;
                        return;
                    }
                    Some(Err(Lagged(missed))) => {
                        self.lagged = Some(missed);
                        break;
                    }
                    Some(Ok(update)) if update.seq <= self.position => {}
                    Some(Ok(update)) if self.is_progress(&update) => until = until.min(self.read_at + PROGRESS_PAUSE),
                    Some(Ok(_)) => break,
                },
                () = tokio::time::sleep_until(until) => break,
            }
        }
        self.behind = true;
    }

    fn is_progress(&self, update: &TaskUpdate) -> bool {
        let task = &update.task;
        !task.is_terminal() && self.said.get(&task.task_id).is_some_and(|said| said.status == task.state.status)
    }
}

/// Deliveries of notices leave the task as it is.
const fn says_something(event: &StoredEvent) -> bool {
    !matches!(event.event.what, Event::NoticeTried { .. } | Event::NoticeRequeued { .. })
}

#[cfg(test)]
mod tests;
