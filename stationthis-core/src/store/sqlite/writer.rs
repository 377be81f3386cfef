//! The one thread that writes, and commits for many callers at once.

use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::failure::{Failure, Ran};
use super::start_thread;
use crate::error::{Effect, Error, ErrorKind, Result, Retry};

/// Writes that wait; a caller beyond them waits to be let in. Four transactions' worth, so that the next one is always
/// full under load, and the memory they hold stays small.
const QUEUE_MAX: usize = 512;

/// Writes in one transaction: one wait for the disk serves so many callers; more would only make the first wait longer.
const BATCH_MAX: usize = 128;

/// The handle of the writer thread. Dropped, it waits until the thread has closed the database.
#[derive(Debug)]
pub(super) struct Writer {
    /// `None` only while it is dropped.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(conn: Connection) -> Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let thread = start_thread("stationthis-sqlite-writer", move || serve(&conn, queue))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Does `work` in a transaction, and answers when it is durable. Work that fails is undone and disturbs no other; work
    /// that was undone because of another is done again.
    /// When the caller goes away before it began, it is not done.
    pub(super) async fn run<T, F>(&self, operation: &'static str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Ran<T> + Send + 'static,
    {
        let gone = || Error::new(ErrorKind::Closed, operation).with_message("The database's writer has ended.");
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Write { operation, work, outcome: None, reply });
        self.jobs.as_ref().ok_or_else(gone)?.send(job).await.map_err(|_| gone())?;
        // It took the work and did not answer: it may have been done.
        answer.await.map_err(|_| gone().with_effect(Effect::Unknown))?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing more to close.
            let _ = thread.join();
        }
    }
}

/// One write of one caller.
trait Job: Send + std::fmt::Debug {
    /// Does anybody still wait for it?
    fn wanted(&self) -> bool;

    /// Does the work, or does it again after it was undone; false when it must be undone.
    fn run(&mut self, conn: &Connection) -> bool;

    /// Tells the caller: what the work gave, or that its transaction was lost.
    fn answer(self: Box<Self>, lost: Option<&Error>);
}

struct Write<T, F> {
    operation: &'static str,
    work: F,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> std::fmt::Debug for Write<T, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Write").field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl<T: Send, F: Fn(&Connection) -> Ran<T> + Send> Job for Write<T, F> {
    fn wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(&mut self, conn: &Connection) -> bool {
        let outcome = (self.work)(conn).map_err(|failure| failure.into_error(self.operation));
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>, lost: Option<&Error>) {
        let outcome = match (self.outcome, lost) {
            (Some(Err(error)), _) => Err(error),
            (_, Some(error)) => Err(copy_of(error, self.operation)),
            (Some(Ok(value)), None) => Ok(value),
            // Every job of a batch that was not lost has run.
            (None, None) => Err(Error::new(ErrorKind::Unexpected, self.operation)),
        };
        // A caller that has gone away meanwhile reads what became of it.
        let _ = self.reply.send(outcome);
    }
}

fn serve(conn: &Connection, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(next) = queue.try_recv()
        {
            batch.push(next);
        }
        batch.retain(|job| job.wanted());
        if batch.is_empty() {
            continue;
        }
        let lost = transact(conn, &mut batch).err();
        for job in batch {
            job.answer(lost.as_ref());
        }
    }
}

/// Runs a batch in one transaction. An error means that nothing of it was written, but for `Effect::Unknown`.
///
/// A savepoint for each job costs as much as a small write, and jobs seldom fail: the batch is tried without them first,
/// and with them when one has failed.
fn transact(conn: &Connection, batch: &mut [Box<dyn Job>]) -> Result<()> {
    if attempt(conn, batch, run_together)? { Ok(()) } else { attempt(conn, batch, run_apart).map(drop) }
}

/// A way to run the jobs of a batch in a transaction that is open; false when another way may do.
type Way = fn(&Connection, &mut [Box<dyn Job>]) -> Result<bool>;

/// One transaction; false when it was rolled back because of a job, and another way may do.
fn attempt(conn: &Connection, batch: &mut [Box<dyn Job>], run: Way) -> Result<bool> {
    let lost = |error| Failure::Sql(error).into_error("begin transaction");
    execute(conn, "BEGIN IMMEDIATE").map_err(lost)?;
    let done = run(conn, batch);
    let done =
        if matches!(done, Ok(true)) { execute(conn, "COMMIT").map(|()| true).map_err(commit_failed) } else { done };
    if !conn.is_autocommit() && execute(conn, "ROLLBACK").is_err() {
        tracing::error!("the database's transaction could be neither committed nor rolled back");
    }
    done
}

/// Every job, as one piece.
fn run_together(conn: &Connection, batch: &mut [Box<dyn Job>]) -> Result<bool> {
    Ok(batch.iter_mut().all(|job| job.run(conn)))
}

