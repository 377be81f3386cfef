//! A file on its way here.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use stationthis_core::media::FileUri;
use stationthis_core::{CallerId, Error, ErrorKind, Result, Timestamp};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::files::{DOCUMENT, Files, Owned, PART, StoredFile, kind, unavailable};

/// How much of the beginning of a file its type is told by.
const HEAD_BYTES: usize = 8 * 1024;

/// The longest name that is kept of a file.
const FILENAME_CHARS_MAX: usize = 200;

/// A file that is being written. Nobody sees it before it is whole; dropped, it leaves nothing.
#[derive(Debug)]
pub struct Incoming {
    files: Files,
    caller: CallerId,
    id: String,
    /// Where it is until it is whole.
    part: PathBuf,
    content: File,
    hash: Sha256,
    head: Vec<u8>,
    bytes: u64,
    /// The most bytes that it may have.
    room: u64,
}

impl Incoming {
    pub(super) async fn begin(files: Files, caller: CallerId, room: u64) -> Result<Self> {
        let id = Uuid::new_v4().simple().to_string();
        let part = files.0.path(&id).with_extension(PART);
        let content = File::create_new(&part).await.map_err(|error| unavailable(&part, error))?;
        let room = room.min(files.0.limits.file_bytes);
        Ok(Self { files, caller, id, part, content, hash: Sha256::new(), head: Vec::new(), bytes: 0, room })
    }

    /// Adds a piece.
    ///
    /// # Errors
    /// `TooLarge` when it is more than a file may have or the caller has room for; `StoreUnavailable`.
    pub async fn write(&mut self, piece: &[u8]) -> Result<()> {
        self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if self.bytes > self.room {
            return Err(Error::new(ErrorKind::TooLarge, "keep file")
                .with_message(format!("The file is larger than the {} bytes that are left for it.", self.room)));
        }
        self.hash.update(piece);
        let wanted = HEAD_BYTES.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(piece.get(..wanted).unwrap_or_default());
        self.content.write_all(piece).await.map_err(|error| unavailable(&self.part, error))
    }

    /// Keeps it: durable, and there for its owner, when this returns. The type that its sender declares must fit its
    /// content.
    ///
    /// # Errors
    /// `InvalidInput` for what is empty, or no picture, film, sound or 3D model; `TooLarge` when others of the caller
    /// took the room meanwhile; `StoreUnavailable`.
    pub async fn finish(mut self, declared: Option<&str>, filename: Option<&str>) -> Result<StoredFile> {
        let refused = |message: String| Error::new(ErrorKind::InvalidInput, "keep file").with_message(message);
        let mime = kind::media_type(&self.head, declared).map_err(refused)?;
        let failed = |error| unavailable(&self.part, error);
        self.content.flush().await.map_err(failed)?;
        self.content.sync_all().await.map_err(failed)?;
        let now = Timestamp::now();
        let file = StoredFile {
            uri: FileUri::new(self.id.clone())?.to_string(),
            file_id: self.id.clone(),
            mime,
            bytes: self.bytes,
            sha256: hex::encode(std::mem::take(&mut self.hash).finalize()),
            filename: filename.map(|name| name.chars().filter(|c| !c.is_control()).take(FILENAME_CHARS_MAX).collect()),
            created_at: now,
            expires_at: now.plus(self.files.0.limits.life),
        };
        let owned = Owned { caller: self.caller.clone(), file: file.clone() };
        let whole = self.files.0.path(&self.id);
        let document = whole.with_extension(DOCUMENT);
        let text = serde_json::to_vec(&owned)
            .map_err(|e| Error::new(ErrorKind::Unexpected, "write file's document").with_source(e))?;
        tokio::fs::rename(&self.part, &whole).await.map_err(failed)?;
        // From here on it is found again, so it counts; what fails below is taken back.
        let counted = self.count(owned);
        let written = match counted {
            Ok(()) => write_durably(&document, &text).await.map_err(|error| unavailable(&document, error)),
            Err(error) => Err(error),
        };
        if written.is_err() {
            let _ = self.files.0.remove(&self.id).await;
        }
        written.map(|()| file)
    }

    /// Adds it to what is known, if there still is room.
    fn count(&self, owned: Owned) -> Result<()> {
        let mut index = self.files.0.index();
        if self.files.0.room_of(&index, &self.caller)? < self.bytes {
            let message = "Other files of yours have taken the room that there was.";
            return Err(Error::new(ErrorKind::TooLarge, "keep file").with_message(message));
        }
        index.insert(self.id.clone(), owned);
        Ok(())
    }
}

async fn write_durably(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut document = File::create_new(path).await?;
    document.write_all(text).await?;
    document.sync_all().await
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Gone already when it was finished.
        let _ = std::fs::remove_file(&self.part);
    }
}
