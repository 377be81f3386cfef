//! The accept loop.

mod open_files;

use std::io;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::http::stream::Stream;

/// What a server gives each client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Connections at a time; more wait in the listen queue.
    pub connections: usize,
    /// How long a client may take to send the head of a request, and how long a connection may stay without one.
    pub head_timeout: Duration,
    /// The longest pause between two pieces of a request's body.
    pub body_pause: Duration,
    /// The longest a request may take, its body included; one that sends a file may take longer, by the size that a file
    /// may have.
    pub request_timeout: Duration,
    /// How long a client may take nothing of an answer that is there.
    pub write_pause: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            // Half of them may be streams and waits, which live long: a thousand. An idle one takes 18 kB.
            connections: 2048,
            // Without it, a few hundred slow clients hold every connection. (`axum::serve` has no such limit, hence
            // this module.)
            head_timeout: Duration::from_secs(10),
            body_pause: Duration::from_secs(15),
            // The longest wait that can be asked for, and time to answer.
            request_timeout: Duration::from_secs(super::WAIT_S_MAX + 30),
            write_pause: Duration::from_secs(15),
        }
    }
}

impl ServerLimits {
    /// As many connections as the system lets this process have: asks for more open files, and serves fewer clients
    /// at a time, with a warning, when that is refused. For the start of a program; it changes the process's limit.
    #[must_use]
    pub fn within_open_files(mut self) -> Self {
        self.connections = open_files::allow(self.connections);
        self
    }
}

/// In each request of a server that will stop: answers without an end listen to it.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(pub(crate) CancellationToken);

/// The head of a request: more than any client of ours sends.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// A pause after the system refuses a connection (too many open files), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` until `stop`, then takes no new connections and gives those under way `grace` to finish.
///
/// Cancellation: dropping the future closes the listener; requests under way go on until their clients are answered
/// or the runtime ends.
///
/// # Errors
/// None at present: the system's refusals of single connections are logged, and the loop goes on.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    stop: CancellationToken,
    grace: Duration,
) -> io::Result<()> {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(HEAD_BYTES_MAX);
    let graceful = GracefulShutdown::new();
    let router = router.layer(Extension(Stopping(stop.clone())));
    let permits = Arc::new(Semaphore::new(limits.connections));
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit.map_err(io::Error::other)?,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are small; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(
            builder.serve_connection(TokioIo::new(Stream::new(stream, limits.write_pause)), service).into_owned(),
        );
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                // A client that went away is no event of ours.
                tracing::debug!(%error, "connection ended");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the time to stop was over");
    }
    Ok(())
}
