//! Outputs in custody: in a folder of this machine or in an object store.

mod key;
mod kind;
mod place;
mod sweep;
mod upload;

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt};
use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use stationthis_core::custody::{Custody, KeepRequest, Kept};
use stationthis_core::task::output::Output;
use stationthis_core::{Error, ErrorKind, Result, Retry};
use uuid::Uuid;

use crate::custody::upload::Upload;
use crate::http::range::Range;
use crate::outgoing::GuardedClient;
use crate::outputs::{self, Content, Fetched};

pub use place::CustodyPlace;

/// What an output begins with, by which its type is told: more than any of the marks that are looked for.
const HEAD_BYTES: usize = 4096;

/// Keeps outputs at a [`CustodyPlace`], each as one object. Cheap to clone.
///
/// What is there is whole: an object appears when all its bytes are written, and a folder of this machine has them on
/// the disk by then. Keys begin with the host's id, so that several hosts may share a place and none removes another's.
#[derive(Clone)]
pub struct ObjectCustody(Arc<Inner>);

struct Inner {
    store: Arc<dyn ObjectStore>,
    /// The folder, where it is one of this machine.
    folder: Option<PathBuf>,
    host_id: String,
    client: GuardedClient,
    bytes_max: u64,
}

impl fmt::Debug for ObjectCustody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectCustody").field("store", &self.0.store.to_string()).finish_non_exhaustive()
    }
}

impl ObjectCustody {
    /// Custody at `place` for the host of this id. What is fetched has `bytes_max` bytes at most, and comes through `client`,
    /// which guards what services may name.
    ///
    /// # Errors
    /// `InvalidInput` for a place that this program cannot use, `StoreUnavailable` for a folder that cannot be made.
    pub fn open(
        place: &CustodyPlace,
        host_id: impl Into<String>,
        client: GuardedClient,
        bytes_max: u64,
    ) -> Result<Self> {
        let (store, folder) = place.open()?;
        Ok(Self(Arc::new(Inner { store, folder, host_id: host_id.into(), client, bytes_max })))
    }

    /// Writes, reads and removes a small object.
    ///
    /// # Errors
    /// `StoreUnavailable` when one of the three fails.
    pub async fn check(&self) -> Result<()> {
        let key = Path::from_iter([self.0.host_id.as_str(), &format!("check-{}", Uuid::new_v4().simple())]);
        let text = Bytes::from_static(b"written to see whether outputs can be kept here");
        let store = &self.0.store;
        store.put(&key, text.clone().into()).await.map_err(unusable)?;
        let found = store.get(&key).await.map_err(unusable)?.bytes().await.map_err(unusable)?;
        store.delete(&key).await.map_err(unusable)?;
        if found == text { Ok(()) } else { Err(unusable("it gave back something else")) }
    }

    /// An output that is kept, or the part of it that a `Range` header names; `None` when it is not there (any more).
    pub(crate) async fn fetch(
        &self,
        output: &Output,
        kept: &Kept,
        range: Option<&HeaderValue>,
    ) -> Result<Option<Fetched>> {
        let Ok(key) = Path::parse(&kept.key) else { return Ok(None) };
        let range = range.map_or(Range::Whole, |text| Range::asked(text, kept.bytes));
        let (part, length) = match range {
            Range::Whole => (None, kept.bytes),
            Range::Part(first, length) => (Some(GetRange::Bounded(first..first.saturating_add(length))), length),
            Range::Beyond => (None, 0),
        };
        let found = self.0.store.get_opts(&key, GetOptions { range: part, ..GetOptions::default() }).await;
        let Some(found) = there(found)? else { return Ok(None) };
        let out_of_range = range == Range::Beyond;
        Ok(Some(Fetched {
            output: output.clone(),
            mime: kept.mime.clone(),
            bytes: (!out_of_range).then_some(length),
            part: range.content_range(kept.bytes),
            out_of_range,
            content: if out_of_range { Box::pin(futures_util::stream::empty()) } else { Box::pin(pieces(found)) },
        }))
    }
}

#[async_trait]
impl Custody for ObjectCustody {
    async fn keep(&self, request: &KeepRequest) -> Result<Kept> {
        let key = key::of(&self.0.host_id, request);
        match self.0.recall(&key, request).await? {
            Some(kept) => Ok(kept),
            None => self.0.transfer(&key, request).await,
        }
    }
}

