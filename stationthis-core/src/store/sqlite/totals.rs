//! Sums over the tables, and forgetting what is in them.

use rusqlite::{Connection, params};

use super::failure::{Ran, unreadable};
use super::{events, unsigned};
use crate::id::{CallerId, ProviderId, ToolId};
use crate::money::Usd;
use crate::store::totals::month_and_day;
use crate::store::{PAGE_MAX, StoreStats, Total, TotalsQuery};
use crate::task::state::TaskStatus;
use crate::time::Timestamp;

/// See [`TaskStore::stats`](crate::store::TaskStore::stats).
pub(super) fn stats(conn: &Connection) -> Ran<StoreStats> {
    let mut stats = StoreStats::default();
    let mut live = conn.prepare_cached(
        "SELECT provider_id, status, count(*) FROM task WHERE free_at IS NOT NULL GROUP BY provider_id, status",
    )?;
    let mut rows = live.query([])?;
    while let Some(row) = rows.next()? {
        let (provider, status): (String, String) = (row.get(0)?, row.get(1)?);
        let provider = ProviderId::new(provider).map_err(|e| unreadable("count tasks", e))?;
        let status: TaskStatus = status.parse().map_err(|e| unreadable("count tasks", e))?;
        stats.tasks.push((provider, status, unsigned(row.get(2)?)));
    }
    stats.tasks.sort();
    let number = |sql| -> Ran<Option<i64>> { Ok(conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?) };
    let count = |sql| -> Ran<u64> { Ok(unsigned(number(sql)?.unwrap_or(0))) };
    stats.notices_pending = count("SELECT count(*) FROM notice WHERE free_at IS NOT NULL")?;
    let oldest = number("SELECT min(created_at) FROM notice WHERE free_at IS NOT NULL")?;
    stats.oldest_notice_at = oldest.map(Timestamp::from_micros);
    stats.notices_dead = count("SELECT count(*) FROM notice WHERE state = 'dead'")?;
    stats.inbox = count("SELECT count(*) FROM inbox")?;
    let oldest = number("SELECT (SELECT received_at FROM inbox ORDER BY n LIMIT 1)")?;
    stats.oldest_webhook_at = oldest.map(Timestamp::from_micros);
    stats.needs_review = count("SELECT count(*) FROM task WHERE needs_review = 1")?;
    stats.last_event = events::last(conn)?;
    Ok(stats)
}

/// See [`TaskStore::totals`](crate::store::TaskStore::totals).
pub(super) fn totals(conn: &Connection, query: &TotalsQuery) -> Ran<Vec<Total>> {
    let Some((from, to)) = span(query) else { return Ok(Vec::new()) };
    let mut statement = conn.prepare_cached(
        "SELECT substr(day, 1, ?5) AS part, caller, tool_id, sum(tasks), sum(cost_nanos), sum(unknown) FROM (
             SELECT strftime('%Y-%m-%d', ended_at / 1000000, 'unixepoch') AS day, caller, tool_id,
                    1 AS tasks, coalesce(cost_nanos, 0) AS cost_nanos, cost_nanos IS NULL AS unknown
             FROM task WHERE ended_at >= ?3 AND ended_at < ?4
             UNION ALL SELECT day, caller, tool_id, tasks, cost_nanos, unknown FROM total)
         WHERE (?1 IS NULL OR caller = ?1) AND (?2 IS NULL OR substr(day, 1, 7) = ?2)
         GROUP BY part, caller, tool_id ORDER BY part, caller, tool_id",
    )?;
    let caller = query.caller.as_ref().map(CallerId::as_str);
    // As many letters as the day, or its month, has.
    let letters: i64 = if query.by_day { 10 } else { 7 };
    let mut rows = statement.query(params![caller, query.month, from, to, letters])?;
    let mut totals = Vec::new();
    while let Some(row) = rows.next()? {
        let (month, day) = month_and_day(row.get(0)?);
        let (caller, tool): (String, String) = (row.get(1)?, row.get(2)?);
        totals.push(Total {
            month,
            day,
            caller: CallerId::new(caller).map_err(|e| unreadable("read totals", e))?,
            tool_id: ToolId::new(tool).map_err(|e| unreadable("read totals", e))?,
            tasks: unsigned(row.get(3)?),
            cost_usd: Usd::from_nanos(row.get(4)?),
            unknown: unsigned(row.get(5)?),
        });
    }
    Ok(totals)
}

/// The times between which a month lies, so that only its part of the index is read; `None` for what is no month.
fn span(query: &TotalsQuery) -> Option<(i64, i64)> {
    const MONTH_MICROS: i64 = 31 * 24 * 3600 * 1_000_000;
    let Some(month) = &query.month else { return Some((i64::MIN, i64::MAX)) };
    let from: Timestamp = format!("{month}-01T00:00:00Z").parse().ok()?;
    Some((from.as_micros(), from.as_micros().saturating_add(MONTH_MICROS)))
}

/// See [`TaskStore::prune`](crate::store::TaskStore::prune).
pub(super) fn prune(conn: &Connection, before: Timestamp, limit: usize) -> Ran<usize> {
    let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(i64::MAX);
    let mut ended = conn.prepare_cached(
        "SELECT n, task_id FROM task
         WHERE ended_at < ?1 AND due_at IS NULL AND needs_review = 0
             AND NOT EXISTS (SELECT 1 FROM notice WHERE notice.task_id = task.task_id AND state = 'pending')
         ORDER BY ended_at, n LIMIT ?2",
    )?;
    let found = ended.query_map(params![before.as_micros(), limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let gone: Vec<(i64, [u8; 16])> = found.collect::<rusqlite::Result<_>>()?;
    let mut keep = conn.prepare_cached(
        "INSERT INTO total (day, caller, tool_id, tasks, cost_nanos, unknown)
             SELECT strftime('%Y-%m-%d', ended_at / 1000000, 'unixepoch'), caller, tool_id, 1, coalesce(cost_nanos, 0),
                    cost_nanos IS NULL FROM task WHERE n = ?1
         ON CONFLICT (day, caller, tool_id) DO UPDATE SET tasks = tasks + 1,
             cost_nanos = cost_nanos + excluded.cost_nanos, unknown = unknown + excluded.unknown",
    )?;
    let mut notices = conn.prepare_cached("DELETE FROM notice WHERE task_id = ?1")?;
    let mut events = conn.prepare_cached("DELETE FROM event WHERE task_id = ?1")?;
    let mut task = conn.prepare_cached("DELETE FROM task WHERE n = ?1")?;
    for (number, id) in &gone {
        keep.execute([number])?;
        notices.execute([id])?;
        events.execute([id])?;
        task.execute([number])?;
    }
    Ok(gone.len())
}