/// Every job for itself: one that fails is undone alone.
fn run_apart(conn: &Connection, batch: &mut [Box<dyn Job>]) -> Result<bool> {
    let lost = |error| Failure::Sql(error).into_error("write in transaction");
    for job in batch {
        execute(conn, "SAVEPOINT job").map_err(lost)?;
        if !job.run(conn) {
            // A full disk or a failing one makes SQLite give up the whole transaction by itself.
            if conn.is_autocommit() {
                return Err(Error::new(ErrorKind::StoreUnavailable, "write in transaction")
                    .with_message("The database gave up the transaction that this write shared with others.")
                    .with_retry(Retry::Backoff));
            }
            execute(conn, "ROLLBACK TO job").map_err(lost)?;
        }
        execute(conn, "RELEASE job").map_err(lost)?;
    }
    Ok(true)
}

fn execute(conn: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// When the disk fails under a commit, the log may hold it all the same, and recovery may find it.
fn commit_failed(error: rusqlite::Error) -> Error {
    let unknown = error.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure);
    let effect = if unknown { Effect::Unknown } else { Effect::No };
    Failure::Sql(error).into_error("commit transaction").with_effect(effect)
}

/// The error of a shared transaction, for one of those who shared it.
fn copy_of(error: &Error, operation: &'static str) -> Error {
    Error::new(error.kind(), operation)
        .with_message(error.message().unwrap_or("The transaction failed."))
        .with_retry(error.retry())
        .with_effect(error.effect())
        .with_context("while", error.operation())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> Writer {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t (a INTEGER UNIQUE) STRICT").unwrap();
        Writer::start(conn).unwrap()
    }

    async fn put(writer: &Writer, a: i64) -> Result<()> {
        writer
            .run("put", move |conn| {
                // The second statement fails for a known number: the first must then be undone too.
                conn.execute("INSERT INTO t VALUES (?1)", [-a])?;
                conn.execute("INSERT INTO t VALUES (?1)", [a])?;
                Ok(())
            })
            .await
    }

    async fn all(writer: &Writer) -> Vec<i64> {
        let read = |conn: &Connection| -> Ran<Vec<i64>> {
            let mut statement = conn.prepare("SELECT a FROM t ORDER BY a")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        writer.run("read", read).await.unwrap()
    }

    /// Holds the writer inside a job until the sender is dropped, so that what follows gathers in one batch.
    async fn hold(writer: &Writer) -> (std::sync::mpsc::Sender<()>, impl Future<Output = Result<()>>) {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (reached, mut held) = mpsc::channel(1);
        let (reply, answer) = oneshot::channel();
        let work = move |_: &Connection| -> Ran<()> {
            let _ = reached.try_send(());
            let _ = wait.recv();
            Ok(())
        };
        let job = Box::new(Write { operation: "hold", work, outcome: None, reply });
        writer.jobs.as_ref().unwrap().send(job).await.unwrap();
        held.recv().await.unwrap();
        (go, async { answer.await.unwrap() })
    }

    #[tokio::test]
    async fn a_failing_write_is_undone_alone() {
        let writer = writer();
        let (go, held) = hold(&writer).await;
        let (a, b, c, ()) = tokio::join!(put(&writer, 1), put(&writer, 0), put(&writer, 2), async { drop(go) });
        held.await.unwrap();
        a.unwrap();
        assert_eq!(b.unwrap_err().kind(), ErrorKind::Unexpected, "0 and -0 are one number");
        c.unwrap();
        assert_eq!(all(&writer).await, [-2, -1, 1, 2]);
    }

    #[tokio::test]
    async fn a_write_that_nobody_waits_for_is_not_begun() {
        let writer = writer();
        let (go, held) = hold(&writer).await;
        {
            let dropped = put(&writer, 1);
            tokio::pin!(dropped);
            assert!(futures_util::poll!(&mut dropped).is_pending());
        }
        drop(go);
        held.await.unwrap();
        put(&writer, 2).await.unwrap();
        assert_eq!(all(&writer).await, [-2, 2]);
    }

    #[tokio::test]
    async fn a_lost_transaction_is_told_to_everybody_in_it() {
        let writer = writer();
        let (go, held) = hold(&writer).await;
        let lose = writer.run("lose", |conn| {
            conn.execute_batch("ROLLBACK")?;
            Err::<(), _>(Failure::Own(Error::new(ErrorKind::TooLarge, "lose")))
        });
        let (a, b, ()) = tokio::join!(put(&writer, 1), lose, async { drop(go) });
        held.await.unwrap();
        assert_eq!(b.unwrap_err().kind(), ErrorKind::TooLarge, "its own reason");
        let a = a.unwrap_err();
        assert_eq!((a.kind(), a.retry(), a.effect()), (ErrorKind::StoreUnavailable, Retry::Backoff, Effect::No));
        put(&writer, 3).await.unwrap();
        assert_eq!(all(&writer).await, [-3, 3]);
    }
}
