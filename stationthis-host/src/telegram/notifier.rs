//! Notices as messages of the bot.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use stationthis_core::notify::{Notice, Notifier, Receipt};
use stationthis_core::task::TaskRecord;
use stationthis_core::{Error, ErrorKind, NoticeId, Result};
use tokio::sync::watch;

use crate::telegram::address::Place;
use crate::telegram::answer;
use crate::telegram::api::CallError;
use crate::telegram::door::Door;
use crate::telegram::piece::{Form, Media, Piece};
use crate::telegram::post::{Post, Unsent};

/// How long an attempt waits for what is being sent. The outbox ends one after 30 s; a large film on a slow line takes
/// longer, so the sending goes on by itself and a later attempt asks what came of it.
const WAIT: Duration = Duration::from_secs(20);

/// Notices of which it is known how much of them was sent.
const JOBS_MAX: usize = 1024;

/// From this attempt on a file that cannot be fetched is named instead: its service has had minutes.
const NAMED_FROM_ATTEMPT: u32 = 4;

/// Answers in a chat. Channel `telegram`; the address is `CHAT`, `CHAT:THREAD` or `CHAT:THREAD:MESSAGE`, where the thread
/// may be left empty, of a chat that the bot serves.
///
/// What a task gave comes as pictures, films, sound, files, albums and texts, in reply to the message. A repeated notice
/// is sent again, but for the parts that this process knows to have arrived.
#[derive(Clone, Debug)]
pub struct TelegramNotifier {
    post: Arc<Post>,
    door: Door,
    jobs: Arc<Mutex<HashMap<NoticeId, Job>>>,
}

/// How far the sending of a notice is.
#[derive(Debug, Default)]
struct Job {
    /// Pieces that arrived.
    sent: usize,
    /// The attempt that is under way.
    running: Option<watch::Receiver<Option<Receipt>>>,
}

impl TelegramNotifier {
    pub(crate) fn new(post: Arc<Post>, door: Door) -> Self {
        Self { post, door, jobs: Arc::default() }
    }

    fn place(&self, address: &str) -> Result<Place> {
        let place: Place = address.parse()?;
        if !self.door.lets_in(place.chat, &self.post.book) {
            return Err(Error::new(ErrorKind::InvalidInput, "check Telegram address")
                .with_message("The bot does not serve this chat."));
        }
        Ok(place)
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<NoticeId, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes of the attempt that is under way, which is begun when there is none.
    fn attempt(&self, notice: &Notice, place: Place) -> watch::Receiver<Option<Receipt>> {
        let mut jobs = self.jobs();
        if jobs.len() >= JOBS_MAX {
            jobs.retain(|id, job| *id == notice.id || job.running.is_some());
        }
        let job = jobs.entry(notice.id).or_default();
        if let Some(running) = &job.running {
            return running.clone();
        }
        let (done, outcome) = watch::channel(None);
        job.running = Some(outcome.clone());
        let (this, notice, sent) = (self.clone(), notice.clone(), job.sent);
        tokio::spawn(async move {
            let receipt = this.send(&notice, place, sent).await;
            // Nobody may be waiting any more; the next attempt reads it.
            let _ = done.send(Some(receipt));
        });
        outcome
    }

    async fn send(&self, notice: &Notice, place: Place, sent: usize) -> Receipt {
        let pieces = answer::pieces(&notice.task);
        for (index, piece) in pieces.iter().enumerate().skip(sent) {
            let named = notice.attempt >= NAMED_FROM_ATTEMPT;
            if let Err(unsent) = send_somehow(&self.post, place, piece, &notice.task, named).await {
                return receipt(&unsent);
            }
            if let Some(job) = self.jobs().get_mut(&notice.id) {
                job.sent = index + 1;
            }
        }
        Receipt::Delivered
    }
}

#[async_trait]
impl Notifier for TelegramNotifier {
    fn channel(&self) -> &str {
        "telegram"
    }

    fn check(&self, address: &str) -> Result<()> {
        self.place(address).map(drop)
    }

    fn destination(&self, address: &str) -> String {
        address.parse::<Place>().map(|place| self.post.book.chat_now(place.chat).to_string()).unwrap_or_default()
    }

