//! A copy of the database, made while it is in use.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;

use super::failure::Ran;
use super::{documents, schema};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::store::RESTORED_DOCUMENT;
use crate::time::Timestamp;

/// Copies the database at `from` to `to`, and notes in the copy that it is one.
///
/// It is made beside `to` under another name: what stands there in the end is whole.
pub(super) fn copy(from: &Path, to: &Path, at: Timestamp, busy_timeout: Duration) -> Ran<()> {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    refuse_existing(to)?;
    // Nobody else makes this copy at the same time; and the file is there, empty, as SQLite allows.
    OpenOptions::new().write(true).create_new(true).open(&partial).map_err(|e| io_failed(&partial, e))?;
    let done = fill(from, &partial, at, busy_timeout).and_then(|()| {
        refuse_existing(to)?;
        fs::rename(&partial, to).map_err(|e| io_failed(to, e))?;
        Ok(())
    });
    if done.is_err() {
        // What went wrong first is what is told.
        let _ = fs::remove_file(&partial);
    }
    done
}

fn fill(from: &Path, partial: &Path, at: Timestamp, busy_timeout: Duration) -> Ran<()> {
    let target = partial.to_str().ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "back up database").with_message("The path is not valid Unicode.")
    })?;
    let source = schema::open(from, busy_timeout)?;
    // One long read: in the write-ahead log it holds up no writer.
    source.execute("VACUUM INTO ?1", [target])?;
    drop(source);
    let copy = Connection::open(partial)?;
    let told =
        serde_json::to_vec(&at).map_err(|e| Error::new(ErrorKind::Unexpected, "back up database").with_source(e))?;
    let (namespace, key) = RESTORED_DOCUMENT;
    let there = documents::get(&copy, namespace, key)?.map(|document| document.version);
    documents::put(&copy, namespace, key, there, &Bytes::from(told))?;
    copy.close().map_err(|(_, error)| error)?;
    File::open(partial).and_then(|file| file.sync_all()).map_err(|e| io_failed(partial, e))?;
    Ok(())
}

fn refuse_existing(to: &Path) -> Result<()> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(Error::new(ErrorKind::Conflict, "back up database")
            .with_message("There is a file of that name already.")
            .with_context("path", to.display()));
    }
    Ok(())
}

fn io_failed(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::AlreadyExists => ErrorKind::Conflict,
        _ => ErrorKind::StoreUnavailable,
    };
    Error::new(kind, "back up database")
        .with_message(format!("{}: {error}", path.display()))
        .with_retry(Retry::Never)
        .with_source(error)
}
