//! A backup in the place of the database.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Serialize;
use stationthis_core::store::{RESTORED_DOCUMENT, SqliteStore, TaskStore};
use stationthis_core::{Error, ErrorKind, Result, Timestamp};

use crate::data_dir::DataDir;

/// What SQLite keeps beside a database.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Restored {
    /// The database that is in place now.
    pub database: PathBuf,
    /// The one that was there before, moved aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_aside: Option<PathBuf>,
}

/// Puts a copy of a backup in the place of the database of a data folder that no host has open.
///
/// The copy is opened and read once before anything is changed. It is marked as restored when its maker did not: the
/// next station over it looks for the runs of what waited in it, and submits nothing again. With `force` a database that
/// is there is moved aside, never deleted.
///
/// # Errors
/// `Conflict` when there is a database and not `force`; `Corrupt` or `StoreUnavailable` when the backup is no database
/// of this program or a newer one's, or when files cannot be written.
pub async fn restore(data: &DataDir, backup: &Path, force: bool, now: Timestamp) -> Result<Restored> {
    let database = data.database();
    if database.exists() && !force {
        return Err(Error::new(ErrorKind::Conflict, "restore a backup").with_message(format!(
            "{} is there already. With --force it is moved aside, and the backup takes its place.",
            database.display()
        )));
    }
    let part = beside(&database, "-restoring");
    discard(&part);
    let made_at = copy(backup, &part).map_err(|e| failed(backup, e))?;
    let checked = check(&part, made_at).await;
    if checked.is_err() {
        discard(&part);
    }
    checked?;
    let moved_aside = if database.exists() {
        let aside = beside(&database, &format!("-replaced-{}", now.as_micros()));
        for companion in [""].into_iter().chain(COMPANIONS) {
            let (from, to) = (beside(&database, companion), beside(&aside, companion));
            if from.exists() {
                fs::rename(&from, to).map_err(|e| failed(&from, e))?;
            }
        }
        Some(aside)
    } else {
        None
    };
    #[cfg(unix)]
    give_to_owner_of(data.path(), &part).map_err(|e| failed(&part, e))?;
    fs::rename(&part, &database).map_err(|e| failed(&database, e))?;
    // The renames are durable with their folder.
    File::open(data.path()).and_then(|folder| folder.sync_all()).map_err(|e| failed(data.path(), e))?;
    Ok(Restored { database, moved_aside })
}

/// Is it a store of ours, and does it know that it is a copy?
async fn check(part: &Path, made_at: Timestamp) -> Result<()> {
    let store = SqliteStore::open(part).await?;
    store.stats().await?;
    let (namespace, key) = RESTORED_DOCUMENT;
    let mark = store.get_document(namespace, key).await?;
    if mark.as_ref().is_some_and(|mark| mark.bytes.as_ref() != b"null") {
        return Ok(());
    }
    let bytes = serde_json::to_vec(&made_at)
        .map_err(|e| Error::new(ErrorKind::Unexpected, "mark a restored store").with_source(e))?;
    store.put_document(namespace, key, mark.map(|mark| mark.version), Bytes::from(bytes)).await.map(drop)
    // Dropped here: the last connection writes its log back into the file and removes it.
}

/// Copies a file (mode 0600); when it was written last.
fn copy(from: &Path, to: &Path) -> io::Result<Timestamp> {
    let mut from = File::open(from)?;
    let written = from.metadata()?.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut to = options.open(to)?;
    io::copy(&mut from, &mut to)?;
    to.sync_all()?;
    Ok(Timestamp::from_micros(i64::try_from(written.as_micros()).unwrap_or(i64::MAX)))
}

/// The host that serves the folder may be another user than the one who restores: root, often.
#[cfg(unix)]
fn give_to_owner_of(folder: &Path, file: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let (folder, of) = (fs::metadata(folder)?, fs::metadata(file)?);
    if (folder.uid(), folder.gid()) == (of.uid(), of.gid()) {
        return Ok(());
    }
    chown(file, Some(folder.uid()), Some(folder.gid()))
}

/// What an attempt before this one left, or this one leaves.
fn discard(part: &Path) {
    for companion in [""].into_iter().chain(COMPANIONS) {
        let _ = fs::remove_file(beside(part, companion));
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::StoreUnavailable, "restore a backup")
        .with_message(format!("{}: {error}", path.display()))
        .with_source(error)
}
