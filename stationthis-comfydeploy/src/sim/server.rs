//! A simulated service on a port of its own.

use super::config::SimConfig;
use super::service::Sim;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running server. Dropping it stops the server, its runs and its webhooks at once.
#[derive(Debug)]
pub struct SimServer {
    /// The service behind the port.
    pub sim: Sim,
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Sim {
    /// Serves a new service on a free port of 127.0.0.1. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn serve(config: SimConfig) -> io::Result<SimServer> {
        Self::serve_on(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// As [`serve`](Self::serve), on a given address.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn serve_on(config: SimConfig, addr: SocketAddr) -> io::Result<SimServer> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let sim = Self::new(config);
        // Set only here, once.
        let _ = sim.inner.origin.set(format!("http://{addr}"));
        let router = sim.router();
        let mut stopped = sim.inner.stopped.subscribe();
        let task = tokio::spawn(async move {
            let serve = axum::serve(listener, router).with_graceful_shutdown(async move {
                // A closed channel means stop as well.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            });
            // The accept loop of axum ends only by the shutdown.
            let _ = serve.await;
        });
        Ok(SimServer { sim, addr, task })
    }
}

impl SimServer {
    /// What a client takes as its base URL: `http://127.0.0.1:PORT/api`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/api", self.addr)
    }

    /// The address bound.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops the server, its runs and its webhooks, and waits at most a second for answers under way.
    pub async fn shutdown(mut self) {
        self.sim.stop();
        // Late or not, the drop that follows ends it.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), &mut self.task).await;
    }
}

impl Drop for SimServer {
    fn drop(&mut self) {
        self.sim.stop();
        self.task.abort();
    }
}