    async fn deliver(&self, notice: &Notice) -> Receipt {
        let place = match self.place(&notice.target.address) {
            Ok(place) => place,
            Err(error) => {
                let reason = error.message().unwrap_or_default().to_owned();
                // A group that moved is known by the bot's book, which is opened when the bot is at work.
                return if self.post.book.is_open() || notice.target.address.parse::<Place>().is_err() {
                    Receipt::Permanent { reason }
                } else {
                    Receipt::Retry { after: None, reason }
                };
            }
        };
        let mut outcome = self.attempt(notice, place);
        let Ok(ended) = tokio::time::timeout(WAIT, outcome.wait_for(Option::is_some)).await else {
            return Receipt::Retry { after: None, reason: "It is still being sent.".to_owned() };
        };
        // An attempt that ended without a word panicked.
        let receipt = ended.ok().and_then(|receipt| receipt.clone());
        let receipt = receipt.unwrap_or(Receipt::Retry { after: None, reason: "The sending broke off.".to_owned() });
        let mut jobs = self.jobs();
        match &receipt {
            Receipt::Retry { .. } => {
                if let Some(job) = jobs.get_mut(&notice.id) {
                    job.running = None;
                }
            }
            Receipt::Delivered | Receipt::Permanent { .. } | Receipt::NoRecipient => drop(jobs.remove(&notice.id)),
        }
        receipt
    }
}

/// Sends a piece in the first way that Telegram takes: as it is; fetched by the host; an album in parts; as a document; by
/// its name.
async fn send_somehow(post: &Post, place: Place, piece: &Piece, task: &TaskRecord, named: bool) -> Result<(), Unsent> {
    let unsent = match post.send(place, piece).await {
        Ok(_) => return Ok(()),
        Err(unsent) if !is_about_the_file(&unsent) => return Err(unsent),
        Err(unsent) => unsent,
    };
    match piece {
        Piece::Text { .. } => Err(unsent),
        Piece::Album(all, caption) => {
            for (index, media) in all.iter().enumerate() {
                let caption = if index == 0 { caption.clone() } else { String::new() };
                file_somehow(post, place, media.fetched(), caption, task, named).await?;
            }
            Ok(())
        }
        Piece::File(media, caption) if media.fetched() == *media => {
            fallen_back(post, place, media, caption.clone(), task, named, unsent).await
        }
        Piece::File(media, caption) => file_somehow(post, place, media.fetched(), caption.clone(), task, named).await,
    }
}

async fn file_somehow(
    post: &Post,
    place: Place,
    media: Media,
    caption: String,
    task: &TaskRecord,
    named: bool,
) -> Result<(), Unsent> {
    match post.send(place, &Piece::File(media.clone(), caption.clone())).await {
        Ok(_) => Ok(()),
        Err(unsent) if is_about_the_file(&unsent) => {
            fallen_back(post, place, &media, caption, task, named, unsent).await
        }
        Err(unsent) => Err(unsent),
    }
}

/// A file that was refused in its own form: as a document, which has other limits, or by its name.
async fn fallen_back(
    post: &Post,
    place: Place,
    media: &Media,
    caption: String,
    task: &TaskRecord,
    named: bool,
    mut unsent: Unsent,
) -> Result<(), Unsent> {
    if media.form != Form::Document && !matches!(unsent, Unsent::Unfetched(_)) {
        let document = Media { form: Form::Document, ..media.clone() };
        match post.send(place, &Piece::File(document, caption.clone())).await {
            Ok(_) => return Ok(()),
            Err(again) if !is_about_the_file(&again) => return Err(again),
            Err(again) => unsent = again,
        }
    }
    if matches!(unsent, Unsent::Unfetched(_)) && !named {
        return Err(unsent);
    }
    let text = Piece::text(answer::named(task, media, &caption));
    post.send(place, &text).await.map(drop)
}

/// Is it the file that was refused, so that another way may help?
fn is_about_the_file(unsent: &Unsent) -> bool {
    match unsent {
        Unsent::TooLarge | Unsent::Unfetched(_) => true,
        Unsent::Call(error) => matches!(error.code(), Some(400 | 413)) && !error.is_nobody(),
    }
}

fn receipt(unsent: &Unsent) -> Receipt {
    let reason = unsent.to_string();
    match unsent {
        Unsent::Call(error) if error.is_nobody() => Receipt::NoRecipient,
        Unsent::Call(CallError::Refused { code: 400 | 413, .. }) | Unsent::TooLarge => Receipt::Permanent { reason },
        Unsent::Call(error) => Receipt::Retry { after: error.retry_after(), reason },
        Unsent::Unfetched(_) => Receipt::Retry { after: None, reason },
    }
}
