//! Leases: one way to claim, over three tables.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::{Failure, Ran};
use crate::error::ErrorKind;
use crate::store::{Claim, Claimed, PAGE_MAX};
use crate::time::Timestamp;

/// The statements by which a table is claimed from.
pub(super) struct Queue {
    /// What may be taken at `?1`, at most `?2`, in order; the row number is the first column.
    pub(super) free: &'static str,
    /// Leases row `?3` to `?1` until `?2`.
    pub(super) take: &'static str,
    /// When the first of those that are not leased at `?1` is due.
    pub(super) next_free: &'static str,
    /// What is leased at `?1`: row number, when it is due after that, end of the lease; by the end of the lease.
    pub(super) leased: &'static str,
}

/// Leases what may be taken. What does not read is leased too and left out: it must not stop the rest.
pub(super) fn claim<T>(
    conn: &Connection,
    queue: &Queue,
    claim: &Claim,
    read: impl Fn(&Row<'_>) -> Ran<T>,
) -> Ran<Claimed<T>> {
    let now = claim.now.as_micros();
    let limit = i64::try_from(claim.limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
    let (mut items, mut taken) = (Vec::new(), HashSet::new());
    let mut free = conn.prepare_cached(queue.free)?;
    let mut rows = free.query(params![now, limit])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        taken.insert(number);
        match read(row) {
            Ok(item) => items.push(item),
            Err(failure) => items.extend(skip_unreadable(failure, number)?),
        }
    }
    let until = claim.now.plus(claim.lease).as_micros();
    let mut take = conn.prepare_cached(queue.take)?;
    for number in &taken {
        take.execute(params![claim.owner, until, number])?;
    }
    Ok(Claimed { items, next_at: next_at(conn, queue, now, &taken)? })
}

fn skip_unreadable<T>(failure: Failure, number: i64) -> Ran<Option<T>> {
    let error = failure.into_error("read leased row");
    if error.kind() != ErrorKind::Corrupt {
        return Err(error.into());
    }
    tracing::error!(row = number, %error, "a row that is due cannot be read; it is passed over");
    Ok(None)
}

/// When the next row that this claim did not take may be taken.
fn next_at(conn: &Connection, queue: &Queue, now: i64, taken: &HashSet<i64>) -> Ran<Option<Timestamp>> {
    let mut next: Option<i64> = conn.prepare_cached(queue.next_free)?.query_row([now], |row| row.get(0)).optional()?;
    let mut leased = conn.prepare_cached(queue.leased)?;
    let mut rows = leased.query([now])?;
    while let Some(row) = rows.next()? {
        let (number, free_at, lease_until): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        // No lease after this one ends earlier, and none can be the next.
        if next.is_some_and(|at| at <= lease_until) {
            break;
        }
        if !taken.contains(&number) {
            next = Some(next.map_or(free_at, |at| at.min(free_at)));
        }
    }
    Ok(next.map(Timestamp::from_micros))
}

/// Frees every lease of an owner.
pub(super) fn release(conn: &Connection, owner: &str) -> Ran<()> {
    for sql in [
        "UPDATE task SET lease_owner = NULL, lease_until = NULL WHERE lease_until IS NOT NULL AND lease_owner = ?1",
        "UPDATE notice SET lease_owner = NULL, lease_until = NULL WHERE lease_until IS NOT NULL AND lease_owner = ?1",
        "UPDATE inbox SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = ?1",
    ] {
        conn.prepare_cached(sql)?.execute([owner])?;
    }
    Ok(())
}

/// Tasks that are due, the longest first.
pub(super) const TASKS: Queue = Queue {
    free: "SELECT n, record FROM task WHERE due_at <= ?1 AND (lease_until IS NULL OR lease_until <= ?1)
           ORDER BY due_at, n LIMIT ?2",
    take: "UPDATE task SET lease_owner = ?1, lease_until = ?2 WHERE n = ?3",
    next_free: "SELECT due_at FROM task WHERE due_at IS NOT NULL AND (lease_until IS NULL OR lease_until <= ?1)
                ORDER BY due_at LIMIT 1",
    leased: "SELECT n, max(due_at, lease_until), lease_until FROM task WHERE lease_until > ?1 AND due_at IS NOT NULL
             ORDER BY lease_until",
};

/// Notices whose time has come, the longest first.
pub(super) const NOTICES: Queue = Queue {
    free: "SELECT n, notice_id, task_id, kind, channel, address, attempts, created_at FROM notice
           WHERE due_at <= ?1 AND (lease_until IS NULL OR lease_until <= ?1) ORDER BY due_at, n LIMIT ?2",
    take: "UPDATE notice SET lease_owner = ?1, lease_until = ?2 WHERE n = ?3",
    next_free: "SELECT due_at FROM notice WHERE due_at IS NOT NULL AND (lease_until IS NULL OR lease_until <= ?1)
                ORDER BY due_at LIMIT 1",
    leased: "SELECT n, max(due_at, lease_until), lease_until FROM notice WHERE lease_until > ?1 AND due_at IS NOT NULL
             ORDER BY lease_until",
};

/// Webhooks, oldest first. One is due when it is here, whatever the clock of the one who took it said.
pub(super) const INBOX: Queue = Queue {
    free: "SELECT n, provider_id, task_id, method, body, key_id, received_at FROM inbox
           WHERE lease_until IS NULL OR lease_until <= ?1 ORDER BY n LIMIT ?2",
    take: "UPDATE inbox SET lease_owner = ?1, lease_until = ?2 WHERE n = ?3",
    next_free: "SELECT min(received_at, ?1) FROM inbox WHERE lease_until IS NULL OR lease_until <= ?1 ORDER BY n LIMIT 1",
    leased: "SELECT n, lease_until, lease_until FROM inbox WHERE lease_until > ?1 ORDER BY lease_until",
};
