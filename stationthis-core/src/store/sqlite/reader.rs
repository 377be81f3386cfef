//! The threads that read, beside the writer and without waiting for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::failure::Ran;
use super::start_thread;
use crate::error::{Error, ErrorKind, Result};

/// Reads that wait; a caller beyond them waits to be let in. Reads are short, and each holds little until it runs.
const QUEUE_MAX: usize = 256;

/// One read of one caller.
type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The handle of the reader threads. Dropped, it waits until they have closed their connections.
pub(super) struct Readers {
    /// `None` only while it is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts a thread for each connection.
    pub(super) fn start(connections: Vec<Connection>) -> Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>(QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        let mut readers = Self { jobs: Some(jobs), threads: Vec::with_capacity(connections.len()) };
        for conn in connections {
            let queue = Arc::clone(&queue);
            readers.threads.push(start_thread("stationthis-sqlite-reader", move || serve(&conn, &queue))?);
        }
        Ok(readers)
    }

    /// Does `work` on the first connection that is free; it sees every write that was acknowledged before.
    pub(super) async fn run<T, F>(&self, operation: &'static str, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Ran<T> + Send + 'static,
    {
        let gone = || Error::new(ErrorKind::Closed, operation).with_message("The database's readers have ended.");
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            if !reply.is_closed() {
                // A caller that goes away meanwhile wants no answer.
                let _ = reply.send(work(conn).map_err(|failure| failure.into_error(operation)));
            }
        });
        self.jobs.as_ref().ok_or_else(gone)?.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing more to close.
            let _ = thread.join();
        }
    }
}

fn serve(conn: &Connection, queue: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        // The lock is held while it waits: whoever has it takes the next job, then lets the others wait.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(job) = job else { return };
        job(conn);
    }
}
