//! Leases: one way to claim, over three tables.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::failure::{Failure, Ran};
use super::{inbox, outbox, tasks};
use crate::error::ErrorKind;
use crate::id::{ProviderId, ToolId};
use crate::store::{Claim, Claimed, InboxItem, OutboxItem, PAGE_MAX, ProviderFilter};
use crate::task::TaskRecord;
use crate::time::Timestamp;

/// What may be claimed: from when on, and its row number. Sorts in the order in which it is claimed.
type Entry = (i64, i64);

/// What may be claimed of a provider, the longest free first.
const DUE: &str = "SELECT free_at, n FROM task WHERE provider_id = ?1 AND free_at IS NOT NULL
                 ORDER BY free_at, n LIMIT ?2";

/// The provider with live tasks that comes after another one.
const NEXT_PROVIDER: &str =
    "SELECT provider_id FROM task WHERE provider_id > ?1 AND free_at IS NOT NULL ORDER BY provider_id LIMIT 1";

/// How many slots are held.
const HELD: &str = "SELECT count(*) FROM task WHERE provider_id = ?1 AND slot_until > ?2";

/// Who waits and may be submitted, in the order of the turns.
const WAITING: &str = "SELECT submit_at, n FROM task
                   WHERE provider_id = ?1 AND submit_at <= ?2 AND (lease_until IS NULL OR lease_until <= ?2)
                     AND tool_id NOT IN (SELECT value FROM json_each(?3))
                   ORDER BY turn, submit_at, n LIMIT ?4";

/// When the first of those may be submitted that may not be now.
const LATER: &str = "SELECT min(max(submit_at, coalesce(lease_until, submit_at))) FROM task
             WHERE provider_id = ?1 AND submit_at IS NOT NULL AND (submit_at > ?2 OR lease_until > ?2)
               AND tool_id NOT IN (SELECT value FROM json_each(?3))";

/// What may be delivered.
const NOTICES: &str = "SELECT free_at, n FROM notice WHERE free_at IS NOT NULL ORDER BY free_at, n LIMIT ?1";

/// What may be looked at.
const WEBHOOKS: &str = "SELECT free_at, n FROM inbox ORDER BY free_at, n LIMIT ?1";

/// Leases a task.
const TAKE_TASK: &str = "UPDATE task SET lease_owner = ?1, lease_until = ?2, free_at = max(due_at, ?2),
        slot_until = CASE WHEN holds_slot THEN slot_until WHEN submit_at IS NOT NULL THEN ?2 END
    WHERE n = ?3 RETURNING n, record";

/// See [`TaskStore::claim_due`](crate::store::TaskStore::claim_due).
pub(super) fn due(conn: &Connection, claim: &Claim, of: &ProviderFilter) -> Ran<Claimed<TaskRecord>> {
    let providers = match of {
        ProviderFilter::Only(provider) => vec![provider.as_str().to_owned()],
        ProviderFilter::AllBut(others) => other_providers(conn, others)?,
    };
    let mut entries = Vec::new();
    for provider in providers {
        entries.extend(read_entries(conn, DUE, params![provider, one_more(claim)])?);
    }
    entries.sort_unstable();
    let (taken, next_at) = choose(&entries, claim);
    let items = take(conn, TAKE_TASK, claim, &taken, |row| tasks::record_at(row, 1))?;
    Ok(Claimed { items, next_at })
}

/// The providers with live tasks, but for some: from one to the next in the index, past all the tasks between them.
fn other_providers(conn: &Connection, but: &[ProviderId]) -> Ran<Vec<String>> {
    let mut statement = conn.prepare_cached(NEXT_PROVIDER)?;
    let (mut others, mut last) = (Vec::new(), String::new());
    while let Some(provider) = statement.query_row([&last], |row| row.get::<_, String>(0)).optional()? {
        if !but.iter().any(|id| id.as_str() == provider) {
            others.push(provider.clone());
        }
        last = provider;
    }
    Ok(others)
}

