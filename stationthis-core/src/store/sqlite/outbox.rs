//! Notices as rows.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::events;
use super::failure::{Ran, unreadable};
use crate::id::{NoticeId, TaskId};
use crate::notify::{NoticeKind, NotifyTarget};
use crate::store::{NewNotice, NoticeOutcome, OutboxItem, unknown_notice};
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
pub(super) fn add(conn: &Connection, task: TaskId, notices: &[NoticeRow]) -> Ran<()> {
    for notice in notices {
        conn.prepare_cached(
            "INSERT INTO notice (notice_id, task_id, kind, channel, address, created_at, due_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (notice_id) DO NOTHING",
        )?
        .execute(params![
            notice.id,
            task.as_bytes(),
            notice.kind.as_str(),
            notice.target.channel,
            notice.target.address,
            notice.created_at,
            notice.due_at
        ])?;
    }
    Ok(())
}

/// A row of [`NOTICES`](super::claims::NOTICES).
pub(super) fn item(row: &Row<'_>) -> Ran<OutboxItem> {
    let (id, kind): (String, String) = (row.get(1)?, row.get(3)?);
    Ok(OutboxItem {
        id: id.parse::<NoticeId>().map_err(|e| unreadable("read notice", e))?,
        task_id: TaskId::from_bytes(row.get(2)?),
        kind: serde_json::from_value(Value::String(kind)).map_err(|e| unreadable("read notice", e))?,
        target: NotifyTarget { channel: row.get(4)?, address: row.get(5)? },
        attempts: row.get(6)?,
        created_at: Timestamp::from_micros(row.get(7)?),
    })
}

/// See [`TaskStore::finish_notice`](crate::store::TaskStore::finish_notice).
pub(super) fn finish(conn: &Connection, id: NoticeId, outcome: &NoticeOutcome, event: String) -> Ran<()> {
    let name = id.to_string();
    let task = conn
        .prepare_cached("SELECT task_id, caller FROM notice JOIN task USING (task_id) WHERE notice_id = ?1")?
        .query_row([&name], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    let Some((task, caller)) = task else { return Err(unknown_notice(id).into()) };
    let (state, due_at, reason) = match outcome {
        NoticeOutcome::Delivered => ("delivered", None, None),
        NoticeOutcome::RetryAt(at) => ("pending", Some(at.as_micros()), None),
        NoticeOutcome::Dead(reason) => ("dead", None, Some(reason)),
    };
    // What arrived has arrived: a slower attempt cannot call it back.
    conn.prepare_cached(
        "UPDATE notice SET attempts = min(attempts + 1, 4294967295), lease_owner = NULL, lease_until = NULL,
             due_at = CASE state WHEN 'delivered' THEN NULL ELSE ?2 END,
             reason = CASE state WHEN 'delivered' THEN reason ELSE ?3 END,
             state  = CASE state WHEN 'delivered' THEN state ELSE ?4 END
         WHERE notice_id = ?1",
    )?
    .execute(params![name, due_at, reason, state])?;
    events::append(conn, TaskId::from_bytes(task), &caller, &[event])?;
    Ok(())
}
