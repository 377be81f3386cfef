//! What tasks gave, fetched through this host.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{once, unfold};
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE};
use reqwest::{Response, StatusCode};
use stationthis_core::station::Caller;
use stationthis_core::task::output::Output;
use stationthis_core::{Error, ErrorKind, Result, Retry, TaskId, Timestamp};

use crate::custody::ObjectCustody;
use crate::outgoing::{GuardedClient, SendError};

/// The most bytes of one output: a long film or a large model.
pub const OUTPUT_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// The longest one transfer may take: an hour is four gigabytes at 10 Mbit/s.
pub(crate) const TRANSFER_TIMEOUT: Duration = Duration::from_secs(3600);

/// The longest wait for the head of an answer, and between two pieces of it.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// URLs that end sooner than this are renewed first.
const EXPIRY_MARGIN: Duration = Duration::from_secs(10);

/// Fetches outputs: from custody where they are kept, else by the URL on the record, and where that has ended by one that
/// the service gives anew.
///
/// The record is not touched by it: a renewed URL is for this one fetch.
#[derive(Clone, Debug)]
pub struct Outputs {
    client: GuardedClient,
    custody: Option<ObjectCustody>,
}

/// The content of an output.
pub type Content = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// An output on its way. The content fails with `Unavailable` when the service stops sending, and with `TooLarge` after
/// [`OUTPUT_BYTES_MAX`]; dropping it ends the transfer.
pub struct Fetched {
    /// The output, as it is on the record.
    pub output: Output,
    /// Its media type.
    pub mime: String,
    /// The size of what comes, where it is known.
    pub bytes: Option<u64>,
    /// Which part of it comes, as `Content-Range` says it; absent for the whole.
    pub part: Option<HeaderValue>,
    /// What was asked for is a part that it has not; then there is no content.
    pub out_of_range: bool,
    /// Its content.
    pub content: Content,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("mime", &self.mime).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Outputs {
    /// Fetches with this client, which guards what services may name.
    #[must_use]
    pub const fn new(client: GuardedClient) -> Self {
        Self { client, custody: None }
    }

    /// From this custody first.
    #[must_use]
    pub fn with_custody(mut self, custody: Option<ObjectCustody>) -> Self {
        self.custody = custody;
        self
    }

    /// Where outputs are kept.
    pub(crate) const fn custody(&self) -> Option<&ObjectCustody> {
        self.custody.as_ref()
    }

    /// Output number `n` of a task, from zero; `range` is a `Range` header, handed on as it is (a service may answer it
    /// with the whole).
    ///
    /// # Errors
    /// `NotFound` for a task that is not the caller's and an output that there is not, `Gone` when the service has it no
    /// more, `TooLarge`, `Unavailable` when it cannot be fetched now.
    pub async fn fetch(&self, caller: &Caller, task: TaskId, n: usize, range: Option<&HeaderValue>) -> Result<Fetched> {
        let record = caller.task(task).await?;
        let none = || Error::new(ErrorKind::NotFound, "find output").with_message(format!("There is no output {n}."));
        let output = record.state.outputs.get(n).cloned().ok_or_else(none)?;
        self.fetch_known(output, range, caller.outputs_now(task)).await
    }

    /// An output of a record that is at hand; `now` gives what the service has of it, and is asked for when the URL has
    /// ended.
    pub(crate) async fn fetch_known(
        &self,
        output: Output,
        range: Option<&HeaderValue>,
        now: impl Future<Output = Result<Vec<Output>>> + Send,
    ) -> Result<Fetched> {
        let Some(address) = output.url.clone() else { return Ok(written_out(output)) };
        if let (Some(custody), Some(kept)) = (&self.custody, &output.custody) {
            match custody.fetch(&output, kept, range).await? {
                Some(fetched) => return Ok(fetched),
                None => tracing::warn!(key = kept.key, "an output is not where it was kept"),
            }
        }
        let ends = Timestamp::now().plus(EXPIRY_MARGIN);
        let answer = if output.expires_at.is_some_and(|at| at <= ends) {
            None
        } else {
            Some(get(&self.client, &address, range).await?).filter(|answer| !has_ended(answer.status()))
        };
        let answer = match answer {
            Some(answer) => answer,
            None => get(&self.client, &renewed(&output, now.await?)?, range).await?,
        };
        taken(output, answer)
    }
}

/// Asks for what is at an address that a service named; gives the head of the answer.
///
/// # Errors
/// `Unavailable`, to be tried again but where the address is one that is not called.
pub(crate) async fn get(client: &GuardedClient, address: &str, range: Option<&HeaderValue>) -> Result<Response> {
    let headers: HeaderMap = range.map(|range| (RANGE, range.clone())).into_iter().collect();
    let sent = tokio::time::timeout(PAUSE_MAX, client.fetch(address, headers, TRANSFER_TIMEOUT)).await;
    let sent = sent.map_err(|_| failed("it did not answer in time."))?;
    sent.map_err(|error| {
        let retry = if matches!(error, SendError::Refused(_)) { Retry::Never } else { Retry::Backoff };
        failed(&error.to_string()).with_retry(retry).with_source(error)
    })
}

/// The URL under which the service has it now.
fn renewed(output: &Output, now: Vec<Output>) -> Result<String> {
    now.into_iter().find(|fresh| fresh.same_as(output)).and_then(|fresh| fresh.url).ok_or_else(gone)
}

/// Storages answer so for what is not there any more, and for signatures that have ended.
pub(crate) fn has_ended(status: StatusCode) -> bool {
    matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE)
}

