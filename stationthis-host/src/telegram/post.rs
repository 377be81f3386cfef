//! Sending pieces: within the pace, to where the chat is now, by whichever way gets them there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use reqwest::Body;
use serde_json::{Value, json};
use stationthis_core::station::Station;
use stationthis_core::task::output::Output;
use stationthis_core::{Error, ErrorKind, Result, TaskId};

use crate::files::Files;
use crate::outputs::Outputs;
use crate::telegram::address::Place;
use crate::telegram::api::{Attached, BotApi, CallError, Called};
use crate::telegram::book::Book;
use crate::telegram::pace::Pace;
use crate::telegram::piece::{Media, Piece, Source, part};

/// Tries of one message: a wait that Telegram asked for, a move of the chat, a lost topic, and one more.
const TRIES: usize = 4;

/// What the bot speaks with.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) api: BotApi,
    pub(crate) pace: Pace,
    pub(crate) book: Book,
    /// Fetches what tools gave.
    pub(crate) outputs: Outputs,
    /// Keeps what people send.
    pub(crate) files: Files,
    /// Knows where outputs are now. There only while the bot is at work: the station holds the notifier, which holds this,
    /// and neither would ever end.
    pub(crate) station: Mutex<Option<Station>>,
}

/// What came of sending something.
pub(crate) type Sent<T> = std::result::Result<T, Unsent>;

/// Why a piece was not sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// Telegram refused, or gave no answer.
    Call(CallError),
    /// The file is larger than may be sent.
    TooLarge,
    /// The file cannot be fetched now. Why, in a sentence without the address.
    Unfetched(String),
}

impl From<CallError> for Unsent {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl std::fmt::Display for Unsent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::TooLarge => f.write_str("The file is too large."),
            Self::Unfetched(sentence) => f.write_str(sentence),
        }
    }
}

impl Post {
    /// Sends a text, waiting as long as Telegram asks; the id of the message.
    pub(crate) async fn say(&self, place: Place, text: &str, buttons: Option<Value>) -> Called<i64> {
        let piece = Piece::Text { text: text.to_owned(), buttons };
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match self.send(place, &piece).await {
                Ok(id) => return Ok(id),
                // The pace knows of the wait.
                Err(Unsent::Call(error)) if error.retry_after().is_some() && tries > 0 => {}
                Err(Unsent::Call(error)) => return Err(error),
                // A text has no file.
                Err(other) => return Err(CallError::Lost(other.to_string())),
            }
        }
    }

    /// Sends a piece once, in the pace of its chat; the id of the (first) message. Files are opened anew for each try.
    pub(crate) async fn send(&self, mut place: Place, piece: &Piece) -> Sent<i64> {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            place.chat = self.book.chat_now(place.chat);
            self.pace.turn(place.chat, piece.items()).await;
            let error = match self.call(piece, place).await {
                Ok(id) => {
                    self.pace.arrived(place.chat, piece.items());
                    return Ok(id);
                }
                Err(Unsent::Call(error)) => error,
                Err(other) => return Err(other),
            };
            self.heed(place.chat, &error);
            if error.migrated_to().is_some() && tries > 0 {
                // The thread and the message have other numbers there.
                (place.thread, place.message) = (None, None);
            } else if error.is_no_topic() && place.thread.is_some() && tries > 0 {
                place.thread = None;
            } else {
                return Err(error.into());
            }
        }
    }

    /// Edits a status message once, when it is its turn already.
    pub(crate) async fn edit(&self, chat: i64, message: i64, text: &str, buttons: Option<Value>) -> Called<()> {
        // Without buttons in it, an edit takes them away.
        let mut body = json!({ "chat_id": chat, "message_id": message, "text": text });
        crate::telegram::piece::put(&mut body, "reply_markup", buttons);
        match self.api.call::<Value>("editMessageText", &body).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_modified() => Ok(()),
            Err(error) => {
                self.heed(chat, &error);
                Err(error)
            }
        }
    }

    /// Notes what a refusal says about the chat.
    fn heed(&self, chat: i64, error: &CallError) {
        if let Some(time) = error.retry_after() {
            tracing::info!(chat, seconds = time.as_secs(), "Telegram asks to wait");
            self.pace.pause(chat, time);
        }
        if let Some(to) = error.migrated_to() {
            self.book.move_chat(chat, to);
        }
    }

    async fn call(&self, piece: &Piece, place: Place) -> Sent<i64> {
        let mut files = Vec::new();
        let over = Arc::new(AtomicBool::new(false));
        for (index, media) in piece.media().iter().enumerate() {
            files.extend(self.attached(media, index, &over).await?);
        }
        let fields = piece.fields(place);
        let sent: Called<Value> = if files.is_empty() {
            self.api.call(piece.method(), &fields).await
        } else {
            self.api.call_with(piece.method(), &fields, files).await
        };
        // An upload that was broken off from here looks like a lost answer.
        let sent = if over.load(Ordering::Relaxed) { return Err(Unsent::TooLarge) } else { sent? };
        let first = sent.as_array().and_then(|all| all.first()).unwrap_or(&sent);
        let id = first.get("message_id").and_then(Value::as_i64);
        id.ok_or_else(|| CallError::Lost("Telegram's answer names no message.".to_owned()).into())
    }

    /// The file as a part of an upload; nothing for one that Telegram fetches itself.
    async fn attached(&self, media: &Media, index: usize, over: &Arc<AtomicBool>) -> Sent<Option<Attached>> {
        let (content, bytes) = match &media.source {
            Source::Link(_) => return Ok(None),
            Source::Bytes(bytes) => (Body::from(bytes.clone()), Some(bytes.len() as u64)),
            Source::Fetched(output) => self.opened(output, media, Arc::clone(over)).await?,
        };
        let (filename, mime) = (media.filename.clone(), media.mime.clone());
        Ok(Some(Attached { part: part(index), filename, mime, content, bytes }))
    }

    /// The content of an output, as a stream that breaks off beyond the most that may be sent, and then says so.
    async fn opened(&self, output: &Output, media: &Media, over: Arc<AtomicBool>) -> Sent<(Body, Option<u64>)> {
        let most = media.form.bytes_max();
        let fetched = self.outputs.fetch_known(output.clone(), None, self.outputs_now(media.task)).await;
        let fetched = fetched.map_err(|error| unfetched(&error))?;
        if fetched.bytes.is_some_and(|bytes| bytes > most) {
            return Err(Unsent::TooLarge);
        }
        let mut seen = 0_u64;
        let content = fetched.content.map(move |piece| {
            let piece = piece?;
            seen = seen.saturating_add(piece.len() as u64);
            over.fetch_or(seen > most, Ordering::Relaxed);
            if seen > most { Err(Error::new(ErrorKind::TooLarge, "send output")) } else { Ok(piece) }
        });
        Ok((Body::wrap_stream(content), fetched.bytes))
    }

    /// What the service has of a task now.
    async fn outputs_now(&self, task: TaskId) -> Result<Vec<Output>> {
        let station = self.station.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let idle = || {
            Error::new(ErrorKind::Unavailable, "renew output")
                .with_message("The output cannot be fetched: its URL has ended, and the bot is not at work.")
        };
        station.ok_or_else(idle)?.admin().outputs_now(task).await
    }
}

fn unfetched(error: &Error) -> Unsent {
    match error.kind() {
        ErrorKind::TooLarge => Unsent::TooLarge,
        _ => Unsent::Unfetched(error.message().map_or_else(|| error.to_string(), str::to_owned)),
    }
}
