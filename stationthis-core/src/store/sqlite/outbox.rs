//! Notices as rows.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::events;
use super::failure::{Ran, unreadable};
use super::{signed, unsigned};
use crate::id::{CallerId, NoticeId, TaskId};
use crate::notify::{NoticeKind, NotifyTarget};
use crate::store::{
    NewNotice, NoticeOutcome, NoticePage, NoticeQuery, NoticeRecord, NoticeState, OutboxItem, unknown_notice,
};
use crate::time::Timestamp;

/// A new notice as it is written.
pub(super) struct NoticeRow {
    id: String,
    kind: NoticeKind,
    target: NotifyTarget,
    created_at: i64,
    due_at: i64,
}

impl NoticeRow {
    /// The row of a notice.
    pub(super) fn new(new: &NewNotice, created_at: Timestamp) -> Self {
        Self {
            id: new.id.to_string(),
            kind: new.kind,
            target: new.target.clone(),
            created_at: created_at.as_micros(),
            due_at: new.due_at.as_micros(),
        }
    }
}

/// Adds the notices that are not known yet.
pub(super) fn add(conn: &Connection, task: TaskId, caller: &str, notices: &[NoticeRow]) -> Ran<()> {
    for notice in notices {
        conn.prepare_cached(
            "INSERT INTO notice (notice_id, task_id, caller, kind, channel, address, created_at, due_at, free_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) ON CONFLICT (notice_id) DO NOTHING",
        )?
        .execute(params![
            notice.id,
            task.as_bytes(),
            caller,
            notice.kind.as_str(),
            notice.target.channel,
            notice.target.address,
            notice.created_at,
            notice.due_at
        ])?;
    }
    Ok(())
}

/// A row of what [`notices`](super::claims::notices) takes.
pub(super) fn item(row: &Row<'_>) -> Ran<OutboxItem> {
    let (id, kind): (String, String) = (row.get(1)?, row.get(3)?);
    Ok(OutboxItem {
        id: id.parse().map_err(|e| unreadable("read notice", e))?,
        task_id: TaskId::from_bytes(row.get(2)?),
        kind: word(kind)?,
        target: NotifyTarget { channel: row.get(4)?, address: row.get(5)? },
        attempts: row.get(6)?,
        created_at: Timestamp::from_micros(row.get(7)?),
    })
}

/// See [`TaskStore::list_notices`](crate::store::TaskStore::list_notices).
pub(super) fn list(conn: &Connection, query: &NoticeQuery) -> Ran<NoticePage> {
    // Only these fixed parts make the statement; what the query says is bound. The unary plus keeps the index of the
    // narrower condition in use: a task has few notices, and few are dead.
    let dead = query.state == Some(NoticeState::Dead);
    let sql = [
        "SELECT n, notice_id, task_id, kind, channel, address, attempts, created_at, state, due_at, reason FROM notice
         WHERE n < ?1",
        if query.task.is_some() { " AND task_id = ?2" } else { "" },
        match (&query.caller, query.task.is_some() || dead) {
            (None, _) => "",
            (Some(_), false) => " AND caller = ?3",
            (Some(_), true) => " AND +caller = ?3",
        },
        match (query.state, query.task.is_some()) {
            (None, _) => "",
            (Some(NoticeState::Dead), false) => " AND state = 'dead'",
            (Some(_), _) => " AND +state = ?4",
        },
        " ORDER BY n DESC LIMIT ?5",
    ]
    .concat();
    let size = query.page_size();
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        query.before.map_or(i64::MAX, signed),
        query.task.as_ref().map(|id| id.as_bytes().as_slice()),
        query.caller.as_ref().map(CallerId::as_str),
        query.state.map(NoticeState::as_str),
        i64::try_from(size.saturating_add(1)).unwrap_or(i64::MAX)
    ])?;
    let mut page = NoticePage::default();
    while let Some(row) = rows.next()? {
        if page.notices.len() == size {
            page.next = page.notices.last().map(|last| last.number);
            break;
        }
        page.notices.push(record(row)?);
    }
    Ok(page)
}

fn record(row: &Row<'_>) -> Ran<NoticeRecord> {
    let OutboxItem { id, task_id, kind, target, attempts, created_at } = item(row)?;
    Ok(NoticeRecord {
        number: unsigned(row.get(0)?),
        id,
        task_id,
        kind,
        target,
        state: word(row.get(8)?)?,
        attempts,
        created_at,
        due_at: row.get::<_, Option<i64>>(9)?.map(Timestamp::from_micros),
        reason: row.get(10)?,
    })
}

/// One of the words that an enum has on the wire.
fn word<T: DeserializeOwned>(text: String) -> Ran<T> {
    serde_json::from_value(Value::String(text)).map_err(|e| unreadable("read notice", e))
}

/// See [`TaskStore::finish_notice`](crate::store::TaskStore::finish_notice).
pub(super) fn finish(conn: &Connection, id: NoticeId, outcome: &NoticeOutcome, event: Option<&str>) -> Ran<()> {
    let (task, caller) = task_of(conn, "finish notice", id)?;
    let (state, due_at, reason, attempts) = match outcome {
        NoticeOutcome::Delivered => ("delivered", None, None, 1),
        NoticeOutcome::RetryAt(at) => ("pending", Some(at.as_micros()), None, 1),
        NoticeOutcome::Dead(reason) => ("dead", None, Some(reason), 1),
        NoticeOutcome::PutOff(at) => ("pending", Some(at.as_micros()), None, 0),
    };
    // What is over stays so; but that it arrived after all is good news.
    conn.prepare_cached(
        "UPDATE notice SET attempts = min(attempts + ?5, 4294967295), lease_owner = NULL, lease_until = NULL,
             due_at = CASE WHEN state = 'pending' OR ?4 = 'delivered' THEN ?2 END,
             free_at = CASE WHEN state = 'pending' OR ?4 = 'delivered' THEN ?2 END,
             reason = CASE WHEN state = 'pending' OR ?4 = 'delivered' THEN ?3 ELSE reason END,
             state  = CASE WHEN state = 'pending' OR ?4 = 'delivered' THEN ?4 ELSE state END
         WHERE notice_id = ?1",
    )?
    .execute(params![id.to_string(), due_at, reason, state, attempts])?;
    events::append(conn, task, &caller, event.as_slice())?;
    Ok(())
}

/// See [`TaskStore::requeue_notice`](crate::store::TaskStore::requeue_notice).
pub(super) fn requeue(conn: &Connection, id: NoticeId, due_at: Timestamp, event: &str) -> Ran<bool> {
    let (task, caller) = task_of(conn, "requeue notice", id)?;
    let written = conn
        .prepare_cached(
            "UPDATE notice SET state = 'pending', due_at = ?2, free_at = ?2, attempts = 0, reason = NULL
             WHERE notice_id = ?1 AND state = 'dead'",
        )?
        .execute(params![id.to_string(), due_at.as_micros()])?;
    if written > 0 {
        events::append(conn, task, &caller, &[event])?;
    }
    Ok(written > 0)
}

fn task_of(conn: &Connection, operation: &'static str, id: NoticeId) -> Ran<(TaskId, String)> {
    let found = conn
        .prepare_cached("SELECT task_id, caller FROM notice WHERE notice_id = ?1")?
        .query_row([id.to_string()], |row| Ok((TaskId::from_bytes(row.get(0)?), row.get(1)?)))
        .optional()?;
    found.ok_or_else(|| unknown_notice(operation, id).into())
}