impl Inner {
    /// What an attempt kept that was not remembered: its URL may have ended since.
    async fn recall(&self, key: &Path, request: &KeepRequest) -> Result<Option<Kept>> {
        let Some(found) = there(self.store.get(key).await)? else { return Ok(None) };
        let (head, mut rest) = begun(pieces(found)).await?;
        // By rules of before; by those of now it is fetched again.
        let Ok(mime) = kind::media_type(&request.output, &head) else { return Ok(None) };
        let mut sum = Sum::of(&head);
        while let Some(piece) = rest.next().await {
            sum.add(&piece?);
        }
        Ok(Some(sum.kept(key, mime, request)))
    }

    async fn transfer(&self, key: &Path, request: &KeepRequest) -> Result<Kept> {
        let answer = self.answer(request).await?;
        let (head, mut rest) = begun(limited(outputs::pieces(answer), self.bytes_max)).await?;
        let mime = kind::media_type(&request.output, &head)?;
        let mut sum = Sum::of(&head);
        let mut upload = Upload::new(self.store.clone(), key.clone());
        upload.write(head).await?;
        while let Some(piece) = rest.next().await {
            let piece = piece?;
            sum.add(&piece);
            upload.write(piece).await?;
        }
        upload.finish().await?;
        Ok(sum.kept(key, mime, request))
    }

    /// The service's answer to a request for an output; its body is still to come.
    async fn answer(&self, request: &KeepRequest) -> Result<reqwest::Response> {
        let address = request.output.url.as_deref().unwrap_or_default();
        let answer = outputs::get(&self.client, address, None).await?;
        if outputs::has_ended(answer.status()) {
            return Err(outputs::gone());
        }
        if answer.status() != StatusCode::OK {
            return Err(outputs::failed(&format!("it answers {}.", answer.status().as_u16())));
        }
        if answer.content_length().is_some_and(|bytes| bytes > self.bytes_max) {
            return Err(too_large(self.bytes_max));
        }
        Ok(answer)
    }
}

/// What is known of bytes that went by.
struct Sum {
    hash: blake3::Hasher,
    bytes: u64,
}

impl Sum {
    fn of(head: &[u8]) -> Self {
        let mut sum = Self { hash: blake3::Hasher::new(), bytes: 0 };
        sum.add(head);
        sum
    }

    fn add(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
    }

    fn kept(&self, key: &Path, mime: String, request: &KeepRequest) -> Kept {
        Kept::new(key.as_ref(), self.hash.finalize().to_hex().to_string(), self.bytes, mime, request.at)
    }
}

/// The first bytes of a stream, as many as tell its type, and the rest of it.
async fn begun(pieces: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Result<(Bytes, Content)> {
    // It may end within the head, and is asked again for the rest.
    let mut pieces: Content = Box::pin(pieces.fuse());
    let mut head = Vec::new();
    while head.len() < HEAD_BYTES {
        match pieces.next().await {
            Some(piece) => head.extend_from_slice(&piece?),
            None => break,
        }
    }
    Ok((Bytes::from(head), pieces))
}

/// A stream that breaks off above a number of bytes.
fn limited(
    pieces: impl Stream<Item = Result<Bytes>> + Send + 'static,
    bytes_max: u64,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let mut seen = 0_u64;
    pieces.map(move |piece| {
        let piece = piece?;
        seen = seen.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if seen > bytes_max { Err(too_large(bytes_max)) } else { Ok(piece) }
    })
}

fn pieces(found: GetResult) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    found.into_stream().map(|piece| piece.map_err(unusable))
}

/// What was found, if it is there.
fn there(found: object_store::Result<GetResult>) -> Result<Option<GetResult>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(unusable(error)),
    }
}

/// The place fails. What it says is for the log: a caller learns neither names nor paths.
fn unusable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let error = error.into();
    tracing::warn!(%error, "the place where outputs are kept cannot be used");
    Error::new(ErrorKind::StoreUnavailable, "keep output")
        .with_message("The place where outputs are kept cannot be used now.")
        .with_retry(Retry::Backoff)
        .with_source(error)
}

fn too_large(bytes_max: u64) -> Error {
    let mib = bytes_max / (1024 * 1024);
    Error::new(ErrorKind::TooLarge, "keep output").with_message(format!("An output is larger than {mib} MiB."))
}

/// Where outputs are kept that no place was configured for.
pub(crate) fn folder_in(data: &FilePath) -> PathBuf {
    data.join("outputs")
}
