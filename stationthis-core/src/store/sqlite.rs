//! A durable store in one SQLite file.

mod backup;
mod claims;
mod documents;
mod events;
mod failure;
mod inbox;
mod outbox;
mod peek;
mod reader;
mod schema;
mod tasks;
#[cfg(test)]
mod tests;
mod totals;
mod writer;

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::oneshot;

use self::failure::Ran;
use self::inbox::WebhookRow;
use self::reader::Readers;
use self::tasks::{ChangeRow, TaskRow};
use self::writer::Writer;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::id::{CallerId, IdempotencyKey, NoticeId, ProviderId, RunId, TaskId, ToolId};
use crate::store::{
    Appended, Change, Claim, Claimed, Committed, Document, EventQuery, INBOX_MAX, InboxItem, InboxOutcome, Inserted,
    NoticeOutcome, NoticePage, NoticeQuery, OutboxItem, ProviderFilter, Put, StoreStats, StoredEvent, TaskPage,
    TaskQuery, TaskStore, Total, TotalsQuery,
};
use crate::task::TaskRecord;
use crate::task::event::TaskEvent;
use crate::time::Timestamp;

/// How long a write waits for another program's lock (a backup, a second process) before it is `StoreUnavailable`:
/// longer than a lock is held by anything that works, shorter than a caller's patience.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that read beside the writer: a long list must not hold up every other read, and few machines that are
/// served by SQLite have more cores to spare.
const READERS: usize = 2;

/// Keeps everything in one SQLite file, with its `-wal` and `-shm` beside it.
///
/// # Guarantees
/// A method returns after its write is on the disk (`synchronous=FULL`): it survives the death of the process and of
/// the machine. One thread writes; what waits for it is committed together, so that many callers share one wait for
/// the disk. Reads do not wait for writes, and see every write that was acknowledged before.
///
/// # Limits
/// One machine: the file must be on a local disk. Several processes may share it; leases keep them apart.
///
/// # Dropping
/// Waits for the transaction at work, then closes the file. Writes that nobody waits for any more are not begun.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    // Before the writer: the last connection to close tidies up the log, and only the writer may.
    readers: Readers,
    writer: Writer,
    inbox_max: usize,
    busy_timeout: Duration,
}

impl SqliteStore {
    /// Opens the database at `path`, makes it when there is none (but not its directory), and brings its schema up to
    /// date.
    ///
    /// # Errors
    /// `StoreUnavailable` when it cannot be opened or locked, or was written by a newer version of this library;
    /// `Corrupt` when it is damaged, or another program's.
    pub async fn open(path: impl AsRef<Path> + Send) -> Result<Self> {
        Self::open_with(path.as_ref().to_path_buf(), BUSY_TIMEOUT).await
    }

    async fn open_with(path: PathBuf, busy_timeout: Duration) -> Result<Self> {
        let file = path.clone();
        let (writer, readers) = apart("open database", path.clone(), move || connect(&file, busy_timeout)).await?;
        let (readers, writer) = (Readers::start(readers)?, Writer::start(writer)?);
        Ok(Self { path, readers, writer, inbox_max: INBOX_MAX, busy_timeout })
    }

    /// As it is, but that at most `max` webhooks wait, in place of [`INBOX_MAX`].
    #[must_use]
    pub fn with_inbox_max(mut self, max: usize) -> Self {
        self.inbox_max = max;
        self
    }

    /// Writes a copy of everything that was acknowledged by now to a new file, while the store stays in use, and notes
    /// `at` in the copy as the time of the backup ([`RESTORED_DOCUMENT`](crate::store::RESTORED_DOCUMENT)): a station
    /// that is started over it then knows that what was waiting may have been submitted since.
    ///
    /// The copy is made as `path` with `.partial` after it, and renamed when it is whole and on the disk. It needs as
    /// much space as the database. No writer waits for it, but the write-ahead log grows meanwhile.
    ///
    /// # Errors
    /// `Conflict` when there is a file at `path`, or a copy under way or broken off beside it; `InvalidInput` when the
    /// path is not Unicode; `StoreUnavailable` when it cannot be written.
    pub async fn backup(&self, path: impl AsRef<Path> + Send, at: Timestamp) -> Result<()> {
        let (from, to, busy_timeout) = (self.path.clone(), path.as_ref().to_path_buf(), self.busy_timeout);
        apart("back up database", to.clone(), move || backup::copy(&from, &to, at, busy_timeout)).await
    }

    /// The database file, as it was given to [`SqliteStore::open`].
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn connect(path: &Path, busy_timeout: Duration) -> Ran<(Connection, Vec<Connection>)> {
    let writer = schema::open_writer(path, busy_timeout)?;
    let readers = (0..READERS).map(|_| schema::open_reader(path, busy_timeout)).collect::<Ran<_>>()?;
    Ok((writer, readers))
}

/// Does what waits for locks and for the disk on a thread of its own: the caller's may be the runtime's only one.
async fn apart<T: Send + 'static>(
    operation: &'static str,
    path: PathBuf,
    work: impl FnOnce() -> Ran<T> + Send + 'static,
) -> Result<T> {
    let (reply, done) = oneshot::channel();
    start_thread("stationthis-sqlite-file", move || {
        // A caller that has gone away wants no answer.
        let _ = reply.send(work());
    })?;
    let done = done.await.map_err(|e| Error::new(ErrorKind::Unexpected, operation).with_source(e))?;
    done.map_err(|failure| failure.into_error(operation).with_context("path", path.display()))
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|e| {
        Error::new(ErrorKind::StoreUnavailable, "start database thread").with_retry(Retry::Backoff).with_source(e)
    })
}

