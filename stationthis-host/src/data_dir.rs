//! The folder in which a host keeps what must survive it.

pub mod keys;

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use stationthis_core::notify::SigningKeys;
use stationthis_core::webhook::CallbackKeys;
use stationthis_core::{Error, ErrorKind, Result, Timestamp};
use uuid::Uuid;

pub use keys::{KeyFile, KeyState, StoredKey, StoredKeys};

/// The file of the host's id.
const HOST_ID: &str = "host-id";

/// The file of the database.
const DATABASE: &str = "stationthis.sqlite3";

/// A data folder, held exclusively: two hosts on one folder would take each other's leases for their own.
///
/// The lock is the operating system's, so it ends with the process however that ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Held open for its lock.
    _lock: File,
}

impl DataDir {
    /// Makes the folder where it is missing (mode 0700) and locks it.
    ///
    /// # Errors
    /// `Conflict` when another process holds it, `StoreUnavailable` when it cannot be made or opened.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let failed = |e: std::io::Error| unavailable(&path, e);
        make(&path)?;
        let lock = private().create(true).truncate(false).open(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::new(ErrorKind::Conflict, "lock data folder").with_message(
                format!("{} is in use by another host; ask that one with --host URL, or stop it.", path.display()),
            )),
            Err(TryLockError::Error(e)) => Err(unavailable(&path, e)),
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the tasks are.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        database_in(&self.path)
    }

    /// Where backups go that are made without a place of their own.
    #[must_use]
    pub fn backups(&self) -> PathBuf {
        self.path.join("backups")
    }

    /// Where callers' files are.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    /// What tells this folder's host from others: a random word, made at the first start. No secret.
    ///
    /// # Errors
    /// `StoreUnavailable` when it cannot be read or written.
    pub fn host_id(&self) -> Result<String> {
        if let Some(id) = host_id_in(&self.path) {
            return Ok(id);
        }
        let id = Uuid::new_v4().simple().to_string();
        let path = self.path.join(HOST_ID);
        std::fs::write(&path, &id).map_err(|e| unavailable(&path, e))?;
        Ok(id)
    }

    /// The keys of callback URLs, made at the first start: those of [`KeyFile::callback`] that are accepted now.
    ///
    /// # Errors
    /// `Corrupt` when the file cannot be understood, `StoreUnavailable` when it cannot be read or written.
    pub fn callback_keys(&self) -> Result<CallbackKeys> {
        KeyFile::callback(&self.path).open()?.callback_keys(Timestamp::now())
    }

    /// The master keys of outgoing webhooks, made at the first start: those of [`KeyFile::webhooks`] that sign now.
    ///
    /// # Errors
    /// As [`callback_keys`](Self::callback_keys).
    pub fn webhook_keys(&self) -> Result<SigningKeys> {
        KeyFile::webhooks(&self.path).open()?.signing_keys(Timestamp::now())
    }
}

/// The database of a folder that another process may hold.
#[must_use]
pub fn database_in(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// The [`DataDir::host_id`] of a folder that another process may hold, where there is one.
#[must_use]
pub fn host_id_in(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(HOST_ID)).ok()?;
    let id = text.trim();
    (id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())).then(|| id.to_owned())
}

/// Makes the folder where it is missing, for its owner only.
pub(crate) fn make(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| unavailable(path, e))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn unavailable(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::StoreUnavailable, "open data folder")
        .with_message(format!("{}: {error}", path.display()))
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use stationthis_core::{ProviderId, TaskId};

    use super::*;

    #[test]
    fn a_folder_has_one_holder_and_is_free_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path().join("a/b")).unwrap();
        let id = first.host_id().unwrap();
        assert_eq!((first.host_id().unwrap(), host_id_in(first.path())), (id.clone(), Some(id)));
        let error = DataDir::open(dir.path().join("a/b")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        drop(first);
        DataDir::open(dir.path().join("a/b")).unwrap();
    }

    #[test]
    fn callback_keys_survive_and_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path()).unwrap();
        let at = Timestamp::from_micros(0);
        let (provider, task) = (ProviderId::new("p").unwrap(), TaskId::generate());
        let url = |keys: CallbackKeys| keys.url("http://h", &provider, task, at).unwrap().expose().to_owned();
        let first = url(data.callback_keys().unwrap());
        assert_eq!(url(data.callback_keys().unwrap()), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(dir.path().join("callback-keys")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::write(dir.path().join("callback-keys"), "nonsense").unwrap();
        assert_eq!(data.callback_keys().unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
