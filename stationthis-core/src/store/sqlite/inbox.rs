//! Raw webhooks as rows.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::{Ran, unreadable};
use super::{signed, unsigned};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ProviderId, TaskId};
use crate::store::{Appended, InboxItem, InboxOutcome, inbox_full};
use crate::time::Timestamp;

/// A webhook as it is written, made on the caller's thread.
pub(super) struct WebhookRow {
    item: InboxItem,
    content: [u8; 16],
    headers: String,
}

impl WebhookRow {
    /// The row of a webhook.
    pub(super) fn new(item: &InboxItem) -> Result<Self> {
        let headers = serde_json::to_string(&item.headers)
            .map_err(|e| Error::new(ErrorKind::Unexpected, "write headers as JSON").with_source(e))?;
        Ok(Self { item: item.clone(), content: item.content(), headers })
    }
}

/// See [`TaskStore::append_inbox`](crate::store::TaskStore::append_inbox).
pub(super) fn append(conn: &Connection, row: &WebhookRow, max: usize) -> Ran<Appended> {
    let item = &row.item;
    let first: Option<i64> = conn
        .prepare_cached("UPDATE inbox SET copies = min(copies + ?2, 4294967295) WHERE content = ?1 RETURNING n")?
        .query_row(params![row.content, item.copies], |row| row.get(0))
        .optional()?;
    if let Some(number) = first {
        return Ok(Appended::Copy(unsigned(number)));
    }
    if !has_room(conn, max)? {
        return Err(inbox_full(max).into());
    }
    conn.prepare_cached("INSERT INTO inbox (content, received_at, copies) VALUES (?1, ?2, ?3)")?.execute(params![
        row.content,
        item.received_at.as_micros(),
        item.copies
    ])?;
    let number = conn.last_insert_rowid();
    conn.prepare_cached(
        "INSERT INTO webhook (n, provider_id, task_id, method, path, query, headers, key_id, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        number,
        item.provider_id.as_str(),
        item.task_id.as_ref().map(|id| id.as_bytes().as_slice()),
        item.method,
        item.path,
        item.query,
        row.headers,
        item.key_id,
        item.body.as_ref()
    ])?;
    Ok(Appended::New(unsigned(number)))
}

/// Is there room for one more? The numbers in use span at least as many as there are: only when that is too many must
/// they be counted.
fn has_room(conn: &Connection, max: usize) -> Ran<bool> {
    let ask = |sql| -> Ran<usize> {
        let count: i64 = conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    };
    let span = "SELECT coalesce((SELECT max(n) FROM inbox) - (SELECT min(n) FROM inbox) + 1, 0)";
    Ok(ask(span)? < max || ask("SELECT count(*) FROM inbox")? < max)
}

/// The webhook of a row that [`webhooks`](super::claims::webhooks) takes.
pub(super) fn item(conn: &Connection, row: &Row<'_>) -> Ran<(u64, InboxItem)> {
    let (number, received_at, copies): (i64, i64, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let mut statement = conn.prepare_cached(
        "SELECT provider_id, task_id, method, path, query, headers, key_id, body FROM webhook WHERE n = ?1",
    )?;
    let item = statement.query_row([number], |row| {
        let read = || -> Ran<InboxItem> {
            let (provider, headers): (String, String) = (row.get(0)?, row.get(5)?);
            Ok(InboxItem {
                provider_id: ProviderId::new(provider).map_err(|e| unreadable("read webhook", e))?,
                task_id: row.get::<_, Option<[u8; 16]>>(1)?.map(TaskId::from_bytes),
                method: row.get(2)?,
                path: row.get(3)?,
                query: row.get(4)?,
                headers: serde_json::from_str(&headers).map_err(|e| unreadable("read webhook", e))?,
                key_id: row.get(6)?,
                body: Bytes::from(row.get::<_, Vec<u8>>(7)?),
                received_at: Timestamp::from_micros(received_at),
                copies,
            })
        };
        Ok(read())
    })?;
    Ok((unsigned(number), item?))
}

/// Drops webhooks, or parks them and frees their leases.
pub(super) fn finish(conn: &Connection, numbers: &[u64], outcome: InboxOutcome) -> Ran<()> {
    let mut drop = conn.prepare_cached("DELETE FROM inbox WHERE n = ?1")?;
    let mut drop_said = conn.prepare_cached("DELETE FROM webhook WHERE n = ?1")?;
    let mut park = conn.prepare_cached(
        "UPDATE inbox SET parked_until = ?2, free_at = ?2, lease_owner = NULL, lease_until = NULL WHERE n = ?1",
    )?;
    for number in numbers {
        match outcome {
            InboxOutcome::Dropped => drop.execute([signed(*number)])? + drop_said.execute([signed(*number)])?,
            InboxOutcome::ParkedUntil(at) => park.execute(params![signed(*number), at.as_micros()])?,
        };
    }
    Ok(())
}