fn taken(output: Output, answer: Response) -> Result<Fetched> {
    let status = answer.status();
    if has_ended(status) {
        return Err(gone());
    }
    let out_of_range = status == StatusCode::RANGE_NOT_SATISFIABLE;
    if !out_of_range && !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return Err(failed(&format!("it answers {}.", status.as_u16())));
    }
    if answer.content_length().is_some_and(|bytes| bytes > OUTPUT_BYTES_MAX) {
        return Err(too_large());
    }
    let by_service = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let mime = output.mime.clone().or(by_service).unwrap_or_else(|| "application/octet-stream".to_owned());
    let part = answer.headers().get(CONTENT_RANGE).filter(|_| status != StatusCode::OK).cloned();
    let bytes = answer.content_length().filter(|_| !out_of_range);
    let content: Content =
        if out_of_range { Box::pin(futures_util::stream::empty()) } else { Box::pin(pieces(answer)) };
    Ok(Fetched { output, mime, bytes, part, out_of_range, content })
}

/// A text, or JSON, that stands on the record itself.
fn written_out(output: Output) -> Fetched {
    let (mime, text) = match (&output.text, &output.json) {
        (Some(text), _) => ("text/plain; charset=utf-8", text.clone()),
        (None, Some(json)) => ("application/json", json.to_string()),
        (None, None) => ("text/plain; charset=utf-8", String::new()),
    };
    let bytes = u64::try_from(text.len()).ok();
    let content = Box::pin(once(async { Ok(Bytes::from(text)) }));
    Fetched { output, mime: mime.to_owned(), bytes, part: None, out_of_range: false, content }
}

/// The body of an answer, with the limits of an output.
pub(crate) fn pieces(answer: Response) -> impl Stream<Item = Result<Bytes>> + Send {
    unfold(Some((answer, 0_u64)), async |state| {
        let (mut answer, seen) = state?;
        let piece = match tokio::time::timeout(PAUSE_MAX, answer.chunk()).await {
            Ok(Ok(piece)) => piece?,
            // Not with the URL: it may be presigned.
            Ok(Err(error)) => return Some((Err(failed(&format!("{}.", error.without_url()))), None)),
            Err(_) => return Some((Err(failed("it stopped sending.")), None)),
        };
        let seen = seen.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if seen > OUTPUT_BYTES_MAX {
            return Some((Err(too_large()), None));
        }
        Some((Ok(piece), Some((answer, seen))))
    })
}

pub(crate) fn gone() -> Error {
    Error::new(ErrorKind::Gone, "fetch output").with_message("The service does not have it any more.")
}

pub(crate) fn failed(reason: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "fetch output")
        .with_message(format!("The output cannot be fetched: {reason}"))
        .with_retry(Retry::Backoff)
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "fetch output").with_message("The output is larger than 4 GiB: use its URL.")
}
