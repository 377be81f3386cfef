//! Copies of the database while it is at work.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stationthis_core::store::SqliteStore;
use stationthis_core::{Error, ErrorKind, Result, Timestamp};
use uuid::Uuid;

/// A file name that every system takes, and long enough for a date and a word.
const NAME_CHARS_MAX: usize = 100;

/// Makes backups of a store into one folder, which nobody else can read.
#[derive(Clone, Debug)]
pub struct Backups {
    store: Arc<SqliteStore>,
    folder: PathBuf,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Backup {
    /// Where it is, on the machine that made it.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

impl Backups {
    /// Backups of `store` in `folder`, which is made (mode 0700) by the first one.
    #[must_use]
    pub const fn new(store: Arc<SqliteStore>, folder: PathBuf) -> Self {
        Self { store, folder }
    }

    /// A backup in the folder, under a bare file name (mode 0600): whole when this returns, of one moment, and marked as
    /// a backup, so that a station that starts over it submits nothing again. Reads and writes go on meanwhile.
    ///
    /// # Errors
    /// `InvalidInput` for what is no file name of letters, digits, `.`, `-` and `_`; `Conflict` when there is such a
    /// file; `StoreUnavailable` when it cannot be written.
    pub async fn make(&self, name: &str) -> Result<Backup> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if name.is_empty() || name.len() > NAME_CHARS_MAX || name.starts_with('.') || !name.bytes().all(plain) {
            return Err(Error::new(ErrorKind::InvalidInput, "back up the store").with_message(
                "A backup is a bare file name of letters, digits, `.`, `-` and `_` that does not begin with a dot.",
            ));
        }
        self.make_at(&self.folder.join(name)).await
    }

    /// As [`make`](Self::make), at any path of this machine.
    ///
    /// # Errors
    /// As [`make`](Self::make).
    pub async fn make_at(&self, path: &Path) -> Result<Backup> {
        if path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        self.make_folder().map_err(|e| failed(&self.folder, e))?;
        // In the private folder first: elsewhere others could read it before its mode is set, or see half of it.
        let part = self.folder.join(format!(".{}.part", Uuid::new_v4()));
        let made = match self.store.backup(&part, Timestamp::now()).await {
            Ok(()) => {
                let (from, to) = (part.clone(), path.to_owned());
                let placed = tokio::task::spawn_blocking(move || place(&from, &to)).await;
                placed.map_err(|e| Error::new(ErrorKind::Unexpected, "back up the store").with_source(e))?
            }
            Err(error) => Err(error),
        };
        // Half a copy after an error, or the other name of a whole one.
        let _ = tokio::fs::remove_file(&part).await;
        made.map(|bytes| Backup { path: path.to_owned(), bytes })
    }

    fn make_folder(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.folder)
    }
}

/// Gives a finished copy its name, if nothing has it yet.
fn place(part: &Path, path: &Path) -> Result<u64> {
    let file = File::open(part).map_err(|e| failed(part, e))?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(|e| failed(part, e))?;
    file.sync_all().map_err(|e| failed(part, e))?;
    let bytes = file.metadata().map_err(|e| failed(part, e))?.len();
    match std::fs::hard_link(part, path) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists(path)),
        // Another file system, or one without links.
        Err(_) => copy(file, path),
    }
}

fn copy(mut from: File, path: &Path) -> Result<u64> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let copied = options.open(path).and_then(|mut to| {
        let bytes = io::copy(&mut from, &mut to).and_then(|bytes| to.sync_all().map(|()| bytes));
        // Half a backup is none.
        bytes.inspect_err(|_| drop(std::fs::remove_file(path)))
    });
    copied.map_err(|e| if e.kind() == io::ErrorKind::AlreadyExists { exists(path) } else { failed(path, e) })
}

fn exists(path: &Path) -> Error {
    Error::new(ErrorKind::Conflict, "back up the store")
        .with_message(format!("{} is there already; a backup overwrites nothing.", path.display()))
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::StoreUnavailable, "back up the store")
        .with_message(format!("{}: {error}", path.display()))
        .with_source(error)
}
