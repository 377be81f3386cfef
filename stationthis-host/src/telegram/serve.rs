//! The bot at work.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use stationthis_core::Result;
use stationthis_core::station::Station;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::telegram::Telegram;
use crate::telegram::api::{BotCommand, Called, Me};
use crate::telegram::bot::Bot;
use crate::telegram::menu::Menus;
use crate::telegram::post::Post;
use crate::telegram::status::statuses;
use crate::telegram::updates::{self, Pushed};

/// How long what is being said may take when the host stops. Answers of tasks are the outbox's, and not lost.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// The pauses after a failure: the first one, and the longest.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

pub(super) async fn serve(
    telegram: &Telegram,
    station: Station,
    mut pushed: mpsc::Receiver<Pushed>,
    stop: &CancellationToken,
) -> Result<()> {
    let post = &telegram.post;
    post.book.open(&station, &telegram.bot).await?;
    let _at_work = AtWork::begin(post, station.clone());
    let at_last = station.clone();
    let menus = Arc::new(Menus::default());
    let (statuses, follower) = statuses(Arc::clone(post), station.clone());
    // Dropped at the end, with all that is in it.
    let mut beside = JoinSet::new();
    let (keeper, at, bot) = (Arc::clone(post), station.clone(), telegram.bot.clone());
    beside.spawn(async move { keeper.book.keep(&at, &bot).await });
    beside.spawn(follower.run());
    let Some(me) = stop.run_until_cancelled(introduce(telegram)).await.transpose()? else { return Ok(()) };
    tracing::info!(bot = %me.username, id = me.id, "the Telegram bot is at work");
    let (menu_post, menu_station, menu_menus) = (Arc::clone(post), station.clone(), Arc::clone(&menus));
    beside.spawn(async move { keep_menu(&menu_post, &menu_station, &menu_menus).await });
    let bot = Bot::new(Arc::clone(post), telegram.door.clone(), station, menus, statuses, me.username);
    let outcome = if telegram.webhook.is_some() {
        updates::take(&bot, &mut pushed, stop).await;
        Ok(())
    } else {
        updates::poll(&bot, stop).await
    };
    bot.tracker.close();
    if tokio::time::timeout(LAST_WORDS, bot.tracker.wait()).await.is_err() {
        tracing::info!("some answers of the bot were not sent");
    }
    beside.shutdown().await;
    post.book.save(&at_last, &telegram.bot).await;
    outcome
}

/// Lends the station to what sends; dropped, it is taken back.
struct AtWork<'a>(&'a Post);

impl<'a> AtWork<'a> {
    fn begin(post: &'a Post, station: Station) -> Self {
        *post.station.lock().unwrap_or_else(PoisonError::into_inner) = Some(station);
        Self(post)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        *self.0.station.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Learns who the bot is, and says how it wants its updates; for as long as it takes.
async fn introduce(telegram: &Telegram) -> Result<Me> {
    let mut pause = PAUSE_MIN;
    loop {
        match greet(telegram).await {
            Ok(me) => return Ok(me),
            Err(error) if matches!(error.code(), Some(401 | 404)) => return Err(updates::unknown(&error)),
            Err(error) => {
                tracing::warn!(%error, "the Telegram bot cannot begin yet");
                tokio::time::sleep(error.retry_after().unwrap_or(pause)).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

async fn greet(telegram: &Telegram) -> Called<Me> {
    let api = &telegram.post.api;
    let me = api.me().await?;
    match &telegram.webhook {
        Some((url, door)) => api.set_webhook(url, &door.secret).await?,
        // While there is a webhook, nothing can be polled for.
        None => api.delete_webhook().await?,
    };
    Ok(me)
}

/// Keeps the menu of commands as the catalogue is, for ever.
async fn keep_menu(post: &Post, station: &Station, menus: &Menus) {
    let mut changes = station.registry().subscribe();
    let mut known: Option<Vec<BotCommand>> = None;
    let mut pause = PAUSE_MIN;
    loop {
        let snapshot = station.registry().snapshot();
        // Before the first catalogue there is nothing to show, and a menu of nothing would be shown for a while.
        if snapshot.revision() > 0 {
            let menu = menus.of(&snapshot);
            match push_menu(post, &menu.commands, &mut known).await {
                Ok(()) => pause = PAUSE_MIN,
                Err(error) => {
                    tracing::warn!(%error, "the menu of commands could not be set");
                    tokio::time::sleep(error.retry_after().unwrap_or(pause)).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                    continue;
                }
            }
        }
        // Who missed some looks at the catalogue all the same.
        if let Err(tokio::sync::broadcast::error::RecvError::Closed) = changes.recv().await {
            return;
        }
    }
}

/// Sets the menu when it is another than Telegram has.
async fn push_menu(post: &Post, commands: &[BotCommand], known: &mut Option<Vec<BotCommand>>) -> Called<()> {
    let there = match known.take() {
        Some(there) => there,
        None => post.api.commands().await?,
    };
    if there != commands {
        post.api.set_commands(commands).await?;
        tracing::info!(commands = commands.len(), "the menu of commands is set");
    }
    *known = Some(commands.to_vec());
    Ok(())
}
