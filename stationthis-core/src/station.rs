//! The engine: ties registry, store, providers, costs and notifiers together and brings every task to its end.

pub mod builder;
pub mod caller;
pub mod events;

mod capacity;
mod catalogue;
mod custody;
mod driver;
mod engine;
mod files;
mod inbox;
mod learned;
mod metrics;
mod outbox;
mod rates;
mod restore;
pub mod review;
mod settle;
mod submit;

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "sqlite")]
pub(crate) use catalogue::DOCUMENT as CATALOGUE_DOCUMENT;

pub use builder::StationBuilder;
pub use caller::{Caller, QuoteAnswer, RunRequest, TaskAmendment};
pub use events::{EventStream, Lagged, TaskUpdate};
pub use files::FILES_MAX;
pub use inbox::WEBHOOK_BYTES_MAX;
pub use metrics::{BUCKETS, describe_metrics};
pub use review::Explanation;

use bytes::Bytes;
use tokio_util::task::TaskTracker;

use crate::error::{Error, ErrorKind, Result};
use crate::id::CallerId;
use crate::registry::{LastChange, RefreshOutcome, ToolRegistry};
use crate::station::engine::Engine;
use crate::store::{Document, PAGE_MAX, Put, StoreStats, TaskQuery};
use crate::time::Timestamp;
use crate::webhook::WebhookRequest;

/// The embeddable engine. Cheap to clone; every clone is the same station.
///
/// Nothing that matters is in its memory: kill the process anywhere, build it again over the same store, and every task
/// still reaches its end, is charged once, and every notice is delivered at least once.
#[derive(Clone, Debug)]
pub struct Station {
    engine: Arc<Engine>,
}

impl Station {
    /// Begins to put one together.
    #[must_use]
    pub fn builder() -> StationBuilder {
        StationBuilder::new()
    }

    pub(crate) const fn over(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Serves the stored catalogue, takes back what a former self held, and starts the work in the background.
    ///
    /// Must be called within a tokio runtime. Without it nothing moves by itself: see [`tick`](Self::tick).
    ///
    /// # Errors
    /// `StoreUnavailable`; `Unexpected` outside a runtime; `Closed` after a shutdown.
    pub async fn start(&self) -> Result<StationHandle> {
        if self.engine.closed.is_cancelled() {
            return Err(Error::new(ErrorKind::Closed, "start station").with_message("This station was shut down."));
        }
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|e| Error::new(ErrorKind::Unexpected, "start station").with_source(e))?;
        self.resume().await?;
        let tasks = TaskTracker::new();
        for lane in driver::lanes(&self.engine) {
            tasks.spawn_on(driver::run(self.engine.clone(), lane), &runtime);
        }
        tasks.spawn_on(inbox::run(self.engine.clone()), &runtime);
        tasks.spawn_on(outbox::run(self.engine.clone()), &runtime);
        tasks.spawn_on(catalogue::run(self.engine.clone()), &runtime);
        tasks.close();
        Ok(StationHandle { engine: self.engine.clone(), tasks })
    }

