//! Documents as rows.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::Ran;
use super::{signed, unsigned};
use crate::store::{Document, PAGE_MAX, Put};

/// A document.
pub(super) fn get(conn: &Connection, namespace: &str, key: &str) -> Ran<Option<Document>> {
    let document = conn
        .prepare_cached("SELECT version, bytes FROM document WHERE namespace = ?1 AND key = ?2")?
        .query_row([namespace, key], |row| {
            Ok(Document { version: unsigned(row.get(0)?), bytes: Bytes::from(row.get::<_, Vec<u8>>(1)?) })
        })
        .optional()?;
    Ok(document)
}

/// Writes a document whose version is still `expected`.
pub(super) fn put(conn: &Connection, namespace: &str, key: &str, expected: Option<u64>, bytes: &[u8]) -> Ran<Put> {
    let there: Option<i64> = conn
        .prepare_cached("SELECT version FROM document WHERE namespace = ?1 AND key = ?2")?
        .query_row([namespace, key], |row| row.get(0))
        .optional()?;
    let there = there.map(unsigned);
    if there != expected {
        return Ok(Put::Stale(there));
    }
    let version = there.unwrap_or(0).saturating_add(1);
    conn.prepare_cached(
        "INSERT INTO document (namespace, key, version, bytes) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (namespace, key) DO UPDATE SET version = excluded.version, bytes = excluded.bytes",
    )?
    .execute(params![namespace, key, signed(version), bytes])?;
    Ok(Put::Done(version))
}

/// See [`TaskStore::prune_documents`](crate::store::TaskStore::prune_documents).
pub(super) fn prune(conn: &Connection, namespace: &str, below: &str, limit: usize) -> Ran<usize> {
    let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
    let count = conn
        .prepare_cached(
            "DELETE FROM document WHERE rowid IN
                 (SELECT rowid FROM document WHERE namespace = ?1 AND key < ?2 ORDER BY key LIMIT ?3)",
        )?
        .execute(params![namespace, below, limit])?;
    Ok(count)
}
