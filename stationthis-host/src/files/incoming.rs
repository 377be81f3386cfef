//! A file on its way here.

use std::path::PathBuf;

use sha2::{Digest, Sha256};
use stationthis_core::media::FileUri;
use stationthis_core::{CallerId, Error, ErrorKind, Result, Timestamp};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::files::shelf::{Owned, PART};
use crate::files::{Files, StoredFile, id_of, kind, unavailable};

/// How much of the beginning of a file its type is told by.
const HEAD_BYTES: usize = 8 * 1024;

/// The longest name that is kept of a file.
const FILENAME_CHARS_MAX: usize = 200;

/// A file that is being written. Nobody sees it before it is whole; dropped, it leaves nothing.
#[derive(Debug)]
pub struct Incoming {
    files: Files,
    caller: CallerId,
    /// Where it is until it is whole.
    part: PathBuf,
    content: File,
    hash: Sha256,
    head: Vec<u8>,
    bytes: u64,
}

impl Incoming {
    pub(super) async fn begin(files: Files, caller: CallerId) -> Result<Self> {
        let part = files.0.path(&Uuid::new_v4().simple().to_string()).with_extension(PART);
        let content = File::create_new(&part).await.map_err(|error| unavailable(&part, error))?;
        Ok(Self { files, caller, part, content, hash: Sha256::new(), head: Vec::new(), bytes: 0 })
    }

    /// Adds a piece.
    ///
    /// # Errors
    /// `TooLarge` when it is more than a file may have; `StoreUnavailable`.
    pub async fn write(&mut self, piece: &[u8]) -> Result<()> {
        self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let max = self.files.file_bytes_max();
        if self.bytes > max {
            return Err(Error::new(ErrorKind::TooLarge, "keep file")
                .with_message(format!("The file is larger than {max} bytes, which a file may have.")));
        }
        self.hash.update(piece);
        let wanted = HEAD_BYTES.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(piece.get(..wanted).unwrap_or_default());
        self.content.write_all(piece).await.map_err(|error| unavailable(&self.part, error))
    }

    /// Keeps it: durable, and there for its owner, when this returns. The type that its sender declares must fit its
    /// content. What its owner sent before is the same file; its end is put off, and it needs no room.
    ///
    /// # Errors
    /// `InvalidInput` for what is empty, or no picture, film, sound or 3D model; `TooLarge` when the caller has as much as
    /// it may; `StoreUnavailable`.
    pub async fn finish(mut self, declared: Option<&str>, filename: Option<&str>) -> Result<StoredFile> {
        let refused = |message: String| Error::new(ErrorKind::InvalidInput, "keep file").with_message(message);
        let mime = kind::media_type(&self.head, declared).map_err(refused)?;
        let failed = |error| unavailable(&self.part, error);
        self.content.flush().await.map_err(failed)?;
        self.content.sync_all().await.map_err(failed)?;
        let content = std::mem::take(&mut self.hash).finalize();
        let (file_id, now) = (id_of(&self.caller, &mime, &content), Timestamp::now());
        let file = StoredFile {
            uri: FileUri::new(file_id.clone())?.to_string(),
            file_id,
            mime,
            bytes: self.bytes,
            sha256: hex::encode(content),
            filename: filename.map(|name| name.chars().filter(|c| !c.is_control()).take(FILENAME_CHARS_MAX).collect()),
            created_at: now,
            expires_at: now.plus(self.files.0.limits.life),
        };
        let (part, owned) = (self.part.clone(), Owned { caller: self.caller.clone(), file });
        self.files.on_disk(move |shelf| shelf.keep(&part, owned)).await
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Gone already when it was kept.
        let _ = std::fs::remove_file(&self.part);
    }
}
