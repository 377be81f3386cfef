//! Tasks as rows: the record as JSON, and columns for what is searched.

use rusqlite::{Connection, OptionalExtension, Row, ffi, params};

use super::events;
use super::failure::{Failure, Ran, unreadable};
use super::inbox;
use super::outbox::{self, NoticeRow};
use super::{signed, unsigned};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CallerId, IdempotencyKey, ProviderId, RunId, TaskId};
use crate::money::Usd;
use crate::store::totals::ended_at;
use crate::store::{Change, Committed, InboxOutcome, Inserted, LeaseChange, TaskPage, TaskQuery, run_taken};
use crate::task::TaskRecord;
use crate::task::event::TaskEvent;
use crate::time::Timestamp;

/// The JSON of the tasks of one page, before it ends early. Inputs may hold pictures, four megabytes a task: without it a
/// page of five hundred would be two gigabytes in memory, for each reader.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

const BY_KEY: &str = "SELECT record FROM task WHERE caller = ?1 AND idempotency_key = ?2";

/// A record as it is written, made on the caller's thread: the writer's time is for the disk.
pub(super) struct TaskRow {
    id: TaskId,
    caller: String,
    key: Option<String>,
    tool: String,
    provider: ProviderId,
    run: Option<RunId>,
    status: &'static str,
    due_at: Option<i64>,
    submit_at: Option<i64>,
    holds_slot: bool,
    needs_review: bool,
    ended_at: Option<i64>,
    cost_nanos: Option<i64>,
    revision: i64,
    record: String,
    events: Vec<String>,
}

impl TaskRow {
    /// The row of a record and its new events.
    pub(super) fn new(record: &TaskRecord, events: &[TaskEvent]) -> Result<Self> {
        Ok(Self {
            id: record.task_id,
            caller: record.caller.as_str().to_owned(),
            key: record.idempotency_key.as_ref().map(|key| key.as_str().to_owned()),
            tool: record.tool_id.as_str().to_owned(),
            provider: record.provider_id.clone(),
            run: record.state.run_id.clone(),
            status: record.state.status.as_str(),
            due_at: record.due_at.map(Timestamp::as_micros),
            submit_at: record.submit_at.map(Timestamp::as_micros),
            holds_slot: record.state.holds_slot(),
            needs_review: record.state.needs_review(),
            ended_at: ended_at(record).map(Timestamp::as_micros),
            cost_nanos: record.state.charged_usd().map(Usd::nanos),
            revision: signed(record.revision),
            record: serde_json::to_string(record)
                .map_err(|e| Error::new(ErrorKind::Unexpected, "write task as JSON").with_source(e))?,
            events: events.iter().map(events::to_json).collect::<Result<_>>()?,
        })
    }

    fn run_text(&self) -> Option<&str> {
        self.run.as_ref().map(RunId::as_str)
    }

    /// Until when it holds a run slot under such a lease.
    fn slot_until(&self, lease_until: Option<i64>) -> Option<i64> {
        if self.holds_slot { Some(i64::MAX) } else { lease_until.filter(|_| self.submit_at.is_some()) }
    }

    /// Of the unique columns only the run can clash where this is used.
    fn clash(&self, error: rusqlite::Error) -> Failure {
        match &self.run {
            Some(run) if error.sqlite_extended_error_code() == Some(ffi::SQLITE_CONSTRAINT_UNIQUE) => {
                run_taken(&self.provider, run).into()
            }
            _ => error.into(),
        }
    }
}

/// What a commit needs to know of the row that is there.
struct Current {
    number: i64,
    revision: i64,
    run: Option<String>,
    lease_owner: Option<String>,
    lease_until: Option<i64>,
}

impl Current {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let (number, revision, run) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Self { number, revision, run, lease_owner: row.get(3)?, lease_until: row.get(4)? })
    }
}

/// A change as it is written.
pub(super) struct ChangeRow {
    task: TaskRow,
    notices: Vec<NoticeRow>,
    inbox_done: Vec<u64>,
    lease: LeaseChange,
}