/// A count as SQLite keeps it; none of ours comes near the limit.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as SQLite kept it; none of ours is negative.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[async_trait]
impl TaskStore for SqliteStore {
    async fn insert(&self, task: &TaskRecord, events: &[TaskEvent]) -> Result<Inserted> {
        let row = TaskRow::new(task, events)?;
        self.writer.run("insert task", move |conn| tasks::insert(conn, &row)).await
    }

    async fn get(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        self.readers.run("read task", move |conn| tasks::get(conn, id)).await
    }

    async fn find_by_key(&self, caller: &CallerId, key: &IdempotencyKey) -> Result<Option<TaskRecord>> {
        let (caller, key) = (caller.clone(), key.clone());
        self.readers.run("find task by key", move |conn| tasks::find_by_key(conn, &caller, &key)).await
    }

    async fn find_by_run(&self, provider: &ProviderId, run: &RunId) -> Result<Option<TaskRecord>> {
        let (provider, run) = (provider.clone(), run.clone());
        self.readers.run("find task by run", move |conn| tasks::find_by_run(conn, &provider, &run)).await
    }

    async fn list(&self, query: &TaskQuery) -> Result<TaskPage> {
        let query = query.clone();
        self.readers.run("list tasks", move |conn| tasks::list(conn, &query)).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<StoredEvent>> {
        let query = query.clone();
        self.readers.run("read events", move |conn| events::read(conn, &query)).await
    }

    async fn commit(&self, expected: u64, change: &Change) -> Result<Committed> {
        let change = ChangeRow::new(expected, change)?;
        self.writer.run("commit task", move |conn| tasks::commit(conn, expected, &change)).await
    }

    async fn claim_due(&self, claim: &Claim, of: &ProviderFilter) -> Result<Claimed<TaskRecord>> {
        let (claim, of) = (claim.clone(), of.clone());
        self.writer.run("claim tasks", move |conn| claims::due(conn, &claim, &of)).await
    }

    async fn claim_submissions(
        &self,
        claim: &Claim,
        provider: &ProviderId,
        runs_max: usize,
        but: &[ToolId],
    ) -> Result<Claimed<TaskRecord>> {
        let (claim, provider, but) = (claim.clone(), provider.clone(), but.to_vec());
        let work = move |conn: &Connection| claims::submissions(conn, &claim, &provider, runs_max, &but);
        self.writer.run("claim submissions", work).await
    }

    async fn claim_notices(&self, claim: &Claim) -> Result<Claimed<OutboxItem>> {
        let claim = claim.clone();
        self.writer.run("claim notices", move |conn| claims::notices(conn, &claim)).await
    }

    async fn finish_notice(&self, id: NoticeId, outcome: &NoticeOutcome, event: Option<&TaskEvent>) -> Result<()> {
        let (outcome, event) = (outcome.clone(), event.map(events::to_json).transpose()?);
        self.writer.run("finish notice", move |conn| outbox::finish(conn, id, &outcome, event.as_deref())).await
    }

    async fn list_notices(&self, query: &NoticeQuery) -> Result<NoticePage> {
        let query = query.clone();
        self.readers.run("list notices", move |conn| outbox::list(conn, &query)).await
    }

    async fn requeue_notice(&self, id: NoticeId, due_at: Timestamp, event: &TaskEvent) -> Result<bool> {
        let event = events::to_json(event)?;
        self.writer.run("requeue notice", move |conn| outbox::requeue(conn, id, due_at, &event)).await
    }

    async fn append_inbox(&self, item: &InboxItem) -> Result<Appended> {
        let (row, max) = (WebhookRow::new(item)?, self.inbox_max);
        self.writer.run("keep webhook", move |conn| inbox::append(conn, &row, max)).await
    }

    async fn claim_inbox(&self, claim: &Claim) -> Result<Claimed<(u64, InboxItem)>> {
        let claim = claim.clone();
        self.writer.run("claim webhooks", move |conn| claims::webhooks(conn, &claim)).await
    }

    async fn finish_inbox(&self, numbers: &[u64], outcome: InboxOutcome) -> Result<()> {
        let numbers = numbers.to_vec();
        self.writer.run("finish webhooks", move |conn| inbox::finish(conn, &numbers, outcome)).await
    }

    async fn stats(&self) -> Result<StoreStats> {
        self.readers.run("count what is to be done", totals::stats).await
    }

    async fn totals(&self, query: &TotalsQuery) -> Result<Vec<Total>> {
        let query = query.clone();
        self.readers.run("add up costs", move |conn| totals::totals(conn, &query)).await
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> Result<usize> {
        self.writer.run("prune tasks", move |conn| totals::prune(conn, before, limit)).await
    }

    async fn release_leases(&self, owner: &str) -> Result<()> {
        let owner = owner.to_owned();
        self.writer.run("release leases", move |conn| claims::release(conn, &owner)).await
    }

    async fn get_document(&self, namespace: &str, key: &str) -> Result<Option<Document>> {
        let (namespace, key) = (namespace.to_owned(), key.to_owned());
        self.readers.run("read document", move |conn| documents::get(conn, &namespace, &key)).await
    }

    async fn put_document(&self, namespace: &str, key: &str, expected: Option<u64>, bytes: Bytes) -> Result<Put> {
        let (namespace, key) = (namespace.to_owned(), key.to_owned());
        self.writer.run("write document", move |conn| documents::put(conn, &namespace, &key, expected, &bytes)).await
    }

    async fn prune_documents(&self, namespace: &str, below: &str, limit: usize) -> Result<usize> {
        let (namespace, below) = (namespace.to_owned(), below.to_owned());
        self.writer.run("prune documents", move |conn| documents::prune(conn, &namespace, &below, limit)).await
    }
}
