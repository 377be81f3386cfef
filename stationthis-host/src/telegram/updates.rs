//! Getting updates and seeing them through.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use stationthis_core::{Error, ErrorKind, Result};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::telegram::api::{CallError, Called, POLL_WAIT};
use crate::telegram::bot::Bot;
use crate::telegram::wire::Update;

/// Chats whose updates are handled at a time: fetching a picture of one must not hold up the others.
const CHATS_AT_ONCE: usize = 8;

/// Updates handled together: as many as Telegram gives at a time.
const BATCH_MAX: usize = 100;

/// Updates that are known to be done, so that a repeated one is not answered twice: some batches.
const SEEN_MAX: usize = 1024;

/// The messages of an album come one by one, within moments: so long must nothing more come of it.
const ALBUM_QUIET: Duration = Duration::from_millis(500);

/// Looks for more of an album: its ten messages never take as many seconds.
const ALBUM_LOOKS: u32 = 10;

/// The pauses after a request that failed: the first one, and the longest.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long the last words to Telegram may take when the host stops.
const LAST_WORD: Duration = Duration::from_secs(2);

/// An update that Telegram pushed, and whom to tell that it was seen through.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) update: Update,
    pub(crate) done: oneshot::Sender<()>,
}

/// The updates that were handled lately.
#[derive(Debug, Default)]
struct Seen(VecDeque<i64>);

impl Seen {
    fn add(&mut self, id: i64) {
        if self.0.len() >= SEEN_MAX {
            self.0.pop_front();
        }
        self.0.push_back(id);
    }
}

/// Asks for updates until `stop`. Telegram is told that an update is done (by the offset of the next request) only after
/// what it leads to is durable; until then it gives it again, after a crash too.
///
/// # Errors
/// `Unauthorized` when Telegram does not know the token.
pub(crate) async fn poll(bot: &Bot, stop: &CancellationToken) -> Result<()> {
    let (mut offset, mut pause, mut seen) = (None, PAUSE_MIN, Seen::default());
    loop {
        let asked = stop.run_until_cancelled(ask(bot, offset)).await;
        let Some(asked) = asked else {
            confirm(bot, offset).await;
            return Ok(());
        };
        let wait = match asked {
            // Broken off, they come again.
            Ok(updates) => match stop.run_until_cancelled(handle(bot, &updates, &mut seen)).await {
                None => continue,
                Some(Ok(())) => {
                    offset = updates.iter().map(|update| update.id.saturating_add(1)).max().or(offset);
                    pause = PAUSE_MIN;
                    continue;
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "updates of Telegram are handled again");
                    pause
                }
            },
            Err(error) if matches!(error.code(), Some(401 | 404)) => return Err(unknown(&error)),
            Err(error) => {
                // 409: somebody else polls for the same bot, or there is a webhook.
                tracing::warn!(%error, "Telegram gave no updates");
                error.retry_after().unwrap_or(pause)
            }
        };
        pause = (pause * 2).min(PAUSE_MAX);
        let _ = stop.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
}

/// Handles what is pushed, until `stop`.
pub(crate) async fn take(bot: &Bot, pushed: &mut mpsc::Receiver<Pushed>, stop: &CancellationToken) {
    let mut seen = Seen::default();
    while let Some(Some(first)) = stop.run_until_cancelled(pushed.recv()).await {
        let (updates, done) = together(first, pushed, stop).await;
        let has_album = updates.iter().any(|update| update.album().is_some());
        let mut pause = PAUSE_MIN;
        let handled = loop {
            let handling = handle(bot, &updates, &mut seen);
            // An album is not given again: it is seen through while the host stops, too.
            let handled =
                if has_album { last_word(stop, handling).await } else { stop.run_until_cancelled(handling).await };
            let Some(handled) = handled else { return };
            match handled {
                Err(error) if has_album && !stop.is_cancelled() => {
                    tracing::warn!(%error, "updates of Telegram are handled again");
                    let _ = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                handled => break handled,
            }
        };
        match handled {
            // Who waited may be gone; then Telegram sends it again.
            Ok(()) => done.into_iter().for_each(|done| done.send(()).unwrap_or_default()),
            Err(error) => tracing::warn!(%error, "updates of Telegram were not handled; it sends them again"),
        }
    }
}

/// What was pushed by now, and whom to tell when it is seen through; albums among it are whole.
///
/// Telegram pushes the next message of a chat when it was told that the last one is done. So the parts of an album are
/// confirmed as they come: what a crash takes within moments is an album that its sender sees no status message of.
async fn together(
    first: Pushed,
    pushed: &mut mpsc::Receiver<Pushed>,
    stop: &CancellationToken,
) -> (Vec<Update>, Vec<oneshot::Sender<()>>) {
    let until = tokio::time::Instant::now() + ALBUM_QUIET * ALBUM_LOOKS;
    let (mut updates, mut waiting, mut has_album) = (Vec::new(), Vec::new(), false);
    let mut next = Some(first);
    while let Some(Pushed { update, done }) = next {
        if update.album().is_some() {
            has_album = true;
            // Who waited may be gone; then Telegram sends it again.
            done.send(()).unwrap_or_default();
        } else {
            waiting.push(done);
        }
        updates.push(update);
        next = if updates.len() >= BATCH_MAX {
            None
        } else if has_album && !stop.is_cancelled() {
            let quiet = until.min(tokio::time::Instant::now() + ALBUM_QUIET);
            tokio::time::timeout_at(quiet, pushed.recv()).await.ok().flatten()
        } else {
            pushed.try_recv().ok()
        };
    }
    (updates, waiting)
}

/// What comes of it, for which there are moments when the host stops.
async fn last_word<T>(stop: &CancellationToken, done: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = done => Some(done),
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_WORD).await;
        } => None,
    }
}