impl ChangeRow {
    /// The rows of a change whose record gets the revision after `expected`.
    pub(super) fn new(expected: u64, change: &Change) -> Result<Self> {
        let record = TaskRecord { revision: expected.saturating_add(1), ..change.task.clone() };
        Ok(Self {
            task: TaskRow::new(&record, &change.events)?,
            notices: change.notices.iter().map(|new| NoticeRow::new(new, change.added_at(new))).collect(),
            inbox_done: change.inbox_done.clone(),
            lease: change.lease,
        })
    }
}

/// See [`TaskStore::insert`](crate::store::TaskStore::insert).
pub(super) fn insert(conn: &Connection, row: &TaskRow) -> Ran<Inserted> {
    if let Some(key) = &row.key
        && let Some(first) = one(conn, BY_KEY, params![row.caller, key])?
    {
        return Ok(Inserted::Duplicate(Box::new(first)));
    }
    if let Some(first) = get(conn, row.id)? {
        return Ok(Inserted::Duplicate(Box::new(first)));
    }
    conn.prepare_cached(
        "INSERT INTO task
             (task_id, caller, idempotency_key, tool_id, provider_id, run_id, status, due_at, free_at, submit_at, turn,
              holds_slot, slot_until, needs_review, ended_at, cost_nanos, revision, record)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9,
             coalesce(
                 (SELECT turn + 1 FROM task WHERE provider_id = ?5 AND caller = ?2 AND submit_at IS NOT NULL
                  ORDER BY turn DESC LIMIT 1),
                 (SELECT turn FROM task WHERE provider_id = ?5 AND submit_at IS NOT NULL ORDER BY turn LIMIT 1),
                 0),
             ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        row.id.as_bytes(),
        row.caller,
        row.key,
        row.tool,
        row.provider.as_str(),
        row.run_text(),
        row.status,
        row.due_at,
        row.submit_at,
        row.holds_slot,
        row.slot_until(None),
        row.needs_review,
        row.ended_at,
        row.cost_nanos,
        row.revision,
        row.record
    ])
    .map_err(|error| row.clash(error))?;
    Ok(Inserted::New(events::append(conn, row.id, &row.caller, &row.events)?))
}

/// See [`TaskStore::commit`](crate::store::TaskStore::commit).
pub(super) fn commit(conn: &Connection, expected: u64, change: &ChangeRow) -> Ran<Committed> {
    let row = &change.task;
    let there = conn
        .prepare_cached("SELECT n, revision, run_id, lease_owner, lease_until FROM task WHERE task_id = ?1")?
        .query_row([row.id.as_bytes()], Current::read)
        .optional()?;
    let Some(there) = there else { return Ok(Committed::Missing) };
    if there.revision != signed(expected) {
        return Ok(get(conn, row.id)?.map_or(Committed::Missing, |current| Committed::Stale(Box::new(current))));
    }
    let (owner, until) = match change.lease {
        LeaseChange::Keep => (there.lease_owner, there.lease_until),
        LeaseChange::Release => (None, None),
        LeaseChange::Extend(until) => (there.lease_owner, there.lease_until.map(|_| until.as_micros())),
    };
    conn.prepare_cached(
        "UPDATE task SET status = ?2, due_at = ?3, submit_at = ?4, holds_slot = ?5, needs_review = ?6, ended_at = ?7,
             cost_nanos = ?8, revision = ?9, record = ?10, lease_owner = ?11, lease_until = ?12, free_at = ?13,
             slot_until = ?14
         WHERE n = ?1",
    )?
    .execute(params![
        there.number,
        row.status,
        row.due_at,
        row.submit_at,
        row.holds_slot,
        row.needs_review,
        row.ended_at,
        row.cost_nanos,
        row.revision,
        row.record,
        owner,
        until,
        row.due_at.map(|at| until.map_or(at, |until| until.max(at))),
        row.slot_until(until)
    ])?;
    // Apart, as it seldom changes: the index of runs is large, and in no order that time gives.
    if there.run.as_deref() != row.run_text() {
        conn.prepare_cached("UPDATE task SET run_id = ?2 WHERE n = ?1")?
            .execute(params![there.number, row.run_text()])
            .map_err(|error| row.clash(error))?;
    }
    let seq = events::append(conn, row.id, &row.caller, &row.events)?;
    outbox::add(conn, row.id, &row.caller, &change.notices)?;
    if !change.inbox_done.is_empty() {
        inbox::finish(conn, &change.inbox_done, InboxOutcome::Dropped)?;
    }
    Ok(Committed::Done { revision: unsigned(row.revision), seq })
}

