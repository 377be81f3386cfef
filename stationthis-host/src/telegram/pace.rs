//! How fast the bot may speak.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::telegram::address::Place;

/// Chats whose last message is remembered before the old ones are forgotten: many more than speak within a minute.
const CHATS_MAX: usize = 1024;

/// Below Telegram's own limits (its bot FAQ: about one message a second in a chat, 20 a minute in a group, 30 a second in
/// all), which it says are not exact.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// From one message in a chat to the next.
    pub chat_pause: Duration,
    /// Messages in a group within [`group_window`](Self::group_window).
    pub group_messages: usize,
    /// See above.
    pub group_window: Duration,
    /// Messages in all chats within [`all_window`](Self::all_window).
    pub all_messages: usize,
    /// See above.
    pub all_window: Duration,
    /// From one edit of a status message to the next, at least: nobody reads faster.
    pub edit_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            chat_pause: Duration::from_secs(1),
            group_messages: 18,
            group_window: Duration::from_secs(60),
            all_messages: 25,
            all_window: Duration::from_secs(1),
            edit_pause: Duration::from_secs(3),
        }
    }
}

impl Limits {
    fn pause_after(&self, items: usize) -> Duration {
        self.chat_pause.saturating_mul(u32::try_from(items).unwrap_or(u32::MAX))
    }

    /// The same limits in a world that is `times` as fast: for tests.
    #[must_use]
    pub fn faster(self, times: u32) -> Self {
        Self {
            chat_pause: self.chat_pause / times,
            group_window: self.group_window / times,
            all_window: self.all_window / times,
            edit_pause: self.edit_pause / times,
            ..self
        }
    }
}

/// Who may speak when.
///
/// New messages of a chat take turns in the order in which they asked; edits go when nobody else wants to, and leave a
/// third of what a group may get to new messages.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    chats: HashMap<i64, Chat>,
    /// When the latest messages were let go, in all chats.
    all: VecDeque<Instant>,
}

#[derive(Debug, Default)]
struct Chat {
    /// Held by who is next: a fair lock is a queue.
    queue: Arc<tokio::sync::Mutex<()>>,
    next_at: Option<Instant>,
    paused_until: Option<Instant>,
    /// When the latest messages were let go, in a group.
    recent: VecDeque<Instant>,
}

impl Pace {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    /// From one edit of a message to the next.
    pub(crate) const fn edit_pause(&self) -> Duration {
        self.limits.edit_pause
    }

    /// Waits until `items` messages (an album counts each) may be sent to a chat, and counts them.
    pub(crate) async fn turn(&self, chat: i64, items: usize) {
        let queue = Arc::clone(&self.state().chats.entry(chat).or_default().queue);
        let _first = queue.lock().await;
        while let Err(at) = self.take(chat, items, self.limits.group_messages) {
            tokio::time::sleep_until(at).await;
        }
    }

    /// What had its turn has arrived. An upload takes a while, and what counts is when messages arrive.
    pub(crate) fn arrived(&self, chat: i64, items: usize) {
        let next_at = Instant::now() + self.limits.pause_after(items);
        let mut state = self.state();
        let chat = state.chats.entry(chat).or_default();
        chat.next_at = chat.next_at.max(Some(next_at));
    }

    /// May a message of this chat be edited now? When it may, it is counted; else the time to ask again.
    pub(crate) fn edit(&self, chat: i64) -> Result<(), Instant> {
        let queue = Arc::clone(&self.state().chats.entry(chat).or_default().queue);
        match queue.try_lock() {
            Ok(_nobody_waits) => self.take(chat, 1, self.limits.group_messages * 2 / 3),
            Err(_) => Err(Instant::now() + self.limits.chat_pause),
        }
    }

    /// Nothing goes to this chat for so long: Telegram says so.
    pub(crate) fn pause(&self, chat: i64, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.state();
        let chat = state.chats.entry(chat).or_default();
        chat.paused_until = chat.paused_until.max(Some(until));
    }

    fn take(&self, chat: i64, items: usize, group_messages: usize) -> Result<(), Instant> {
        let now = Instant::now();
        let limits = &self.limits;
        let mut state = self.state();
        let State { chats, all } = &mut *state;
        forget(all, now, limits.all_window);
        if chats.len() > CHATS_MAX {
            chats.retain(|id, known| *id == chat || !known.is_idle(now, limits));
        }
        let known = chats.entry(chat).or_default();
        forget(&mut known.recent, now, limits.group_window);
        let group =
            Place::is_group(chat).then(|| full_until(&known.recent, items, group_messages, limits.group_window));
        let all_until = full_until(all, items, limits.all_messages, limits.all_window);
        let wait = [known.next_at, known.paused_until, group.flatten(), all_until].into_iter().flatten().max();
        if let Some(at) = wait.filter(|at| *at > now) {
            return Err(at);
        }
        known.next_at = Some(now + limits.pause_after(items));
        if Place::is_group(chat) {
            known.recent.extend(std::iter::repeat_n(now, items));
        }
        all.extend(std::iter::repeat_n(now, items));
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chat {
    fn is_idle(&self, now: Instant, limits: &Limits) -> bool {
        let over = |at: Option<Instant>| at.is_none_or(|at| at <= now);
        let quiet = self.recent.back().is_none_or(|at| *at + limits.group_window <= now);
        over(self.next_at) && over(self.paused_until) && quiet && Arc::strong_count(&self.queue) == 1
    }
}

fn forget(times: &mut VecDeque<Instant>, now: Instant, window: Duration) {
    while times.front().is_some_and(|at| *at + window <= now) {
        times.pop_front();
    }
}

/// When there is room for `items` more among `most` within the window; `None`: there is.
fn full_until(times: &VecDeque<Instant>, items: usize, most: usize, window: Duration) -> Option<Instant> {
    // More than the whole go alone.
    let free = most.saturating_sub(items.min(most));
    let over = times.len().checked_sub(free)?.checked_sub(1)?;
    times.get(over).map(|at| *at + window)
}

#[cfg(test)]
mod tests;
