//! What SQLite's errors mean to a caller of the store.

use rusqlite::ErrorCode;

use crate::error::{Error, ErrorKind, Retry};

/// Why a piece of work on a connection failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite said so.
    Sql(rusqlite::Error),
    /// We did: unreadable content, a run that is taken.
    Own(Error),
}

/// What a piece of work on a connection gives.
pub(super) type Ran<T> = Result<T, Failure>;

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

impl Failure {
    /// The error of `operation`.
    pub(super) fn into_error(self, operation: &'static str) -> Error {
        match self {
            Self::Own(error) => error,
            Self::Sql(error) => {
                let (kind, retry, message) = classify(&error);
                let named = Error::new(kind, operation).with_retry(retry);
                let told = match message {
                    Some(message) => named.with_message(message),
                    None => named,
                };
                told.with_source(error)
            }
        }
    }
}

/// The error of stored content that does not read.
pub(super) fn unreadable(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::Own(Error::new(ErrorKind::Corrupt, what).with_source(source))
}

fn classify(error: &rusqlite::Error) -> (ErrorKind, Retry, Option<&'static str>) {
    let unavailable = |retry, message| (ErrorKind::StoreUnavailable, retry, Some(message));
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => unavailable(Retry::Backoff, "The disk that holds the database is full."),
        Some(ErrorCode::SystemIoFailure) => {
            unavailable(Retry::Backoff, "The disk that holds the database cannot be read or written.")
        }
        Some(ErrorCode::ReadOnly) => unavailable(Retry::Never, "The database is read-only."),
        Some(ErrorCode::PermissionDenied) => unavailable(Retry::Never, "The database may not be accessed."),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            unavailable(Retry::Backoff, "Another program holds the database locked.")
        }
        Some(ErrorCode::CannotOpen) => unavailable(
            Retry::Backoff,
            "The database file cannot be opened: does its directory exist, and may this user read and write it?",
        ),
        Some(ErrorCode::OutOfMemory) => unavailable(Retry::Backoff, "There is no memory left for the database."),
        Some(ErrorCode::DatabaseCorrupt) => {
            (ErrorKind::Corrupt, Retry::Never, Some("The database is damaged; restore it from a backup."))
        }
        Some(ErrorCode::NotADatabase) => {
            (ErrorKind::Corrupt, Retry::Never, Some("The file is not an SQLite database."))
        }
        Some(ErrorCode::TooBig) => (ErrorKind::TooLarge, Retry::Never, None),
        Some(_) => (ErrorKind::Unexpected, Retry::Never, None),
        None => match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => (ErrorKind::Corrupt, Retry::Never, None),
            _ => (ErrorKind::Unexpected, Retry::Never, None),
        },
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn check(code: i32, kind: ErrorKind, retry: Retry) {
        let error = Failure::Sql(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)).into_error("write task");
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{error}");
        assert!(error.message().is_some_and(|text| text.ends_with(['.', '?'])), "{error}");
    }

    #[test]
    fn each_error_says_whether_to_try_again() {
        check(ffi::SQLITE_FULL, ErrorKind::StoreUnavailable, Retry::Backoff);
        check(ffi::SQLITE_IOERR_FSYNC, ErrorKind::StoreUnavailable, Retry::Backoff);
        check(ffi::SQLITE_BUSY_SNAPSHOT, ErrorKind::StoreUnavailable, Retry::Backoff);
        check(ffi::SQLITE_LOCKED, ErrorKind::StoreUnavailable, Retry::Backoff);
        check(ffi::SQLITE_READONLY_DBMOVED, ErrorKind::StoreUnavailable, Retry::Never);
        check(ffi::SQLITE_CANTOPEN, ErrorKind::StoreUnavailable, Retry::Backoff);
        check(ffi::SQLITE_CORRUPT_INDEX, ErrorKind::Corrupt, Retry::Never);
        check(ffi::SQLITE_NOTADB, ErrorKind::Corrupt, Retry::Never);
    }
}
