//! All tools of all providers, kept fresh.
//!
//! Readers take a [`Snapshot`] and hold no lock. A [`refresh`](ToolRegistry::refresh) asks every provider, puts the next
//! snapshot together aside, and swaps it in whole. A provider that cannot be asked keeps its last good tools, marked
//! stale. The registry has no timer and no store: the station calls `refresh` when
//! [`next_refresh_in`](ToolRegistry::next_refresh_in) says so, and keeps what [`export`](ToolRegistry::export) gives.

mod change;
mod diff;
mod policy;
mod provider_state;
mod saved;
mod snapshot;
#[cfg(test)]
mod tests;
mod tool;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared, join_all};
use tokio::sync::broadcast;

pub use self::change::{ChangedTool, LastChange, ToolRef};
pub use self::diff::{CatalogueDiff, Impact, ToolChange};
pub use self::policy::RegistryPolicy;
pub use self::provider_state::{MAX_TOOLS_PER_PROVIDER, ProviderStatus};
use self::saved::{Saved, SavedRef};
pub use self::snapshot::{Resolution, Snapshot};
pub use self::tool::Tool;
use crate::error::{Error, ErrorKind, FailureRecord, Result, Retry};
use crate::id::ProviderId;
use crate::provider::{Catalogue, ServiceProvider};
use crate::time::{Clock, Timestamp};
use crate::tool::ToolDefinition;
use crate::tool::naming::{Names, assign};

/// How many changes wait for a slow subscriber, who then is told that it missed some and takes the snapshot: changes
/// are minutes apart, so this is more than an hour of them.
const WAITING_CHANGES: usize = 16;
/// How long the names of a removed tool are kept from others: long enough for a service's longest outage and for a
/// workflow that is taken away to be mended.
const NAMES_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How many removed tools' names are kept at most, so that a service with ever new tools cannot fill the memory.
const MAX_NAMES_KEPT: usize = 10_000;

/// The tools of all providers. Cheap to clone; clones are the same registry.
#[derive(Clone, Debug)]
pub struct ToolRegistry {
    inner: Arc<Inner>,
}

type InFlight = BoxFuture<'static, RefreshOutcome>;

#[derive(Debug)]
struct Inner {
    providers: Vec<Arc<dyn ServiceProvider>>,
    clock: Arc<dyn Clock>,
    policy: RegistryPolicy,
    current: RwLock<Arc<Snapshot>>,
    /// Held by whoever makes the next snapshot, from reading the current one to the swap.
    names: Mutex<Vec<Names>>,
    /// Weak, so that a refresh for which nobody waits any more is dropped and not resumed much later.
    in_flight: Mutex<Option<WeakShared<InFlight>>>,
    failures_in_a_row: AtomicU32,
    changes: broadcast::Sender<CatalogueChange>,
}

/// What one refresh did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RefreshOutcome {
    /// The snapshot that is now current.
    pub snapshot: Arc<Snapshot>,
    /// What is different from the one before.
    pub diff: Arc<CatalogueDiff>,
    /// The providers that could not be asked; their [`ProviderStatus`] says why.
    pub failed: Vec<ProviderId>,
}

/// A change of the catalogue, for those who [subscribed](ToolRegistry::subscribe).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CatalogueChange {
    /// What is different; never empty.
    pub diff: Arc<CatalogueDiff>,
    /// The catalogue after it.
    pub snapshot: Arc<Snapshot>,
}

