//! Opening connections, and bringing the database to the schema of this version.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::failure::Ran;
use crate::error::{Error, ErrorKind, Retry};

/// One step of the schema. A released step never changes: its hash is kept in the database.
struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// Every step, in order.
const MIGRATIONS: [Migration; 3] = [
    Migration { name: "0001_tasks", sql: include_str!("schema/0001_tasks.sql") },
    Migration { name: "0002_days", sql: include_str!("schema/0002_days.sql") },
    Migration { name: "0003_capacity", sql: include_str!("schema/0003_capacity.sql") },
];

/// Prepared statements kept per connection: more than the store has, so that none is prepared twice.
const STATEMENTS: usize = 128;

/// The size to which the write-ahead log is cut after a checkpoint: without it, one burst would hold the disk for ever.
const WAL_BYTES: i64 = 64 * 1024 * 1024;

/// Pages in the log after which the writer moves them into the database (16 MiB): the rarer it does, the more often a page
/// that is written again and again is moved only once, and the longer everybody waits for it.
const CHECKPOINT_PAGES: i64 = 4096;

/// The writer's cache, in KiB, filled only as it is needed: a transaction's pages must fit, or they are written twice.
const CACHE_KIB: i64 = 8 * 1024;

/// The connection that writes; its schema is up to date.
pub(super) fn open_writer(path: &Path, busy_timeout: Duration) -> Ran<Connection> {
    let mut conn = open(path, busy_timeout)?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    migrate(&mut conn)?;
    Ok(conn)
}

/// A connection that only reads. The writer must have been opened first.
pub(super) fn open_reader(path: &Path, busy_timeout: Duration) -> Ran<Connection> {
    let conn = open(path, busy_timeout)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// A connection.
pub(super) fn open(path: &Path, busy_timeout: Duration) -> Ran<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(busy_timeout)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}

/// Applies the steps that the database has not seen, all or none.
fn migrate(conn: &mut Connection) -> Ran<()> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let tables: Vec<String> = tx
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if !tables.is_empty() && !tables.iter().any(|name| name == "schema_migration") {
        return Err(refuse(ErrorKind::Corrupt, "The database belongs to another program.").into());
    }
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migration
             (position INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL) STRICT;",
    )?;
    let newest: Option<i64> = tx.query_row("SELECT max(position) FROM schema_migration", [], |row| row.get(0))?;
    if newest.is_some_and(|position| usize::try_from(position).is_ok_and(|position| position > MIGRATIONS.len())) {
        let message = "The database was written by a newer version of this program; run that version, or a later one.";
        return Err(refuse(ErrorKind::StoreUnavailable, message).into());
    }
    for (position, migration) in (1_i64..).zip(&MIGRATIONS) {
        let sha256 = crate::hex(&Sha256::digest(migration.sql));
        let applied: Option<(String, String)> = tx
            .query_row("SELECT name, sha256 FROM schema_migration WHERE position = ?1", [position], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        match applied {
            Some(known) if known == (migration.name.to_owned(), sha256.clone()) => {}
            Some((name, _)) => {
                let message = "The database's schema is not one that this program made.";
                return Err(refuse(ErrorKind::Corrupt, message).with_context("migration", name).into());
            }
            None => {
                tx.execute_batch(migration.sql)?;
                tx.execute(
                    "INSERT INTO schema_migration (position, name, sha256) VALUES (?1, ?2, ?3)",
                    params![position, migration.name, sha256],
                )?;
            }
        }
    }
    tx.commit()?;
    Ok(())
}

fn refuse(kind: ErrorKind, message: &'static str) -> Error {
    Error::new(kind, "open database").with_message(message).with_retry(Retry::Never)
}