/// See [`TaskStore::claim_submissions`](crate::store::TaskStore::claim_submissions).
pub(super) fn submissions(
    conn: &Connection,
    claim: &Claim,
    provider: &ProviderId,
    runs_max: usize,
    but: &[ToolId],
) -> Ran<Claimed<TaskRecord>> {
    let now = claim.now.as_micros();
    let held: i64 = conn.prepare_cached(HELD)?.query_row(params![provider.as_str(), now], |row| row.get(0))?;
    let room = runs_max.saturating_sub(usize::try_from(held).unwrap_or(usize::MAX));
    if room == 0 {
        return Ok(Claimed { items: Vec::new(), next_at: None });
    }
    let claim = &Claim { limit: claim.limit.min(room), ..claim.clone() };
    let but = serde_json::Value::from_iter(but.iter().map(ToolId::as_str)).to_string();
    let entries = read_entries(conn, WAITING, params![provider.as_str(), now, but, one_more(claim)])?;
    let (taken, more_at) = choose(&entries, claim);
    let next_at = match more_at {
        _ if taken.len() == room => None,
        Some(at) => Some(at),
        None => later_submission(conn, provider, now, &but)?,
    };
    let items = take(conn, TAKE_TASK, claim, &taken, |row| tasks::record_at(row, 1))?;
    Ok(Claimed { items, next_at })
}

/// When the first of those may be submitted that may not be now.
fn later_submission(conn: &Connection, provider: &ProviderId, now: i64, but: &str) -> Ran<Option<Timestamp>> {
    let values = params![provider.as_str(), now, but];
    let at: Option<i64> = conn.prepare_cached(LATER)?.query_row(values, |row| row.get(0))?;
    Ok(at.map(Timestamp::from_micros))
}

/// See [`TaskStore::claim_notices`](crate::store::TaskStore::claim_notices).
pub(super) fn notices(conn: &Connection, claim: &Claim) -> Ran<Claimed<OutboxItem>> {
    let (taken, next_at) = choose(&read_entries(conn, NOTICES, params![one_more(claim)])?, claim);
    let take_notice = "UPDATE notice SET lease_owner = ?1, lease_until = ?2, free_at = max(due_at, ?2) WHERE n = ?3
                       RETURNING n, notice_id, task_id, kind, channel, address, attempts, created_at";
    Ok(Claimed { items: take(conn, take_notice, claim, &taken, outbox::item)?, next_at })
}

/// See [`TaskStore::claim_inbox`](crate::store::TaskStore::claim_inbox).
pub(super) fn webhooks(conn: &Connection, claim: &Claim) -> Ran<Claimed<(u64, InboxItem)>> {
    let (taken, next_at) = choose(&read_entries(conn, WEBHOOKS, params![one_more(claim)])?, claim);
    let take_webhook =
        "UPDATE inbox SET lease_owner = ?1, lease_until = ?2, free_at = max(coalesce(parked_until, 0), ?2)
        WHERE n = ?3 RETURNING n, received_at, copies";
    let items = take(conn, take_webhook, claim, &taken, |row| inbox::item(conn, row))?;
    Ok(Claimed { items, next_at: next_at.map(|at| at.max(claim.now)) })
}

fn limit(claim: &Claim) -> usize {
    claim.limit.min(PAGE_MAX)
}

/// One row more than a claim may take tells when to come back.
fn one_more(claim: &Claim) -> i64 {
    i64::try_from(limit(claim).saturating_add(1)).unwrap_or(i64::MAX)
}

