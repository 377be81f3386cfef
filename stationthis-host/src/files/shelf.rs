//! Files as they lie in their folder.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use stationthis_core::{CallerId, Error, ErrorKind, Result, Timestamp};

use crate::files::{FILES_MAX, FILES_PER_CALLER_MAX, FileLimits, StoredFile, unavailable};

/// The ending of the names of the documents about files.
const DOCUMENT: &str = "json";

/// The ending of what is not whole yet.
pub(super) const PART: &str = "part";

/// The document beside a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Owned {
    pub(super) caller: CallerId,
    pub(super) file: StoredFile,
}

/// A folder of files, and what is known of each. Each method but [`index`](Self::index) and [`path`](Self::path) waits for
/// the disk.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    pub(super) limits: FileLimits,
    index: Mutex<HashMap<String, Owned>>,
    /// Held while files and documents come and go, on threads that may wait for the disk: the same file may be sent twice
    /// at once, or be removed while it comes.
    changes: Mutex<()>,
}

impl Shelf {
    /// See [`Files::open`](super::Files::open).
    pub(super) fn open(folder: PathBuf, limits: FileLimits, now: Timestamp) -> Result<Self> {
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
        Ok(Self { folder, limits, index: Mutex::new(index), changes: Mutex::default() })
    }

    /// Does what waits for the disk, alone.
    pub(super) fn alone<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let _alone = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        work(self)
    }

    pub(super) fn index(&self) -> MutexGuard<'_, HashMap<String, Owned>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn path(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    /// Keeps what is whole at `part`, or the same file as it is here for longer.
    pub(super) fn keep(&self, part: &Path, mut new: Owned) -> Result<StoredFile> {
        let whole = self.path(&new.file.file_id);
        let known = self.index().get(&new.file.file_id).map(|owned| owned.file.clone());
        // One that has ended is gone for its owner, and kept anew.
        let known = known.filter(|file| new.file.created_at < file.expires_at && whole.is_file());
        let is_new = known.is_none();
        match known {
            Some(known) => {
                new.file.created_at = known.created_at;
                new.file.filename = new.file.filename.or(known.filename);
                // Clocks go back now and then.
                new.file.expires_at = new.file.expires_at.max(known.expires_at);
            }
            None => {
                self.check_room(&new)?;
                std::fs::rename(part, &whole).map_err(|error| unavailable(&whole, error))?;
            }
        }
        let document = whole.with_extension(DOCUMENT);
        if let Err(error) = write_durably(&document, &new) {
            let _ = std::fs::remove_file(document.with_extension(PART));
            if is_new {
                // The document first: a file without one is not there.
                let _ = std::fs::remove_file(&document);
                let _ = std::fs::remove_file(&whole);
            }
            return Err(unavailable(&document, error));
        }
        let file = new.file.clone();
        self.index().insert(file.file_id.clone(), new);
        Ok(file)
    }

    fn check_room(&self, new: &Owned) -> Result<()> {
        let full = |message: String| Err(Error::new(ErrorKind::TooLarge, "keep file").with_message(message));
        let index = self.index();
        let others = |owned: &&Owned| owned.file.file_id != new.file.file_id;
        let own = index.values().filter(|owned| owned.caller == new.caller).filter(others);
        let (count, bytes) =
            own.fold((0_usize, 0_u64), |(n, sum), owned| (n + 1, sum.saturating_add(owned.file.bytes)));
        let room = self.limits.caller_bytes.saturating_sub(bytes);
        if count >= FILES_PER_CALLER_MAX {
            return full(format!("At most {FILES_PER_CALLER_MAX} files of a caller are kept: remove some."));
        }
        if index.len() >= FILES_MAX {
            return full("Too many files are kept here.".to_owned());
        }
        if room < new.file.bytes {
            let all = self.limits.caller_bytes / (1024 * 1024);
            return full(format!("Your files may have {all} MiB together; {room} bytes are left: remove some."));
        }
        Ok(())
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, id: &str) -> Result<()> {
        self.index().remove(id);
        let path = self.path(id);
        // The document first: a file without one is not there.
        for path in [path.with_extension(DOCUMENT), path] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unavailable(&path, error)),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Removes what has ended by `now`; gives how many.
    pub(super) fn sweep(&self, now: Timestamp) -> Result<usize> {
        let ended: Vec<String> = {
            let index = self.index();
            let ended = index.values().filter(|owned| owned.file.expires_at <= now);
            ended.map(|owned| owned.file.file_id.clone()).collect()
        };
        for id in &ended {
            self.remove(id)?;
        }
        Ok(ended.len())
    }
}

/// What cannot be read is no document of ours.
fn read_document(path: &Path) -> Option<Owned> {
    let owned: Owned = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    (path.file_stem()?.to_str()? == owned.file.file_id).then_some(owned)
}

/// Whole or not at all, and on the disk: the file's name in its folder too.
fn write_durably(document: &Path, owned: &Owned) -> std::io::Result<()> {
    let part = document.with_extension(PART);
    let mut file = std::fs::File::create(&part)?;
    file.write_all(&serde_json::to_vec(owned)?)?;
    file.sync_all()?;
    std::fs::rename(&part, document)?;
    #[cfg(unix)]
    if let Some(folder) = document.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
