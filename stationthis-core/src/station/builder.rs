//! How a station is put together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::cost::{CostModel, RateCard};
use crate::custody::Custody;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ProviderId;
use crate::media::MediaSource;
use crate::notify::{EventsNotifier, LogNotifier, Notifier};
use crate::provider::ServiceProvider;
use crate::registry::{RegistryPolicy, ToolRegistry};
use crate::station::Station;
use crate::station::capacity::Capacity;
use crate::station::custody::KEEPING_MAX;
use crate::station::engine::{Backend, Engine};
use crate::station::events::Updates;
use crate::station::files::GIVING_MAX;
use crate::station::learned::Learned;
use crate::station::metrics::Gauges;
use crate::station::rates::Rates;
use crate::store::{MemoryStore, TaskStore};
use crate::task::policy::Policy;
use crate::time::{Clock, SystemClock};
use crate::webhook::CallbackKeys;

/// The live parts of a station. Everything but a provider has a default.
#[derive(Debug)]
pub struct StationBuilder {
    backends: Vec<Backend>,
    notifiers: Vec<Arc<dyn Notifier>>,
    store: Option<Arc<dyn TaskStore>>,
    clock: Arc<dyn Clock>,
    policy: Policy,
    registry: RegistryPolicy,
    keys: Option<CallbackKeys>,
    public_url: Option<String>,
    instance: Option<String>,
    rate_override: RateCard,
    media: Option<Arc<dyn MediaSource>>,
    custody: Option<Arc<dyn Custody>>,
}

impl StationBuilder {
    pub(crate) fn new() -> Self {
        Self {
            backends: Vec::new(),
            notifiers: vec![Arc::new(LogNotifier), Arc::new(EventsNotifier::new())],
            store: None,
            clock: Arc::new(SystemClock),
            policy: Policy::default(),
            registry: RegistryPolicy::default(),
            keys: None,
            public_url: None,
            instance: None,
            rate_override: RateCard::new("operator"),
            media: None,
            custody: None,
        }
    }

    /// Adds a provider that knows its own prices. Several may be of one service, under different ids.
    #[must_use]
    pub fn provider<P: ServiceProvider + CostModel + 'static>(self, provider: Arc<P>) -> Self {
        self.provider_with_costs(provider.clone(), provider)
    }

    /// Adds a provider with a cost model of your own (a margin, a minimum charge).
    #[must_use]
    pub fn provider_with_costs(mut self, provider: Arc<dyn ServiceProvider>, cost: Arc<dyn CostModel>) -> Self {
        self.backends.push(Backend { provider, cost });
        self
    }

    /// Where tasks are kept. Default: a [`MemoryStore`], which forgets them with the process.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn TaskStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Adds a notifier; one of the same channel is replaced. `log` and `events` are there already.
    #[must_use]
    pub fn notifier(mut self, notifier: Arc<dyn Notifier>) -> Self {
        self.notifiers.push(notifier);
        self
    }

    /// The keys that callback URLs are made with. Default: a new random one, so that callbacks of tasks begun by an
    /// earlier process are refused (polling still brings their end).
    #[must_use]
    pub fn callback_keys(mut self, keys: CallbackKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The base URL under which `/api/webhook/…` reaches this host. Default: none, and tasks are followed by polls alone.
    #[must_use]
    pub fn public_url(mut self, url: Option<String>) -> Self {
        self.public_url = url;
        self
    }

    /// Who tells the time.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The choices made for every task.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How the catalogue is kept fresh.
    #[must_use]
    pub fn registry_policy(mut self, policy: RegistryPolicy) -> Self {
        self.registry = policy;
        self
    }

    /// A name that is this host's alone and stays the same across restarts: at its start a station takes back what its
    /// former self held. Default: a random one, and what a dead process held waits for its lease to end.
    #[must_use]
    pub fn instance(mut self, name: impl Into<String>) -> Self {
        self.instance = Some(name.into());
        self
    }

    /// Prices of the operator's own, laid over the builtin and the published ones.
    #[must_use]
    pub fn rate_override(mut self, card: RateCard) -> Self {
        self.rate_override = card;
        self
    }

    /// Where the files are that inputs name ([`FileUri`](crate::media::FileUri)). Default: nowhere, and naming one is
    /// refused. A file is read for each task that names it, when it is submitted.
    #[must_use]
    pub fn media(mut self, source: Arc<dyn MediaSource>) -> Self {
        self.media = Some(source);
        self
    }

    /// Where outputs are kept. Default: nowhere, and they stay where their providers have them. With it a task is
    /// completed only when all its outputs are kept; tasks that were accepted without it end without it.
    #[must_use]
    pub fn custody(mut self, custody: Arc<dyn Custody>) -> Self {
        self.custody = Some(custody);
        self
    }

    /// Puts the station together; spawns nothing and calls nobody.
    ///
    /// # Errors
    /// `InvalidInput` without a provider, with two of one id, or with a public URL that is not `http(s)://…`.
    pub fn build(self) -> Result<Station> {
        let refused = |message: String| Error::new(ErrorKind::InvalidInput, "build station").with_message(message);
        if self.backends.is_empty() {
            return Err(refused("A station needs at least one provider.".to_owned()));
        }
        if let Some(url) =
            self.public_url.as_deref().filter(|u| !u.starts_with("http://") && !u.starts_with("https://"))
        {
            return Err(refused(format!("The public URL must begin with http:// or https://; it is {url:?}.")));
        }
        let mut backends: BTreeMap<ProviderId, Backend> = BTreeMap::new();
        for backend in self.backends {
            let id = backend.provider.id().clone();
            if backends.insert(id.clone(), backend).is_some() {
                return Err(refused(format!("Two providers have the id {id}.")));
            }
        }
        let providers = backends.values().map(|backend| backend.provider.clone()).collect();
        let builtin = backends.iter().map(|(id, backend)| (id.clone(), backend.cost.builtin_card()));
        let rates = Rates::new(builtin, self.rate_override);
        let notifiers = self.notifiers.into_iter().map(|n| (n.channel().to_owned(), n)).collect();
        let keys = match self.keys {
            Some(keys) => keys,
            None => CallbackKeys::generate()?.0,
        };
        let wake_lane = backends.keys().map(|id| (id.clone(), Notify::new())).collect();
        let engine = Engine {
            registry: ToolRegistry::new(providers, self.clock.clone(), self.registry)?,
            backends,
            notifiers,
            store: self.store.unwrap_or_else(|| Arc::new(MemoryStore::new())),
            clock: self.clock,
            policy: self.policy,
            keys,
            public_url: self.public_url,
            instance: self.instance.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
            rates,
            learned: Learned::default(),
            updates: Updates::default(),
            gauges: Gauges::default(),
            capacity: Capacity::default(),
            media: self.media,
            giving: Semaphore::new(GIVING_MAX),
            custody: self.custody,
            keeping: Semaphore::new(KEEPING_MAX),
            wake_lane,
            outbox_lanes: Mutex::default(),
            wake_inbox: Notify::new(),
            wake_outbox: Notify::new(),
            closed: CancellationToken::new(),
        };
        Ok(Station::over(Arc::new(engine)))
    }
}
