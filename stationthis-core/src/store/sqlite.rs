//! A durable store in one SQLite file.

mod claims;
mod documents;
mod events;
mod failure;
mod inbox;
mod outbox;
mod reader;
mod schema;
mod tasks;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::oneshot;

use self::failure::Ran;
use self::reader::Readers;
use self::tasks::{ChangeRow, TaskRow};
use self::writer::Writer;
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::id::{NoticeId, ProviderId, RunId, TaskId};
use crate::store::{
    Change, Claim, Claimed, Committed, Document, EventQuery, InboxItem, Inserted, NoticeOutcome, OutboxItem, Put,
    StoredEvent, TaskPage, TaskQuery, TaskStore,
};
use crate::task::TaskRecord;
use crate::task::event::TaskEvent;

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
        let (reply, opened) = oneshot::channel();
        let file = path.clone();
        // Opening waits for locks and for the disk: not on the caller's thread, which may be the runtime's only one.
        start_thread("stationthis-sqlite-open", move || {
            // A caller that has gone away wants no connections.
            let _ = reply.send(connect(&file, busy_timeout));
        })?;
        let (writer, readers) = opened
            .await
            .map_err(|e| Error::new(ErrorKind::Unexpected, "open database").with_source(e))?
            .map_err(|failure| failure.into_error("open database").with_context("path", path.display()))?;
        Ok(Self { path, readers: Readers::start(readers)?, writer: Writer::start(writer)? })
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

    async fn claim_due(&self, claim: &Claim) -> Result<Claimed<TaskRecord>> {
        let claim = claim.clone();
        let read = |row: &rusqlite::Row<'_>| tasks::record_at(row, 1);
        self.writer.run("claim tasks", move |conn| claims::claim(conn, &claims::TASKS, &claim, read)).await
    }

    async fn claim_notices(&self, claim: &Claim) -> Result<Claimed<OutboxItem>> {
        let claim = claim.clone();
        self.writer.run("claim notices", move |conn| claims::claim(conn, &claims::NOTICES, &claim, outbox::item)).await
    }

    async fn finish_notice(&self, id: NoticeId, outcome: &NoticeOutcome, event: &TaskEvent) -> Result<()> {
        let (outcome, event) = (outcome.clone(), events::to_json(event)?);
        self.writer.run("finish notice", move |conn| outbox::finish(conn, id, &outcome, event)).await
    }

    async fn append_inbox(&self, item: &InboxItem) -> Result<u64> {
        let item = item.clone();
        self.writer.run("keep webhook", move |conn| inbox::append(conn, &item)).await
    }

    async fn claim_inbox(&self, claim: &Claim) -> Result<Claimed<(u64, InboxItem)>> {
        let claim = claim.clone();
        self.writer.run("claim webhooks", move |conn| claims::claim(conn, &claims::INBOX, &claim, inbox::item)).await
    }

    async fn finish_inbox(&self, numbers: &[u64]) -> Result<()> {
        let numbers = numbers.to_vec();
        self.writer.run("drop webhooks", move |conn| inbox::finish(conn, &numbers)).await
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
}
