//! Files that callers keep here for a while, to name them as inputs.

mod incoming;
mod kind;
mod shelf;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stationthis_core::media::{FileUri, MediaSource, ending_of};
use stationthis_core::provider::UploadFile;
use stationthis_core::{CallerId, Error, ErrorKind, Result, Timestamp};
use tokio::io::AsyncReadExt;

use shelf::Shelf;

pub use incoming::Incoming;

/// Files of one caller: each is kept for a day, and a busy caller runs some hundred tasks in one.
pub const FILES_PER_CALLER_MAX: usize = 1_000;

/// Files of all callers: what is known of each is in memory, about half a kilobyte.
pub const FILES_MAX: usize = 20_000;

/// The pause between two looks for files that have ended; they are not given any more before they are removed.
const SWEEP_PAUSE: Duration = Duration::from_secs(600);

/// How much of a file of this machine is read at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// The bytes of an id, which stands in hex: as many as a random one would have.
const ID_BYTES: usize = 16;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileLimits {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files of one caller.
    pub caller_bytes: u64,
    /// How long a file is kept.
    pub life: Duration,
}

impl FileLimits {
    /// These limits.
    #[must_use]
    pub const fn new(file_bytes: u64, caller_bytes: u64, life: Duration) -> Self {
        Self { file_bytes, caller_bytes, life }
    }
}

/// A file that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoredFile {
    /// Names it: made of its owner, its content and its type, so that the same file sent again has the same name.
    pub file_id: String,
    /// What an input names it by.
    pub uri: String,
    /// Its media type, by its content.
    pub mime: String,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its content, in hex.
    pub sha256: String,
    /// What its owner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// When it was kept first.
    pub created_at: Timestamp,
    /// When it is gone.
    pub expires_at: Timestamp,
}

/// The files of a data folder, each its owner's alone. Cheap to clone.
///
/// A file is a file of its id, and a document beside it; what lacks one of the two is not there, and is removed at the
/// next start. They are in no backup. A file that its owner sends again is the one that there is, with its end put off.
#[derive(Clone, Debug)]
pub struct Files(Arc<Shelf>);

