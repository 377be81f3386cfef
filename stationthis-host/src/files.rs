//! Files that callers keep here for a while, to name them as inputs.

mod incoming;
mod kind;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stationthis_core::media::{FileUri, MediaSource, ending_of};
use stationthis_core::provider::UploadFile;
use stationthis_core::{CallerId, Error, ErrorKind, Result, Timestamp};
use tokio::io::AsyncReadExt;

pub use incoming::Incoming;

/// Files of one caller: each is kept for a day, and a busy caller runs some hundred tasks in one.
pub const FILES_PER_CALLER_MAX: usize = 1_000;

/// Files of all callers: what is known of each is in memory, about half a kilobyte.
pub const FILES_MAX: usize = 20_000;

/// The pause between two looks for files that have ended; they are not given any more before they are removed.
const SWEEP_PAUSE: Duration = Duration::from_secs(600);

/// The ending of the names of the documents about files.
const DOCUMENT: &str = "json";

/// How much of a file of this machine is read at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// The ending of what is not whole yet.
const PART: &str = "part";

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
    /// Names it.
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
    /// When it was kept.
    pub created_at: Timestamp,
    /// When it is gone.
    pub expires_at: Timestamp,
}

/// The document beside a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Owned {
    caller: CallerId,
    file: StoredFile,
}

/// The files of a data folder, each its owner's alone. Cheap to clone.
///
/// A file is a file of its id, and a document beside it; what lacks one of the two is not there, and is removed at the
/// next start. They are in no backup.
#[derive(Clone, Debug)]
pub struct Files(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    folder: PathBuf,
    limits: FileLimits,
    index: Mutex<HashMap<String, Owned>>,
}

impl Files {
    /// The files of a folder, which is made where it is missing; what was left half done or has ended is removed.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub fn open(folder: impl Into<PathBuf>, limits: FileLimits, now: Timestamp) -> Result<Self> {
        let folder = folder.into();
        crate::data_dir::make(&folder)?;
        let failed = |error: std::io::Error| unavailable(&folder, error);
        let mut index = HashMap::new();
        let mut strays = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_none_or(|ending| ending != DOCUMENT) {
                strays.push(path);
                continue;
            }
            match read_document(&path).filter(|owned| now < owned.file.expires_at && path.with_extension("").is_file())
            {
                Some(owned) => drop(index.insert(owned.file.file_id.clone(), owned)),
                None => strays.push(path),
            }
        }
        let known = |path: &Path| path.file_name().and_then(|name| index.get(name.to_str()?)).is_some();
        for path in strays.iter().filter(|path| !known(path)) {
            std::fs::remove_file(path).map_err(|error| unavailable(path, error))?;
        }
        Ok(Self(Arc::new(Shelf { folder, limits, index: Mutex::new(index) })))
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

    /// A new file of a caller, whose content is to be written.
    ///
    /// # Errors
    /// `TooLarge` when the caller has as much as it may; `StoreUnavailable`.
    pub async fn begin(&self, caller: &CallerId) -> Result<Incoming> {
        let room = self.room_of(caller)?;
        Incoming::begin(self.clone(), caller.clone(), room).await
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
        self.0.remove(id).await
    }

    /// Removes what has ended by `now`; gives how many.
    ///
    /// # Errors
    /// `StoreUnavailable`; what was removed until then is gone.
    pub async fn sweep(&self, now: Timestamp) -> Result<usize> {
        self.0.sweep(now).await
    }

    /// Sweeps now and then, until the last clone is dropped.
    pub(crate) fn keep_swept(&self) {
        let shelf = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_PAUSE).await;
                let Some(shelf) = shelf.upgrade() else { return };
                if let Err(error) = shelf.sweep(Timestamp::now()).await {
                    tracing::warn!(%error, "files that have ended could not be removed");
                }
            }
        });
    }

    /// How many bytes a caller may add.
    fn room_of(&self, caller: &CallerId) -> Result<u64> {
        self.0.room_of(&self.0.index(), caller)
    }
}

impl Shelf {
    fn index(&self) -> MutexGuard<'_, HashMap<String, Owned>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    fn room_of(&self, index: &HashMap<String, Owned>, caller: &CallerId) -> Result<u64> {
        let full = |message: String| Err(Error::new(ErrorKind::TooLarge, "keep file").with_message(message));
        let own = index.values().filter(|owned| owned.caller == *caller);
        let (count, bytes) =
            own.fold((0_usize, 0_u64), |(n, sum), owned| (n + 1, sum.saturating_add(owned.file.bytes)));
        let room = self.limits.caller_bytes.saturating_sub(bytes);
        if count >= FILES_PER_CALLER_MAX {
            return full(format!("At most {FILES_PER_CALLER_MAX} files of a caller are kept: remove some."));
        }
        if index.len() >= FILES_MAX {
            return full("Too many files are kept here.".to_owned());
        }
        if room == 0 {
            let all = self.limits.caller_bytes / (1024 * 1024);
            return full(format!("Your files have the {all} MiB that they may have: remove some."));
        }
        Ok(room)
    }

    async fn remove(&self, id: &str) -> Result<()> {
        self.index().remove(id);
        let path = self.path(id);
        // The document first: a file without one is not there.
        for path in [path.with_extension(DOCUMENT), path] {
            match tokio::fs::remove_file(&path).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unavailable(&path, error)),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    async fn sweep(&self, now: Timestamp) -> Result<usize> {
        let ended: Vec<String> = {
            let index = self.index();
            let ended = index.values().filter(|owned| owned.file.expires_at <= now);
            ended.map(|owned| owned.file.file_id.clone()).collect()
        };
        for id in &ended {
            self.remove(id).await?;
        }
        Ok(ended.len())
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

/// What cannot be read is no document of ours.
fn read_document(path: &Path) -> Option<Owned> {
    let owned: Owned = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    (path.file_stem()?.to_str()? == owned.file.file_id).then_some(owned)
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
