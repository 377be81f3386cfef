//! The Telegram face: a bot whose commands are the tools.
//!
//! ```no_run
//! use stationthis_core::{Secret, Station, Timestamp};
//! use stationthis_host::files::{FileLimits, Files};
//! use stationthis_host::outgoing::{Guard, GuardedClient};
//! use stationthis_host::outputs::Outputs;
//! use stationthis_host::telegram::{Telegram, TelegramConfig};
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! # async fn run(builder: stationthis_core::station::StationBuilder) -> stationthis_core::Result<()> {
//! let config = TelegramConfig::new(Secret::new("123456:ABC…")).with_allowed([4242]);
//! let files = Files::open("files", FileLimits::new(50 << 20, 1 << 30, Duration::from_secs(86_400)), Timestamp::now())?;
//! let outputs = Outputs::new(GuardedClient::new(Guard::default())?);
//! let telegram = Telegram::new(config, outputs, files.clone())?;
//! let station = builder.media(Arc::new(files)).notifier(Arc::new(telegram.notifier())).build()?;
//! let handle = station.start().await?;
//! telegram.serve(station, tokio_util::sync::CancellationToken::new()).await
//! # }
//! ```
//!
//! `docs/telegram.md` says what people see of it. What it promises:
//!
//! - A message runs a tool once at most, however often it comes: its request is named by chat and message.
//! - An update is confirmed to Telegram after what it leads to is durable, but for the parts of a pushed album, which are
//!   confirmed as they come. The answer is a notice of the outbox, which delivers it after any crash, in reply to the
//!   message.
//! - A user sees, stops and pays for its own tasks alone; see [`users`](crate::users) for whose they are.
//! - The bot's token leaves the process in requests to the Bot API and nowhere else.

mod address;
mod answer;
mod api;
mod attachments;
mod book;
mod bot;
mod door;
mod menu;
mod notifier;
mod pace;
mod piece;
mod post;
#[cfg(feature = "testkit")]
pub mod reading;
mod render;
mod request;
mod serve;
mod status;
mod text;
mod updates;
mod webhook;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use stationthis_core::station::Station;
use stationthis_core::{Error, ErrorKind, Result, Secret};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) use menu::command_reason;
pub use notifier::TelegramNotifier;
pub use pace::Limits;

use crate::files::Files;
use crate::outputs::Outputs;
use api::BotApi;
use book::Book;
use door::Door;
use pace::Pace;
use post::Post;
use updates::Pushed;

/// Where the Bot API is.
const API_URL: &str = "https://api.telegram.org";

/// How the bot behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TelegramConfig {
    /// The bot's token.
    pub token: Secret,
    /// The base address of the Bot API.
    pub api_url: String,
    /// The chats that are served: people by their ids, groups by theirs, which are negative. Others are told so once.
    pub allowed: Vec<i64>,
    /// The host's public address, when Telegram is to push updates to it; without one they are polled for.
    pub webhook_base: Option<String>,
    /// How fast it speaks.
    pub limits: Limits,
}

impl TelegramConfig {
    /// A bot that polls for updates and serves nobody.
    #[must_use]
    pub fn new(token: Secret) -> Self {
        Self { token, api_url: API_URL.to_owned(), allowed: Vec::new(), webhook_base: None, limits: Limits::default() }
    }

    /// At another Bot API.
    #[must_use]
    pub fn with_api_url(mut self, url: impl Into<String>) -> Self {
        self.api_url = url.into();
        self
    }

    /// For these chats.
    #[must_use]
    pub fn with_allowed(mut self, chats: impl IntoIterator<Item = i64>) -> Self {
        self.allowed = chats.into_iter().collect();
        self
    }

    /// With updates pushed to [`Telegram::webhook_router`], which is served at this public address.
    #[must_use]
    pub fn with_webhook_base(mut self, base: Option<String>) -> Self {
        self.webhook_base = base;
        self
    }

