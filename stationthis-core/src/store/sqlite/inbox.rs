//! Raw webhooks as rows.

use bytes::Bytes;
use rusqlite::{Connection, Row, params};

use super::failure::{Ran, unreadable};
use super::{signed, unsigned};
use crate::id::{ProviderId, TaskId};
use crate::store::InboxItem;
use crate::time::Timestamp;

/// Keeps a webhook; gives its number.
pub(super) fn append(conn: &Connection, item: &InboxItem) -> Ran<u64> {
    conn.prepare_cached(
        "INSERT INTO inbox (provider_id, task_id, method, body, key_id, received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        item.provider_id.as_str(),
        item.task_id.as_bytes(),
        item.method,
        item.body.as_ref(),
        item.key_id,
        item.received_at.as_micros()
    ])?;
    Ok(unsigned(conn.last_insert_rowid()))
}

/// A row of [`INBOX`](super::claims::INBOX).
pub(super) fn item(row: &Row<'_>) -> Ran<(u64, InboxItem)> {
    let provider: String = row.get(1)?;
    let item = InboxItem {
        provider_id: ProviderId::new(provider).map_err(|e| unreadable("read webhook", e))?,
        task_id: TaskId::from_bytes(row.get(2)?),
        method: row.get(3)?,
        body: Bytes::from(row.get::<_, Vec<u8>>(4)?),
        key_id: row.get(5)?,
        received_at: Timestamp::from_micros(row.get(6)?),
    };
    Ok((unsigned(row.get(0)?), item))
}

/// Drops webhooks that are done with.
pub(super) fn finish(conn: &Connection, numbers: &[u64]) -> Ran<()> {
    let mut statement = conn.prepare_cached("DELETE FROM inbox WHERE n = ?1")?;
    for number in numbers {
        statement.execute([signed(*number)])?;
    }
    Ok(())
}