impl ToolRegistry {
    /// A registry without tools; [`restore`](Self::restore) or [`refresh`](Self::refresh) gives it some.
    ///
    /// # Errors
    /// `Conflict` when two providers have the same id.
    pub fn new(
        providers: Vec<Arc<dyn ServiceProvider>>,
        clock: Arc<dyn Clock>,
        policy: RegistryPolicy,
    ) -> Result<Self> {
        let mut seen = HashSet::new();
        if let Some(twice) = providers.iter().find(|provider| !seen.insert(provider.id().clone())) {
            return Err(Error::new(ErrorKind::Conflict, "make registry")
                .with_message("two providers have the same id")
                .with_context("provider", twice.id()));
        }
        let statuses = providers.iter().map(|provider| ProviderStatus::never_asked(provider.id().clone())).collect();
        let inner = Inner {
            current: RwLock::new(Arc::new(Snapshot::empty(clock.now(), statuses))),
            providers,
            clock,
            policy,
            names: Mutex::default(),
            in_flight: Mutex::default(),
            failures_in_a_row: AtomicU32::new(0),
            changes: broadcast::Sender::new(WAITING_CHANGES),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// All tools as they are now. Takes nanoseconds; keep it for one request, not for long.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot()
    }

    /// Every change from now on. A subscriber that is more than 16 changes behind is told that it lagged, and takes the
    /// [`snapshot`](Self::snapshot).
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<CatalogueChange> {
        self.inner.changes.subscribe()
    }

    /// Asks every provider and swaps in what they answered.
    ///
    /// Callers at the same time share one refresh, which may have begun a little before the call. Providers are asked
    /// at once, each within the policy's `discover_timeout`; one that fails keeps its last good tools.
    ///
    /// A catalogue that lost half of its tools or more is read twice before it is believed.
    ///
    /// # Cancellation
    /// The refresh goes on as long as one of its callers waits; when none does, it is dropped and nothing has changed.
    ///
    /// # Errors
    /// `Unavailable` when no provider could be asked; the tools are the same as before, and marked stale.
    pub async fn refresh(&self) -> Result<RefreshOutcome> {
        let outcome = self.join_or_start().await;
        if outcome.failed.is_empty() || outcome.failed.len() < outcome.snapshot.providers().len() {
            return Ok(outcome);
        }
        let reasons = outcome.snapshot.providers().iter().filter_map(|provider| {
            provider.error.as_ref().map(|error| format!("{}: {}", provider.provider_id, error.message))
        });
        Err(Error::new(ErrorKind::Unavailable, "refresh tools")
            .with_message(reasons.collect::<Vec<_>>().join("; "))
            .with_retry(Retry::Backoff))
    }

    /// How long to wait before the next refresh: the policy's interval with its jitter; after a failure less, starting
    /// at ten seconds and doubling.
    #[must_use]
    pub fn next_refresh_in(&self) -> Duration {
        let random = uuid::Uuid::new_v4().as_u64_pair().1 & u64::from(u32::MAX);
        let chance = f64::from(u32::try_from(random).unwrap_or_default()) / f64::from(u32::MAX);
        self.inner.policy.pause(self.inner.failures_in_a_row.load(Ordering::Relaxed), chance)
    }

    /// The catalogue as bytes, names of removed tools included, for [`restore`](Self::restore) after a restart. JSON;
    /// its form is this crate's own business.
    ///
    /// # Errors
    /// `Unexpected`; not known to happen.
    pub fn export(&self) -> Result<Vec<u8>> {
        let names = self.inner.names();
        let snapshot = self.inner.snapshot();
        let tools = snapshot.tools().iter().map(|tool| tool.definition()).collect();
        SavedRef::new(snapshot.taken_at(), snapshot.providers(), &names, tools).write()
    }

    /// Takes over what [`export`](Self::export) gave, so that tools are served before the first refresh. All of it is
    /// stale until then. Tools of providers that are not configured any more are left out.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not of that form; `Conflict` when a refresh has succeeded already. Nothing has
    /// changed then.
    pub fn restore(&self, bytes: &[u8]) -> Result<()> {
        let saved = Saved::read(bytes)?;
        let mut names = self.inner.names();
        let old = self.inner.snapshot();
        if old.providers().iter().any(|provider| !provider.stale) {
            return Err(Error::new(ErrorKind::Conflict, "restore catalogue")
                .with_message("there are newer tools already; restore before the first refresh"));
        }
        let mut statuses = old.providers().to_vec();
        for status in &mut statuses {
            if let Some(saved) = saved.providers.iter().find(|saved| saved.provider_id == status.provider_id) {
                *status = ProviderStatus { stale: true, ..saved.clone() };
            }
        }
        let configured: HashSet<&ProviderId> = statuses.iter().map(|status| &status.provider_id).collect();
        let tools = saved.tools.into_iter().filter(|tool| configured.contains(&tool.provider_id)).collect();
        *names = saved.names;
        self.inner.swap(&mut names, &old, tools, statuses);
        Ok(())
    }

    fn join_or_start(&self) -> Shared<InFlight> {
        let mut in_flight = self.inner.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        let running = in_flight.as_ref().and_then(WeakShared::upgrade);
        if let Some(running) = running.filter(|running| running.peek().is_none()) {
            return running;
        }
        let inner = Arc::clone(&self.inner);
        let started = async move { inner.refresh().await }.boxed().shared();
        *in_flight = started.downgrade();
        started
    }
}

/// The tools of a catalogue that [`ToolRegistry::export`] gave.
///
/// # Errors
/// `Corrupt` when the bytes are not of that form.
#[cfg(feature = "sqlite")]
pub(crate) fn exported_tools(bytes: &[u8]) -> Result<Vec<ToolDefinition>> {
    Ok(Saved::read(bytes)?.tools)
}

impl Inner {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn names(&self) -> MutexGuard<'_, Vec<Names>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn refresh(&self) -> RefreshOutcome {
        let known = self.snapshot();
        let asked = self.providers.iter().map(|provider| {
            provider_state::ask(provider.as_ref(), &known, self.policy.discover_timeout)
                .map(|answer| (provider.id().clone(), answer))
        });
        let answers = join_all(asked).await;
        self.apply(answers)
    }