    /// At another pace.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// A Telegram bot, not yet at work. Clones are the same bot.
#[derive(Clone, Debug)]
pub struct Telegram {
    post: Arc<Post>,
    door: Door,
    /// The bot's own number, which its token begins with and which is no secret.
    bot: String,
    webhook: Option<(String, webhook::Door)>,
    pushed: Arc<Mutex<Option<mpsc::Receiver<Pushed>>>>,
}

impl Telegram {
    /// A bot. `outputs` fetches what tools gave, where Telegram cannot do so itself; `files`, which the station must have
    /// too, keeps what people send. Nobody is asked anything yet.
    ///
    /// # Errors
    /// `InvalidInput` for a token that is none; `Unexpected` when no HTTP client can be made.
    pub fn new(config: TelegramConfig, outputs: Outputs, files: Files) -> Result<Self> {
        let bot = bot_number(&config.token)?;
        let api = BotApi::new(&config.api_url, config.token)?;
        let (sender, receiver) = mpsc::channel(webhook::WAITING_MAX);
        let webhook = match config.webhook_base {
            Some(base) => {
                let url = format!("{}{}", base.trim_end_matches('/'), webhook::PATH);
                Some((url, webhook::Door { secret: webhook::secret()?, pushed: sender }))
            }
            None => None,
        };
        let (pace, book, station) = (Pace::new(config.limits), Book::default(), Mutex::default());
        let post = Post { api, pace, book, outputs, files, station };
        Ok(Self {
            post: Arc::new(post),
            door: Door::new(config.allowed),
            bot,
            webhook,
            pushed: Arc::new(Mutex::new(Some(receiver))),
        })
    }

    /// What delivers answers: give it to the station's builder.
    #[must_use]
    pub fn notifier(&self) -> TelegramNotifier {
        TelegramNotifier::new(Arc::clone(&self.post), self.door.clone())
    }

    /// The route that Telegram pushes updates to, `POST /api/telegram/webhook`; none when updates are polled for. Merge it
    /// into the router that is served at the public address.
    pub fn webhook_router(&self) -> Router {
        self.webhook.as_ref().map_or_else(Router::new, |(_, door)| webhook::router(door.clone()))
    }

    /// Serves chats until `stop`. The station must have the [`notifier`](Self::notifier) and be at work.
    ///
    /// Telegram may be out of reach, now or later: it is tried again for ever.
    ///
    /// # Errors
    /// `Unauthorized` when Telegram does not know the token; `StoreUnavailable` or `Corrupt` when what it knew before
    /// cannot be read; `Conflict` when it is served already.
    pub async fn serve(&self, station: Station, stop: CancellationToken) -> Result<()> {
        let taken = self.pushed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let pushed = taken.ok_or_else(|| {
            Error::new(ErrorKind::Conflict, "serve Telegram").with_message("This bot is served already.")
        })?;
        serve::serve(self, station, pushed, &stop).await
    }
}

/// The name that the bot of a configuration has at Telegram; changes nothing there.
///
/// # Errors
/// `InvalidInput` for a token that is none, `Unauthorized` for one that Telegram does not know, `Unavailable` when
/// Telegram cannot be reached.
pub async fn bot_name(config: &TelegramConfig) -> Result<String> {
    bot_number(&config.token)?;
    match BotApi::new(&config.api_url, config.token.clone())?.me().await {
        Ok(me) => Ok(me.username),
        Err(error) if matches!(error.code(), Some(401 | 404)) => Err(updates::unknown(&error)),
        Err(error) => {
            Err(Error::new(ErrorKind::Unavailable, "ask Telegram for the bot").with_message(error.to_string()))
        }
    }
}

/// The number that a token begins with: `123456:ABC…`.
fn bot_number(token: &Secret) -> Result<String> {
    let refused = || {
        Error::new(ErrorKind::InvalidInput, "take Telegram token")
            .with_message("A Telegram token is a number, a colon and letters, as @BotFather gives it.")
    };
    let (number, rest) = token.expose().split_once(':').ok_or_else(refused)?;
    let plain = rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) && !rest.is_empty();
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) || !plain {
        return Err(refused());
    }
    Ok(number.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_begins_with_the_bots_number() {
        assert_eq!(bot_number(&Secret::new("123456:AB_c-9")).unwrap(), "123456");
        for bad in ["", "123456", "123456:", ":abc", "x:abc", "1:a b", "1:a/b", "1:a?b", "1:2:3"] {
            assert_eq!(bot_number(&Secret::new(bad)).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
        }
    }
}