fn read_entries(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> Ran<Vec<Entry>> {
    let mut statement = conn.prepare_cached(sql)?;
    let entries = statement.query_map(params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(entries.collect::<rusqlite::Result<_>>()?)
}

/// The rows that a claim takes of those, and when the next one is free.
fn choose(entries: &[Entry], claim: &Claim) -> (Vec<i64>, Option<Timestamp>) {
    let now = claim.now.as_micros();
    let free = entries.iter().take(limit(claim)).take_while(|(at, _)| *at <= now);
    let taken: Vec<_> = free.map(|(_, number)| *number).collect();
    let next_at = entries.get(taken.len()).map(|(at, _)| Timestamp::from_micros(*at));
    (taken, next_at)
}

/// Leases rows. What does not read is leased too and left out: it must not stop the rest.
fn take<T>(
    conn: &Connection,
    sql: &str,
    claim: &Claim,
    numbers: &[i64],
    read: impl Fn(&Row<'_>) -> Ran<T>,
) -> Ran<Vec<T>> {
    let until = claim.now.plus(claim.lease).as_micros();
    let mut items = Vec::with_capacity(numbers.len());
    let mut statement = conn.prepare_cached(sql)?;
    for number in numbers {
        match statement.query_row(params![claim.owner, until, number], |row| Ok(read(row)))? {
            Ok(item) => items.push(item),
            Err(failure) => pass_over(failure, *number)?,
        }
    }
    Ok(items)
}

fn pass_over(failure: Failure, number: i64) -> Ran<()> {
    let error = failure.into_error("read leased row");
    if error.kind() != ErrorKind::Corrupt {
        return Err(error.into());
    }
    tracing::error!(row = number, %error, "a row that is due cannot be read; it is passed over");
    Ok(())
}

/// Frees every lease of an owner.
pub(super) fn release(conn: &Connection, owner: &str) -> Ran<()> {
    // The ended ones are many, and their leases mean nothing.
    for sql in [
        "UPDATE task SET lease_owner = NULL, lease_until = NULL, free_at = due_at,
             slot_until = CASE WHEN holds_slot THEN slot_until END
         WHERE free_at IS NOT NULL AND lease_owner = ?1",
        "UPDATE notice SET lease_owner = NULL, lease_until = NULL, free_at = due_at
         WHERE free_at IS NOT NULL AND lease_owner = ?1",
        "UPDATE inbox SET lease_owner = NULL, lease_until = NULL, free_at = coalesce(parked_until, 0)
         WHERE lease_owner = ?1",
    ] {
        conn.prepare_cached(sql)?.execute([owner])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use rusqlite::StatementStatus;

    use super::*;
    use crate::store::{SqliteStore, TaskStore};
    use crate::testkit::store_suite::fixtures::{at, waiting};

    /// The queue, in the order of its index, and the list of those that are passed over, read once.
    const QUEUE: &str = "SEARCH task USING COVERING INDEX task_queue (provider_id=?); LIST SUBQUERY 1; \
                         SCAN json_each VIRTUAL TABLE INDEX 1:; CREATE BLOOM FILTER";

    /// Claims run all the time, over whatever waits: each must be answered by an index alone, in its order.
    #[tokio::test]
    async fn claims_read_nothing_but_their_index() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path().join("a.db")).await.unwrap();
        let conn = Connection::open(store.path()).unwrap();
        let plan = |sql: &str| {
            let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3)).map(Result::unwrap);
            steps.collect::<Vec<_>>().join("; ")
        };
        let cases = [
            (DUE, "SEARCH task USING COVERING INDEX task_free (provider_id=? AND free_at>?)"),
            (NEXT_PROVIDER, "SEARCH task USING COVERING INDEX task_free (provider_id>?)"),
            (HELD, "SEARCH task USING COVERING INDEX task_slot (provider_id=? AND slot_until>?)"),
            (WAITING, QUEUE),
            (LATER, QUEUE),
            (NOTICES, "SEARCH notice USING COVERING INDEX notice_free (free_at>?)"),
            (WEBHOOKS, "SCAN inbox USING COVERING INDEX inbox_free"),
        ];
        for (sql, expected) in cases {
            assert_eq!(plan(sql), expected, "{sql}");
        }
    }

    /// What a claim costs does not depend on how many wait.
    #[tokio::test]
    async fn a_long_queue_is_claimed_from_like_a_short_one() {
        let steps = async |tasks: usize| {
            let dir = tempfile::tempdir().unwrap();
            let store = SqliteStore::open(dir.path().join("a.db")).await.unwrap();
            let tasks: Vec<_> = (0..tasks).map(|i| waiting(&format!("caller-{}", i % 7), at(0))).collect();
            for inserted in join_all(tasks.iter().map(|task| store.insert(task, &[]))).await {
                inserted.unwrap();
            }
            let conn = Connection::open(store.path()).unwrap();
            let now = at(9).as_micros();
            let cases: [(&str, Vec<rusqlite::types::Value>); 4] = [
                (DUE, vec!["comfydeploy".to_owned().into(), 10.into()]),
                (NEXT_PROVIDER, vec![String::new().into()]),
                (HELD, vec!["comfydeploy".to_owned().into(), now.into()]),
                (WAITING, vec!["comfydeploy".to_owned().into(), now.into(), "[]".to_owned().into(), 10.into()]),
            ];
            let count = |(sql, values): (&str, Vec<_>)| {
                let mut statement = conn.prepare(sql).unwrap();
                let mut rows = statement.query(rusqlite::params_from_iter(values)).unwrap();
                while rows.next().unwrap().is_some() {}
                drop(rows);
                statement.get_status(StatementStatus::VmStep)
            };
            cases.map(count)
        };
        assert_eq!(steps(1_000).await, steps(50).await);
    }
}
