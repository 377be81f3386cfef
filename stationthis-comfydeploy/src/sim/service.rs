//! The handle on a simulated service and the state behind it.

use super::books::{Books, RequestLog, RunBook};
use super::catalogue::SimCatalogue;
use super::config::SimConfig;
use super::hooks;
use super::misbehaviour::Misbehaviour;
use super::run::Run;
use super::runs::Runs;
use super::storage::Storage;
use super::workflow::SimWorkflow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Instant;
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

/// A simulated ComfyDeploy account. Cheap to clone; all clones are the same service.
///
/// Use [`Sim::serve`](super::SimServer) for a loopback port, or [`Sim::router`] inside an axum application
/// of your own. Runs are driven by tokio tasks, so a queue call needs a runtime.
#[derive(Debug, Clone)]
pub struct Sim {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: SimConfig,
    /// Scheme and host of the server, when there is one of ours.
    pub(crate) origin: OnceLock<String>,
    misbehaviour: RwLock<Arc<Misbehaviour>>,
    catalogue: RwLock<Arc<SimCatalogue>>,
    available: AtomicBool,
    runs: Mutex<Runs>,
    storage: Mutex<Storage>,
    requests: Mutex<RequestLog>,
    /// Runs made so far.
    pub(crate) ordinal: AtomicU64,
    /// The end of each deployment's last run: its container is warm for a while.
    warm: Mutex<HashMap<Uuid, Instant>>,
    /// Containers of each deployment in use.
    slots: Mutex<HashMap<Uuid, Arc<Semaphore>>>,
    pub(crate) hook_client: reqwest::Client,
    pub(crate) hook_permits: Semaphore,
    pub(crate) hook_queue: Arc<Semaphore>,
    /// True when everything is to stop.
    pub(crate) stopped: watch::Sender<bool>,
}

impl Sim {
    /// A service that nobody has called yet.
    #[must_use]
    pub fn new(mut config: SimConfig) -> Self {
        let catalogue = std::mem::take(&mut config.catalogue);
        let misbehaviour = std::mem::take(&mut config.misbehaviour);
        let hook_client = reqwest::Client::builder()
            .no_proxy()
            .user_agent("Python/3.12 aiohttp/3.12.15")
            .timeout(config.hooks.timeout)
            .build()
            .unwrap_or_default();
        let inner = Inner {
            origin: OnceLock::new(),
            misbehaviour: RwLock::new(Arc::new(misbehaviour)),
            catalogue: RwLock::new(Arc::new(catalogue)),
            available: AtomicBool::new(true),
            runs: Mutex::new(Runs::new(config.max_runs)),
            storage: Mutex::default(),
            requests: Mutex::default(),
            ordinal: AtomicU64::new(0),
            warm: Mutex::default(),
            slots: Mutex::default(),
            hook_client,
            hook_permits: Semaphore::new(config.hooks.concurrency.max(1)),
            hook_queue: Arc::new(Semaphore::new(hooks::MAX_PENDING)),
            stopped: watch::Sender::new(false),
            config,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Everything that happened so far. A copy: later events do not change it.
    #[must_use]
    pub fn books(&self) -> Books {
        let runs: Vec<Arc<Run>> = self.runs().iter().cloned().collect();
        let (requests, requests_total) = lock(&self.inner.requests).copy();
        Books { runs: runs.iter().map(|run| RunBook::of(run)).collect(), requests, requests_total }
    }

    /// Switches faults on and off; see [`Misbehaviour`] for what is decided when.
    pub fn set_misbehaviour(&self, misbehaviour: Misbehaviour) {
        let mut current = self.inner.misbehaviour.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(misbehaviour);
    }

    /// `false`: every path under `/api` answers 503 until `true` again. Runs and webhooks go on.
    pub fn set_available(&self, available: bool) {
        self.inner.available.store(available, Ordering::SeqCst);
    }

    /// Adds a workflow, or replaces the one made under the same name by a new version: ids stay.
    pub fn add_workflow(&self, workflow: SimWorkflow) {
        self.change_catalogue(|catalogue| catalogue.put(workflow));
    }

    /// Removes a workflow with its deployments; its runs go on. `false` when there is none of that name.
    pub fn remove_workflow(&self, name: &str) -> bool {
        self.change_catalogue(|catalogue| catalogue.remove(name))
    }

    /// Gives a workflow another name; ids stay. `false` when there is none of that name.
    pub fn rename_workflow(&self, from: &str, to: &str) -> bool {
        self.change_catalogue(|catalogue| catalogue.rename(from, to))
    }

    fn change_catalogue<R>(&self, change: impl FnOnce(&mut SimCatalogue) -> R) -> R {
        let mut current = self.inner.catalogue.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut current))
    }

    pub(crate) fn catalogue(&self) -> Arc<SimCatalogue> {
        self.inner.catalogue.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn misbehaviour(&self) -> Arc<Misbehaviour> {
        self.inner.misbehaviour.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn available(&self) -> bool {
        self.inner.available.load(Ordering::SeqCst)
    }

    pub(crate) fn runs(&self) -> MutexGuard<'_, Runs> {
        lock(&self.inner.runs)
    }

    pub(crate) fn storage(&self) -> MutexGuard<'_, Storage> {
        lock(&self.inner.storage)
    }

    pub(crate) fn requests(&self) -> MutexGuard<'_, RequestLog> {
        lock(&self.inner.requests)
    }

    /// The containers of a deployment.
    pub(crate) fn slots(&self, deployment: Uuid) -> Arc<Semaphore> {
        let limit = usize::try_from(self.inner.config.concurrency_limit.max(1)).unwrap_or(1);
        lock(&self.inner.slots).entry(deployment).or_insert_with(|| Arc::new(Semaphore::new(limit))).clone()
    }

    /// Notes that a container of the deployment is idle from now on.
    pub(crate) fn keep_warm(&self, deployment: Uuid) {
        lock(&self.inner.warm).insert(deployment, Instant::now());
    }

    /// Whether a container of the deployment is still up.
    pub(crate) fn is_warm(&self, deployment: Uuid) -> bool {
        let idle = self.inner.config.timing.idle;
        let last = lock(&self.inner.warm).get(&deployment).copied();
        last.is_some_and(|last| last.elapsed() < idle)
    }

    pub(crate) fn stop(&self) {
        self.inner.stopped.send_replace(true);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