    /// Serves the stored catalogue and takes back what a former self held. Part of [`start`](Self::start); who drives a
    /// station by [`tick`](Self::tick) calls it once before the first.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn resume(&self) -> Result<()> {
        self.engine.store.release_leases(&self.engine.instance).await?;
        catalogue::restore(&self.engine).await?;
        self.engine.learned.restore(self.engine.store.as_ref()).await?;
        restore::after_restore(&self.engine).await
    }

    /// Does what is due now, once: webhooks that came in, tasks, notices. How many things were done.
    ///
    /// For an application with a scheduler of its own, and for tests with a clock of their own; not needed after
    /// [`start`](Self::start), harmless beside it.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn tick(&self) -> Result<usize> {
        let hooks = inbox::tick(&self.engine).await?;
        let tasks = driver::tick(&self.engine).await?;
        let notices = outbox::tick(&self.engine).await?;
        Ok(hooks + tasks + notices)
    }

    /// The station as a caller sees it.
    #[must_use]
    pub fn as_caller(&self, id: CallerId) -> Caller {
        Caller { engine: self.engine.clone(), id: Some(id) }
    }

    /// The station across callers. What it runs belongs to the caller `admin`.
    #[must_use]
    pub fn admin(&self) -> Caller {
        Caller { engine: self.engine.clone(), id: None }
    }

    /// The catalogue.
    #[must_use]
    pub fn registry(&self) -> &ToolRegistry {
        &self.engine.registry
    }

    /// Asks every provider for its tools and prices now, and makes the catalogue durable.
    ///
    /// A provider that fails keeps its last good tools and is marked stale; the outcome names it.
    ///
    /// # Errors
    /// `Unavailable` when no provider could be asked; `StoreUnavailable`.
    pub async fn refresh(&self) -> Result<RefreshOutcome> {
        catalogue::refresh(&self.engine).await
    }

    /// What the last refresh changed that changed anything, of this process or an earlier one; `None` before the first.
    ///
    /// # Errors
    /// `StoreUnavailable`; `Corrupt` for what another version wrote.
    pub async fn last_change(&self) -> Result<Option<LastChange>> {
        catalogue::last_change(&self.engine).await
    }

    /// Takes a webhook: checks where it comes from and makes its raw bytes durable. Answer 2xx when this returns `Ok`.
    ///
    /// # Errors
    /// `Unauthorized` for a token that is missing, wrong, expired or another task's; `NotFound` for an unknown provider;
    /// `TooLarge` above [`WEBHOOK_BYTES_MAX`]; `StoreUnavailable`.
    pub async fn receive_webhook(&self, request: WebhookRequest) -> Result<()> {
        inbox::receive(&self.engine, request).await.inspect_err(metrics::webhook_refused)
    }

    /// How much there is to do.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn stats(&self) -> Result<StoreStats> {
        self.engine.store.stats().await
    }

    /// Forgets tasks that ended before `before`, with their events, notices and idempotency keys, a page at a time;
    /// what they cost stays in the totals. Gives how many. Tasks that need review stay.
    ///
    /// # Errors
    /// `StoreUnavailable`; what was forgotten until then stays so.
    pub async fn prune(&self, before: Timestamp) -> Result<usize> {
        let mut count = 0_usize;
        loop {
            let page = self.engine.store.prune(before, PAGE_MAX).await?;
            count = count.saturating_add(page);
            if page == 0 {
                return Ok(count);
            }
        }
    }

    /// A document of the application's own: settings that must survive, beside the tasks and in the same store.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn get_document(&self, namespace: &str, key: &str) -> Result<Option<Document>> {
        self.engine.store.get_document(namespace, key).await
    }

    /// Writes a document of the application's own if its version is still `expected` (`None`: if there is none).
    ///
    /// The namespaces `registry`, `learned`, `station`, `rateCard` and `callerNotify` are the station's: choose others.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn put_document(&self, namespace: &str, key: &str, expected: Option<u64>, bytes: Bytes) -> Result<Put> {
        self.engine.store.put_document(namespace, key, expected, bytes).await
    }

    /// Forgets documents of a namespace whose keys, compared byte by byte, come before `below`; a page at a time. Gives how
    /// many.
    ///
    /// # Errors
    /// `StoreUnavailable`; what was forgotten until then stays so.
    pub async fn prune_documents(&self, namespace: &str, below: &str) -> Result<usize> {
        let mut count = 0_usize;
        loop {
            let page = self.engine.store.prune_documents(namespace, below, PAGE_MAX).await?;
            count = count.saturating_add(page);
            if page < PAGE_MAX {
                return Ok(count);
            }
        }
    }

    /// Can the store be reached?
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn health(&self) -> Result<()> {
        let one = TaskQuery { limit: 1, ..TaskQuery::default() };
        self.engine.store.list(&one).await.map(drop)
    }
}

/// A station at work. Dropping it leaves the work going until the runtime ends.
#[derive(Debug)]
pub struct StationHandle {
    engine: Arc<Engine>,
    tasks: TaskTracker,
}

impl StationHandle {
    /// Accepts nothing more, finishes what is under way until `deadline` and hands back the rest: another start, here
    /// or elsewhere, goes on with it.
    ///
    /// # Errors
    /// `StoreUnavailable` when the leases could not be given back; they end by themselves.
    pub async fn shutdown(self, deadline: Duration) -> Result<()> {
        self.engine.closed.cancel();
        if tokio::time::timeout(deadline, self.tasks.wait()).await.is_err() {
            tracing::warn!("some work was still under way at the end; it is taken up again at the next start");
            // Its leases stand: a submission may be in flight, and nobody may take its silence for an answer.
            return Ok(());
        }
        self.engine.learned.save(self.engine.store.as_ref()).await?;
        self.engine.store.release_leases(&self.engine.instance).await
    }
}