/// The next updates; albums among them are whole.
async fn ask(bot: &Bot, offset: Option<i64>) -> Called<Vec<Update>> {
    let mut updates = read(bot.post.api.updates(offset, POLL_WAIT).await?);
    for _ in 0..ALBUM_LOOKS {
        // Whatever was not confirmed comes again, with what is new.
        if updates.len() >= BATCH_MAX || !updates.iter().any(|update| update.album().is_some()) {
            break;
        }
        tokio::time::sleep(ALBUM_QUIET).await;
        let again = read(bot.post.api.updates(offset, Duration::ZERO).await?);
        let still = again.len() == updates.len();
        updates = again;
        if still {
            break;
        }
    }
    Ok(updates)
}

fn read(raw: Vec<serde_json::Value>) -> Vec<Update> {
    raw.into_iter().filter_map(Update::read).collect()
}

/// Tells Telegram of the last updates that they are done, as nobody asks for more. When it does not arrive, they come
/// again at the next start and lead to nothing new.
async fn confirm(bot: &Bot, offset: Option<i64>) {
    if offset.is_some() {
        let _ = tokio::time::timeout(LAST_WORD, bot.post.api.updates(offset, Duration::ZERO)).await;
    }
}

/// Handles updates, those of one chat in order, of several chats at once. Albums are handled as one.
async fn handle(bot: &Bot, updates: &[Update], seen: &mut Seen) -> Result<()> {
    let mut chats: BTreeMap<Option<i64>, Vec<Vec<&Update>>> = BTreeMap::new();
    for update in updates.iter().filter(|update| !seen.0.contains(&update.id)) {
        let parts = chats.entry(update.chat()).or_default();
        let album = update.album();
        match parts.iter_mut().find(|part| album.is_some() && part.first().is_some_and(|first| first.album() == album))
        {
            Some(part) => part.push(update),
            None => parts.push(vec![update]),
        }
    }
    let each: Vec<_> = chats.into_values().map(|parts| of_chat(bot, parts)).collect();
    let mut all = futures_util::stream::iter(each).buffer_unordered(CHATS_AT_ONCE);
    let mut outcome = Ok(());
    while let Some((done, of_chat)) = all.next().await {
        done.into_iter().for_each(|id| seen.add(id));
        outcome = outcome.and(of_chat);
    }
    outcome
}

/// Handles the updates of one chat in order, until one fails: those that are done, and what came of it.
fn of_chat<'a>(bot: &'a Bot, parts: Vec<Vec<&'a Update>>) -> BoxFuture<'a, (Vec<i64>, Result<()>)> {
    Box::pin(async move {
        let mut done = Vec::new();
        for part in parts {
            match bot.handle(&part).await {
                Ok(()) => done.extend(part.iter().map(|update| update.id)),
                Err(error) => return (done, Err(error)),
            }
        }
        (done, Ok(()))
    })
}

/// The error of a token that Telegram does not know.
pub(crate) fn unknown(error: &CallError) -> Error {
    Error::new(ErrorKind::Unauthorized, "talk to Telegram")
        .with_message(format!("Telegram does not know the bot: {error}. Look at telegram.token."))
}
