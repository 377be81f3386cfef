//! The status messages of tasks: sent once, edited as the task moves, within the pace of their chats.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};
use stationthis_core::station::Station;
use stationthis_core::task::TaskRecord;
use stationthis_core::{ErrorKind, TaskId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::telegram::address::Place;
use crate::telegram::api::Called;
use crate::telegram::book::StatusMessage;
use crate::telegram::post::Post;
use crate::telegram::render;

/// New status messages that wait to be followed: as many as are sent within a minute or so.
const OPENED_MAX: usize = 1024;

/// Edits under way at a time: each is a short request, and the pace lets 25 a second go.
const EDITS_MAX: usize = 16;

/// The pause after an edit without an answer, and how many of those a text is worth.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
const TRIES_MAX: u32 = 5;

/// What the data of a button that cancels begins with.
pub(crate) const CANCEL: &str = "c:";

/// Sends status messages and hands them to who follows them.
#[derive(Clone, Debug)]
pub(crate) struct Statuses {
    post: Arc<Post>,
    opened: mpsc::Sender<(TaskId, String)>,
}

/// Follows the tasks of status messages.
#[derive(Debug)]
pub(crate) struct Follower {
    post: Arc<Post>,
    station: Station,
    opened: mpsc::Receiver<(TaskId, String)>,
    wanted: HashMap<TaskId, Wanted>,
    shown: HashMap<TaskId, Shown>,
    editing: HashSet<TaskId>,
}

/// What a message is to say.
#[derive(Clone, Debug)]
struct Wanted {
    text: String,
    ended: bool,
    at: Instant,
    tries: u32,
}

/// What a message says.
#[derive(Debug)]
struct Shown {
    text: String,
    since: Instant,
}

/// An edit that came to an end.
struct Edited {
    task: TaskId,
    wanted: Wanted,
    outcome: Called<()>,
}

/// Both ends of it.
pub(crate) fn statuses(post: Arc<Post>, station: Station) -> (Statuses, Follower) {
    let (sender, opened) = mpsc::channel(OPENED_MAX);
    let follower = Follower {
        post: Arc::clone(&post),
        station,
        opened,
        wanted: HashMap::new(),
        shown: HashMap::new(),
        editing: HashSet::new(),
    };
    (Statuses { post, opened: sender }, follower)
}

impl Statuses {
    /// Sends the status message of a task, unless it has one.
    pub(crate) async fn open(&self, task: &TaskRecord, place: Place) {
        if task.is_terminal() || self.post.book.status(task.task_id).is_some() {
            return;
        }
        let text = render::status(task);
        match self.post.say(place, &text, Some(cancel_button(task.task_id))).await {
            Ok(message) => {
                let chat = self.post.book.chat_now(place.chat);
                self.post.book.put_status(task.task_id, StatusMessage { chat, message });
                if self.opened.try_send((task.task_id, text)).is_err() {
                    tracing::warn!(task_id = %task.task_id, "a status message is not followed: there are too many");
                }
            }
            Err(error) => tracing::warn!(task_id = %task.task_id, %error, "a status message could not be sent"),
        }
    }
}

fn cancel_button(task: TaskId) -> Value {
    json!({ "inline_keyboard": [[{ "text": "Cancel", "callback_data": format!("{CANCEL}{task}") }]] })
}

impl Follower {
    /// Keeps every status message up to date, for ever.
    pub(crate) async fn run(mut self) {
        let mut updates = self.station.admin().events();
        self.look_at_all().await;
        let mut edits: FuturesUnordered<BoxFuture<'static, Edited>> = FuturesUnordered::new();
        loop {
            self.begin_edits(&edits).into_iter().for_each(|edit| edits.push(edit));
            let due =
                self.wanted.iter().filter(|(id, _)| !self.editing.contains(id)).map(|(_, wanted)| wanted.at).min();
            tokio::select! {
                update = updates.next() => match update {
                    Some(Ok(update)) => self.want(&update.task),
                    Some(Err(_)) => self.look_at_all().await,
                    None => return,
                },
                Some((task, text)) = self.opened.recv() => {
                    self.shown.insert(task, Shown { text, since: Instant::now() });
                    self.look_at(task).await;
                }
                Some(edited) = edits.next() => self.end_edit(edited),
                () = sleep_until(due), if edits.len() < EDITS_MAX => {}
            }
        }
    }

    async fn look_at_all(&mut self) {
        for (task, _) in self.post.book.statuses() {
            self.look_at(task).await;
        }
    }

    async fn look_at(&mut self, task: TaskId) {
        match self.station.admin().task(task).await {
            Ok(record) => self.want(&record),
            Err(error) if error.kind() == ErrorKind::NotFound => self.forget(task),
            Err(error) => tracing::warn!(task_id = %task, %error, "a status message could not be brought up to date"),
        }
    }

    fn want(&mut self, task: &TaskRecord) {
        let id = task.task_id;
        if self.post.book.status(id).is_none() {
            return;
        }
        let (text, ended) = (render::status(task), task.is_terminal());
        let shown = self.shown.get(&id);
        if !ended && shown.is_some_and(|shown| shown.text == text) {
            self.wanted.remove(&id);
            return;
        }
        let now = Instant::now();
        let earliest = shown.map(|shown| shown.since + self.post.pace.edit_pause()).filter(|_| !ended);
        let at = earliest.unwrap_or(now).max(now);
        self.wanted.insert(id, Wanted { text, ended, at, tries: 0 });
    }

    /// Begins the edits that may go now; the others are put off.
    fn begin_edits(
        &mut self,
        under_way: &FuturesUnordered<BoxFuture<'static, Edited>>,
    ) -> Vec<BoxFuture<'static, Edited>> {
        let now = Instant::now();
        let due = |(id, wanted): &(&TaskId, &Wanted)| wanted.at <= now && !self.editing.contains(*id);
        let mut due: Vec<TaskId> = self.wanted.iter().filter(due).map(|(id, _)| *id).collect();
        due.sort_unstable();
        let mut begun = Vec::new();
        for task in due {
            if under_way.len() + begun.len() >= EDITS_MAX {
                break;
            }
            let Some(message) = self.post.book.status(task) else {
                self.forget(task);
                continue;
            };
            let Some(wanted) = self.wanted.get_mut(&task) else { continue };
            if let Err(at) = self.post.pace.edit(message.chat) {
                wanted.at = at;
                continue;
            }
            let Some(wanted) = self.wanted.remove(&task) else { continue };
            self.editing.insert(task);
            let post = Arc::clone(&self.post);
            begun.push(Box::pin(async move {
                let button = (!wanted.ended).then(|| cancel_button(task));
                let outcome = post.edit(message.chat, message.message, &wanted.text, button).await;
                Edited { task, wanted, outcome }
            }) as BoxFuture<'static, Edited>);
        }
        begun
    }

    fn end_edit(&mut self, edited: Edited) {
        let Edited { task, mut wanted, outcome } = edited;
        self.editing.remove(&task);
        let now = Instant::now();
        match outcome {
            Ok(()) if wanted.ended => self.forget(task),
            Ok(()) => {
                self.shown.insert(task, Shown { text: wanted.text, since: now });
                if let Some(next) = self.wanted.get_mut(&task).filter(|next| !next.ended) {
                    next.at = next.at.max(now + self.post.pace.edit_pause());
                }
            }
            Err(error) if error.migrated_to().is_some() => drop(self.wanted.entry(task).or_insert(wanted)),
            Err(error) if matches!(error.code(), Some(400..429)) => {
                tracing::debug!(task_id = %task, %error, "a status message cannot be edited any more");
                self.forget(task);
            }
            Err(error) => {
                wanted.tries += 1;
                if wanted.tries >= TRIES_MAX && wanted.ended {
                    tracing::info!(task_id = %task, %error, "a status message stays as it is");
                    self.forget(task);
                } else if wanted.tries < TRIES_MAX {
                    // The pace knows of a wait that was asked for.
                    wanted.at = now + AGAIN_AFTER;
                    self.wanted.entry(task).or_insert(wanted);
                }
            }
        }
    }

    fn forget(&mut self, task: TaskId) {
        self.wanted.remove(&task);
        self.shown.remove(&task);
        self.post.book.drop_status(task);
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
