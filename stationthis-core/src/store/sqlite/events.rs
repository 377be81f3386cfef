//! Events as rows, numbered by the database.

use rusqlite::{Connection, OptionalExtension, params};

use super::failure::{Ran, unreadable};
use super::{signed, unsigned};
use crate::error::{Error, ErrorKind, Result};
use crate::id::TaskId;
use crate::store::{EventQuery, StoredEvent};
use crate::task::event::TaskEvent;

/// The event as it is kept.
pub(super) fn to_json(event: &TaskEvent) -> Result<String> {
    serde_json::to_string(event).map_err(|e| Error::new(ErrorKind::Unexpected, "write event as JSON").with_source(e))
}

/// Appends events; gives the number of the last event ever written, zero when there is none.
pub(super) fn append(conn: &Connection, task: TaskId, caller: &str, events: &[impl AsRef<str>]) -> Ran<u64> {
    let mut statement = conn.prepare_cached("INSERT INTO event (task_id, caller, body) VALUES (?1, ?2, ?3)")?;
    for event in events {
        statement.execute(params![task.as_bytes(), caller, event.as_ref()])?;
    }
    if !events.is_empty() {
        return Ok(unsigned(conn.last_insert_rowid()));
    }
    last(conn)
}

/// The number of the last event ever written, zero when there is none.
pub(super) fn last(conn: &Connection) -> Ran<u64> {
    // Not the highest in the table: that one may be gone.
    let last: Option<i64> = conn
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'event'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(unsigned(last.unwrap_or(0)))
}

/// Events after a number, oldest first.
pub(super) fn read(conn: &Connection, query: &EventQuery) -> Ran<Vec<StoredEvent>> {
    // Only these fixed parts make the statement; what the query says is bound.
    let sql = [
        "SELECT seq, task_id, body FROM event WHERE seq > ?1",
        if query.task.is_some() { " AND task_id = ?2" } else { "" },
        // A task has few events and a caller many: with both, the unary plus keeps the task's index in use.
        match (&query.caller, query.task) {
            (None, _) => "",
            (Some(_), None) => " AND caller = ?3",
            (Some(_), Some(_)) => " AND +caller = ?3",
        },
        " ORDER BY seq LIMIT ?4",
    ]
    .concat();
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        signed(query.after),
        query.task.as_ref().map(|id| id.as_bytes().as_slice()),
        query.caller.as_ref().map(|caller| caller.as_str()),
        i64::try_from(query.page_size()).unwrap_or(i64::MAX)
    ])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(2)?.as_str().map_err(|e| unreadable("read event", e))?;
        events.push(StoredEvent {
            seq: unsigned(row.get(0)?),
            task_id: TaskId::from_bytes(row.get(1)?),
            event: serde_json::from_str(text).map_err(|e| unreadable("read event", e))?,
        });
    }
    Ok(events)
}
