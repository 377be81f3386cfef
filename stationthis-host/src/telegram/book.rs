//! What the bot must know again after a restart: small, bounded, in the station's store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stationthis_core::station::Station;
use stationthis_core::store::Put;
use stationthis_core::{Error, ErrorKind, Result, TaskId};
use tokio::sync::Notify;

/// Where it is kept: one document for each bot.
const NAMESPACE: &str = "telegram";

/// Status messages of tasks that have not ended: as many tasks as one chat host ever has under way. The oldest are
/// forgotten, and then stay as they are.
const STATUSES_MAX: usize = 1_000;

/// Chats that were turned away, so that each hears it once; and groups that got another id.
const CHATS_MAX: usize = 1_000;

/// Writes that lose against another process before this one gives up. There should be none: a bot has one host.
const PUT_ATTEMPTS: usize = 4;

/// What the bot must know again after a restart.
///
/// A write follows each change within moments. What a crash in between takes is cosmetic: a status message that is not
/// edited any more, a second refusal.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
    changed: Notify,
    opened: AtomicBool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Pages {
    /// By task, whose ids sort by time.
    statuses: BTreeMap<TaskId, StatusMessage>,
    /// Chats that were turned away, the latest last.
    refused: Vec<i64>,
    /// Groups that became supergroups, with their new ids.
    moved: BTreeMap<i64, i64>,
}

/// The message that tells how far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatusMessage {
    pub(crate) chat: i64,
    pub(crate) message: i64,
}

impl Book {
    /// Reads what is kept for a bot. What was learnt before this stays.
    ///
    /// # Errors
    /// `StoreUnavailable`; `Corrupt`.
    pub(crate) async fn open(&self, station: &Station, bot: &str) -> Result<()> {
        if let Some(document) = station.get_document(NAMESPACE, bot).await? {
            let kept: Pages = serde_json::from_slice(&document.bytes)
                .map_err(|e| Error::new(ErrorKind::Corrupt, "read the bot's book").with_source(e))?;
            let mut pages = self.pages();
            let learnt = std::mem::replace(&mut *pages, kept);
            pages.statuses.extend(learnt.statuses);
            pages.refused.extend(learnt.refused);
            pages.moved.extend(learnt.moved);
        }
        self.opened.store(true, Ordering::Release);
        Ok(())
    }

    /// Is it known what was kept?
    pub(crate) fn is_open(&self) -> bool {
        self.opened.load(Ordering::Acquire)
    }

    /// Writes what has changed, for ever.
    pub(crate) async fn keep(&self, station: &Station, bot: &str) {
        let mut written = self.pages().clone();
        let mut version = None;
        loop {
            self.changed.notified().await;
            let pages = self.pages().clone();
            if pages == written {
                continue;
            }
            match write(station, bot, &pages, &mut version).await {
                Ok(()) => written = pages,
                Err(error) => tracing::warn!(%error, "the bot's book could not be written"),
            }
        }
    }

    /// Writes what there is, once: what changed last may not have been written when the host stops.
    pub(crate) async fn save(&self, station: &Station, bot: &str) {
        let pages = self.pages().clone();
        if pages == Pages::default() {
            return;
        }
        if let Err(error) = write(station, bot, &pages, &mut None).await {
            tracing::warn!(%error, "the bot's book could not be written");
        }
    }

    /// The status message of a task.
    pub(crate) fn status(&self, task: TaskId) -> Option<StatusMessage> {
        self.pages().statuses.get(&task).copied()
    }

    /// Every status message that may still change.
    pub(crate) fn statuses(&self) -> Vec<(TaskId, StatusMessage)> {
        self.pages().statuses.iter().map(|(task, message)| (*task, *message)).collect()
    }

    /// The task of a status message.
    pub(crate) fn task_of(&self, chat: i64, message: i64) -> Option<TaskId> {
        let sought = StatusMessage { chat, message };
        self.pages().statuses.iter().find(|(_, known)| **known == sought).map(|(task, _)| *task)
    }

    pub(crate) fn put_status(&self, task: TaskId, message: StatusMessage) {
        self.change(|pages| {
            pages.statuses.insert(task, message);
            while pages.statuses.len() > STATUSES_MAX {
                pages.statuses.pop_first();
            }
        });
    }

    pub(crate) fn drop_status(&self, task: TaskId) {
        self.change(|pages| pages.statuses.remove(&task));
    }

    /// Notes that a chat is turned away; false when it was before.
    pub(crate) fn refuse(&self, chat: i64) -> bool {
        self.change(|pages| {
            if pages.refused.contains(&chat) {
                return false;
            }
            pages.refused.push(chat);
            let over = pages.refused.len().saturating_sub(CHATS_MAX);
            pages.refused.drain(..over);
            true
        })
    }

    /// A group has become a supergroup.
    pub(crate) fn move_chat(&self, from: i64, to: i64) {
        self.change(|pages| {
            pages.moved.insert(from, to);
            while pages.moved.len() > CHATS_MAX {
                pages.moved.pop_first();
            }
            for message in pages.statuses.values_mut().filter(|message| message.chat == from) {
                message.chat = to;
            }
        });
    }

    /// The present id of a chat.
    pub(crate) fn chat_now(&self, chat: i64) -> i64 {
        self.pages().moved.get(&chat).copied().unwrap_or(chat)
    }

    /// The former ids of a chat.
    pub(crate) fn chat_before(&self, chat: i64) -> Vec<i64> {
        self.pages().moved.iter().filter(|(_, to)| **to == chat).map(|(from, _)| *from).collect()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Pages) -> T) -> T {
        let done = change(&mut self.pages());
        self.changed.notify_one();
        done
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(station: &Station, bot: &str, pages: &Pages, version: &mut Option<u64>) -> Result<()> {
    let bytes = serde_json::to_vec(pages)
        .map_err(|e| Error::new(ErrorKind::Unexpected, "write the bot's book").with_source(e))?;
    for _ in 0..PUT_ATTEMPTS {
        match station.put_document(NAMESPACE, bot, *version, Bytes::from(bytes.clone())).await? {
            Put::Done(now) => {
                *version = Some(now);
                return Ok(());
            }
            Put::Stale(there) => *version = there,
        }
    }
    Err(Error::new(ErrorKind::Conflict, "write the bot's book"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(n: u128) -> TaskId {
        uuid::Uuid::from_u128(n).to_string().parse().unwrap()
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_go_first() {
        let book = Book::default();
        for n in 0..1_200_u128 {
            let id = i64::try_from(n).unwrap();
            book.put_status(task(n), StatusMessage { chat: id, message: id });
            assert!(book.refuse(id + 1) && !book.refuse(id + 1));
        }
        assert_eq!(book.statuses().len(), STATUSES_MAX);
        assert!(book.status(task(199)).is_none() && book.status(task(200)).is_some());
        assert!(book.refuse(1), "long ago");
        assert_eq!(book.task_of(900, 900), Some(task(900)));
    }

    #[test]
    fn a_group_that_moved_takes_its_status_messages_along() {
        let book = Book::default();
        book.put_status(task(1), StatusMessage { chat: -5, message: 9 });
        book.move_chat(-5, -1005);
        assert_eq!(book.status(task(1)), Some(StatusMessage { chat: -1005, message: 9 }));
        assert_eq!((book.chat_now(-5), book.chat_now(-6)), (-1005, -6));
        assert_eq!(book.chat_before(-1005), [-5]);
    }
}