impl Files {
    /// The files of a folder, which is made where it is missing; what was left half done or has ended is removed.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub fn open(folder: impl Into<PathBuf>, limits: FileLimits, now: Timestamp) -> Result<Self> {
        Ok(Self(Arc::new(Shelf::open(folder.into(), limits, now)?)))
    }

    /// Keeps a file of this machine for a caller, as of this type where it is known.
    ///
    /// # Errors
    /// As [`begin`](Self::begin), [`Incoming::write`] and [`Incoming::finish`]; `InvalidInput` when it cannot be read.
    pub async fn keep(&self, caller: &CallerId, path: &Path, declared: Option<&str>) -> Result<StoredFile> {
        let unreadable = |e: std::io::Error| {
            Error::new(ErrorKind::InvalidInput, "read file").with_message(format!("It cannot be read: {e}."))
        };
        let mut content = tokio::fs::File::open(path).await.map_err(unreadable)?;
        let mut incoming = self.begin(caller).await?;
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        while content.read_buf(&mut piece).await.map_err(unreadable)? > 0 {
            incoming.write(&piece).await?;
            piece.clear();
        }
        incoming.finish(declared, path.file_name().and_then(OsStr::to_str)).await
    }

    /// A new file of a caller, whose content is to be written. Whether the caller has room for it is found at its end: a
    /// file that is here already needs none.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn begin(&self, caller: &CallerId) -> Result<Incoming> {
        Incoming::begin(self.clone(), caller.clone()).await
    }

    /// The most bytes of one file.
    #[must_use]
    pub fn file_bytes_max(&self) -> u64 {
        self.0.limits.file_bytes
    }

    /// What is known of a file.
    ///
    /// # Errors
    /// `NotFound` when there is none, it has ended, or it is another caller's.
    pub fn get(&self, caller: &CallerId, id: &str, now: Timestamp) -> Result<StoredFile> {
        let index = self.0.index();
        let found = index.get(id).filter(|owned| owned.caller == *caller && now < owned.file.expires_at);
        found.map(|owned| owned.file.clone()).ok_or_else(missing)
    }

    /// A file's content.
    ///
    /// # Errors
    /// As [`get`](Self::get), and `StoreUnavailable`.
    pub async fn content(&self, caller: &CallerId, id: &str, now: Timestamp) -> Result<(StoredFile, tokio::fs::File)> {
        let file = self.get(caller, id, now)?;
        let path = self.0.path(id);
        match tokio::fs::File::open(&path).await {
            Ok(content) => Ok((file, content)),
            // It was removed meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing()),
            Err(error) => Err(unavailable(&path, error)),
        }
    }

    /// Removes a file. Tasks that name it and are not submitted yet will fail.
    ///
    /// # Errors
    /// As [`get`](Self::get), and `StoreUnavailable`.
    pub async fn remove(&self, caller: &CallerId, id: &str, now: Timestamp) -> Result<()> {
        self.get(caller, id, now)?;
        let id = id.to_owned();
        self.on_disk(move |shelf| shelf.remove(&id)).await
    }

    /// Removes what has ended by `now`; gives how many.
    ///
    /// # Errors
    /// `StoreUnavailable`; what was removed until then is gone.
    pub async fn sweep(&self, now: Timestamp) -> Result<usize> {
        self.on_disk(move |shelf| shelf.sweep(now)).await
    }

    /// Sweeps now and then, until the last clone is dropped.
    pub(crate) fn keep_swept(&self) {
        let shelf = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_PAUSE).await;
                let Some(files) = shelf.upgrade().map(Self) else { return };
                if let Err(error) = files.sweep(Timestamp::now()).await {
                    tracing::warn!(%error, "files that have ended could not be removed");
                }
            }
        });
    }

    /// Does what waits for the disk, to its end: a caller that goes away does not stop it half-way.
    async fn on_disk<T: Send + 'static>(&self, work: impl FnOnce(&Shelf) -> Result<T> + Send + 'static) -> Result<T> {
        let shelf = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || shelf.alone(work));
        done.await.map_err(|e| Error::new(ErrorKind::Unexpected, "keep file").with_source(e))?
    }
}

#[async_trait]
impl MediaSource for Files {
    async fn media_type(&self, caller: &CallerId, file: &FileUri) -> Result<String> {
        Ok(self.get(caller, file.id(), Timestamp::now())?.mime)
    }

    async fn read(&self, caller: &CallerId, file: &FileUri) -> Result<UploadFile> {
        use tokio::io::AsyncReadExt;

        let (file, mut content) = self.content(caller, file.id(), Timestamp::now()).await?;
        let mut bytes = Vec::with_capacity(usize::try_from(file.bytes).unwrap_or_default());
        content.read_to_end(&mut bytes).await.map_err(|error| unavailable(&self.0.path(&file.file_id), error))?;
        let name = format!("{}.{}", file.file_id, ending_of(&file.mime));
        Ok(UploadFile::new(name, file.mime, Bytes::from(bytes)))
    }
}

/// Names a file by whose it is, what is in it and what it is. Another caller's file of the same content has another id;
/// who reads ids learns no more from one than that, and none opens a file for anybody but its owner.
fn id_of(caller: &CallerId, mime: &str, content: &[u8]) -> String {
    let hash = Sha256::new().chain_update(content).chain_update(mime).chain_update([0]).chain_update(caller.as_str());
    hex::encode(hash.finalize().get(..ID_BYTES).unwrap_or_default())
}

fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "find file").with_message("There is no such file.")
}

fn unavailable(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::StoreUnavailable, "keep file")
        .with_message(format!("{}: {error}", path.display()))
        .with_source(error)
}

#[cfg(test)]
mod tests;
