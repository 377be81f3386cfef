//! A look into a database that a host may have open.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::failure::{Failure, Ran};
use super::{SqliteStore, documents};
use crate::error::Result;
use crate::registry;
use crate::station::CATALOGUE_DOCUMENT;
use crate::tool::ToolDefinition;

/// How long a look waits for a moment without a lock: it is for things that people wait for.
const PEEK_WAIT: Duration = Duration::from_millis(200);

impl SqliteStore {
    /// The tools of the last catalogue that a station kept in the database at `path`, those that are not listed too.
    ///
    /// It only reads, and makes and changes nothing; a host that has the database open neither notices nor waits.
    /// Blocks the thread for the time of the read.
    ///
    /// # Errors
    /// `StoreUnavailable` when there is no such database; `Corrupt` for a catalogue that is not of this version.
    pub fn stored_tools(path: impl AsRef<Path>) -> Result<Vec<ToolDefinition>> {
        let read = || -> Ran<_> {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let conn = Connection::open_with_flags(path.as_ref(), flags)?;
            conn.busy_timeout(PEEK_WAIT)?;
            documents::get(&conn, CATALOGUE_DOCUMENT.0, CATALOGUE_DOCUMENT.1)
        };
        let document = read().map_err(|failure: Failure| failure.into_error("look into database"))?;
        document.map_or_else(|| Ok(Vec::new()), |document| registry::exported_tools(&document.bytes))
    }
}
