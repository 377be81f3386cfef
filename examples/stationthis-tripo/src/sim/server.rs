//! A scripted service on a port of its own.

use super::account::Account;
use super::books::{Books, TaskBook};
use super::config::{Faults, SimConfig, SimWebhook};
use super::hooks::{self, SimEvent};
use super::routes;
use super::task::SimTask;
use stationthis_core::Timestamp;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A scripted service. Cheap to clone; all clones are one service.
#[derive(Clone, Debug)]
pub struct Sim {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: SimConfig,
    pub(super) origin: String,
    pub(super) http: reqwest::Client,
    account: Mutex<Account>,
    faults: Mutex<Faults>,
    webhook: Mutex<Option<SimWebhook>>,
    pub(super) reads: AtomicUsize,
    pub(super) webhooks_taken: AtomicUsize,
    pub(super) refused_full: AtomicUsize,
}

/// A running server. Dropping it stops it at once.
#[derive(Debug)]
pub struct SimServer {
    /// The service behind the port.
    pub sim: Sim,
    addr: SocketAddr,
    task: JoinHandle<()>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sim {
    /// Serves a new service on a free port of 127.0.0.1. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// When no port can be bound, or no HTTP client can be made.
    pub async fn serve(config: SimConfig) -> io::Result<SimServer> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let addr = listener.local_addr()?;
        let http = reqwest::Client::builder().no_proxy().timeout(hooks::TIMEOUT).build().map_err(io::Error::other)?;
        let inner = Inner {
            account: Mutex::new(Account::new(&config)),
            faults: Mutex::default(),
            webhook: Mutex::new(config.webhook.clone()),
            config,
            origin: format!("http://{addr}"),
            http,
            reads: AtomicUsize::new(0),
            webhooks_taken: AtomicUsize::new(0),
            refused_full: AtomicUsize::new(0),
        };
        let sim = Self { inner: Arc::new(inner) };
        let router = routes::router(sim.clone());
        let task = tokio::spawn(async move {
            // The accept loop of axum does not end by itself.
            let _ = axum::serve(listener, router).await;
        });
        Ok(SimServer { sim, addr, task })
    }

    /// Behaves so from now on.
    pub fn set_faults(&self, faults: Faults) {
        *locked(&self.inner.faults) = faults;
    }

    pub(super) fn faults(&self) -> Faults {
        locked(&self.inner.faults).clone()
    }

    /// Sets up the console's webhook; it counts for tasks that end from now on.
    pub fn set_webhook(&self, webhook: Option<SimWebhook>) {
        *locked(&self.inner.webhook) = webhook;
    }

    pub(super) fn webhook(&self) -> Option<SimWebhook> {
        locked(&self.inner.webhook).clone()
    }

    /// What the console's webhook is sent of a task, signed now with `secrets`; `None` for a task that is not known.
    #[must_use]
    pub fn event_of(&self, task_id: &str, secrets: &[String]) -> Option<SimEvent> {
        let task = self.account().task(task_id).cloned()?;
        Some(SimEvent::of(self, &task, secrets))
    }

    /// The truth about everything so far.
    #[must_use]
    pub fn books(&self) -> Books {
        let account = self.account();
        Books {
            tasks: account.tasks().map(TaskBook::of).collect(),
            uploads: account.files.values().copied().flatten().collect(),
            balance: account.balance(),
            reads: self.inner.reads.load(Ordering::SeqCst),
            webhooks_taken: self.inner.webhooks_taken.load(Ordering::SeqCst),
            refused_full: self.inner.refused_full.load(Ordering::SeqCst),
        }
    }

    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        locked(&self.inner.account)
    }

    /// A task object with fresh URLs.
    pub(super) fn view(&self, task: &SimTask) -> serde_json::Value {
        task.view(&self.faults(), &self.inner.origin, Timestamp::now().plus(self.inner.config.url_life))
    }
}

impl SimServer {
    /// What a client takes as its base URL: `http://127.0.0.1:PORT/v3`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v3", self.addr)
    }

    /// The address bound.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops the server, and waits at most a second for that.
    pub async fn shutdown(mut self) {
        self.task.abort();
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut self.task).await;
    }
}

impl Drop for SimServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