    fn apply(&self, answers: Vec<(ProviderId, Result<Catalogue>)>) -> RefreshOutcome {
        let mut names = self.names();
        let old = self.snapshot();
        let (mut tools, mut statuses, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for (provider_id, answer) in answers {
            let before = old.provider(&provider_id).cloned();
            let before = before.unwrap_or_else(|| ProviderStatus::never_asked(provider_id.clone()));
            match answer {
                Ok(catalogue) => {
                    statuses.push(ProviderStatus {
                        stale: false,
                        refreshed_at: Some(self.clock.now()),
                        error: None,
                        warnings: catalogue.warnings,
                        rate_card: catalogue.rate_card,
                        ..before
                    });
                    tools.extend(catalogue.tools);
                }
                Err(error) => {
                    tracing::warn!(provider = %provider_id, %error, "a provider's tools could not be refreshed");
                    let error = Some(FailureRecord::from_error("discoverFailed", &error));
                    statuses.push(ProviderStatus { stale: true, error, ..before });
                    tools.extend(old.definitions_of(&provider_id).cloned());
                    failed.push(provider_id);
                }
            }
        }
        if failed.is_empty() {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
        } else {
            self.failures_in_a_row.fetch_add(1, Ordering::Relaxed);
        }
        let (snapshot, diff) = self.swap(&mut names, &old, tools, statuses);
        RefreshOutcome { snapshot, diff, failed }
    }

    /// Names the tools, makes their snapshot the current one and tells the subscribers.
    fn swap(
        &self,
        names: &mut Vec<Names>,
        old: &Snapshot,
        tools: Vec<ToolDefinition>,
        statuses: Vec<ProviderStatus>,
    ) -> (Arc<Snapshot>, Arc<CatalogueDiff>) {
        let now = self.clock.now();
        let mut assigned = assign(names, tools);
        *names = remembered(std::mem::take(&mut assigned.names), &assigned.tools, now);
        for collision in assigned.collisions.iter().filter(|collision| !old.collisions().contains(collision)) {
            let held_by = collision.held_by.as_ref().map_or("nobody now", |holder| holder.as_str());
            tracing::warn!(tool = %collision.tool_id, wanted = %collision.wanted, slug = %collision.slug, held_by,
                "a tool's name is taken");
        }
        let snapshot = Arc::new(old.next(now, assigned, names, statuses));
        let diff = Arc::new(CatalogueDiff::between(old, &snapshot));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&snapshot);
        if !diff.is_empty() {
            let (added, removed, changed) = (diff.added.len(), diff.removed.len(), diff.changed.len());
            tracing::info!(added, removed, changed, "the catalogue changed");
            // An error says only that nobody listens.
            let _ = self.changes.send(CatalogueChange { diff: Arc::clone(&diff), snapshot: Arc::clone(&snapshot) });
        }
        (snapshot, diff)
    }
}

/// The names to remember: those of the tools that are there, and of removed ones for a time.
fn remembered(mut names: Vec<Names>, tools: &[ToolDefinition], now: Timestamp) -> Vec<Names> {
    let present: HashSet<_> = tools.iter().map(|tool| &tool.tool_id).collect();
    for names in names.iter_mut().filter(|names| !present.contains(&names.tool_id)) {
        names.removed_at.get_or_insert(now);
    }
    names.retain(|names| names.removed_at.is_none_or(|at| now.since(at) < NAMES_KEPT));
    // Those of tools that are there first, then the latest removals.
    names.sort_by_key(|names| std::cmp::Reverse(names.removed_at.map_or(i64::MAX, Timestamp::as_micros)));
    names.truncate(tools.len() + MAX_NAMES_KEPT);
    names
}