/// One task.
pub(super) fn get(conn: &Connection, id: TaskId) -> Ran<Option<TaskRecord>> {
    one(conn, "SELECT record FROM task WHERE task_id = ?1", [id.as_bytes()])
}

/// See [`TaskStore::find_by_key`](crate::store::TaskStore::find_by_key).
pub(super) fn find_by_key(conn: &Connection, caller: &CallerId, key: &IdempotencyKey) -> Ran<Option<TaskRecord>> {
    one(conn, BY_KEY, [caller.as_str(), key.as_str()])
}

/// The task of a run.
pub(super) fn find_by_run(conn: &Connection, provider: &ProviderId, run: &RunId) -> Ran<Option<TaskRecord>> {
    let sql = "SELECT record FROM task WHERE provider_id = ?1 AND run_id = ?2";
    one(conn, sql, [provider.as_str(), run.as_str()])
}

/// A page, newest first, that ends early at [`PAGE_BYTES_MAX`]. One row more than the page is read, to know whether there
/// is a next one.
pub(super) fn list(conn: &Connection, query: &TaskQuery) -> Ran<TaskPage> {
    // Only these fixed parts make the statement; what the query says is bound.
    let sql = [
        "SELECT task_id, record FROM task",
        // Few need review.
        if query.needs_review { " INDEXED BY task_review" } else { "" },
        " WHERE task_id < ?1",
        if query.since.is_some() { " AND task_id >= ?5" } else { "" },
        if query.needs_review { " AND needs_review = 1" } else { "" },
        if query.caller.is_some() { " AND caller = ?2" } else { "" },
        // A popular tool has far more tasks than one caller: the unary plus keeps the caller's index in use.
        match (&query.tool, &query.caller) {
            (None, _) => "",
            (Some(_), None) => " AND tool_id = ?3",
            (Some(_), Some(_)) => " AND +tool_id = ?3",
        },
        if query.statuses.is_empty() { "" } else { " AND status IN (SELECT value FROM json_each(?4))" },
        " ORDER BY task_id DESC LIMIT ?6",
    ]
    .concat();
    let size = query.page_size();
    // Sorts after every id.
    let newest = [u8::MAX; 17];
    let before = query.before.as_ref().map_or(newest.as_slice(), |id| id.as_bytes().as_slice());
    let statuses = serde_json::to_string(&query.statuses).map_err(|e| unreadable("write statuses as JSON", e))?;
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        before,
        query.caller.as_ref().map(|caller| caller.as_str()),
        query.tool.as_ref().map(|tool| tool.as_str()),
        statuses,
        query.since.as_ref().map(|since| since.as_bytes().as_slice()),
        i64::try_from(size.saturating_add(1)).unwrap_or(i64::MAX)
    ])?;
    let (mut page, mut bytes) = (TaskPage::default(), 0_usize);
    while let Some(row) = rows.next()? {
        if page.tasks.len() == size || bytes >= PAGE_BYTES_MAX {
            page.next = page.tasks.last().map(|last| last.task_id);
            break;
        }
        bytes = bytes.saturating_add(text_at(row, 1)?.len());
        page.tasks.push(record_at(row, 1)?);
    }
    Ok(page)
}

/// The record in a column.
pub(super) fn record_at(row: &Row<'_>, column: usize) -> Ran<TaskRecord> {
    serde_json::from_str(text_at(row, column)?).map_err(|e| unreadable("read task", e))
}

fn text_at<'a>(row: &'a Row<'_>, column: usize) -> Ran<&'a str> {
    row.get_ref(column)?.as_str().map_err(|e| unreadable("read task", e))
}

fn one(conn: &Connection, sql: &'static str, params: impl rusqlite::Params) -> Ran<Option<TaskRecord>> {
    let mut statement = conn.prepare_cached(sql)?;
    let record = statement.query_row(params, |row| Ok(record_at(row, 0))).optional()?;
    record.transpose()
}
