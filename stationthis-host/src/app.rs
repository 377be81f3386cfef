//! From a configuration to a station at work.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stationthis_comfydeploy::sim::{Sim, SimConfig, SimServer};
use stationthis_core::cost::RateCard;
use stationthis_core::station::{Caller, Station, StationBuilder, StationHandle};
use stationthis_core::store::{SqliteStore, TaskStore};
use stationthis_core::task::policy::{Policy, UnpricedPolicy};
use stationthis_core::{CallerId, Error, ErrorKind, Result, Secret, SystemClock, Timestamp};

use crate::config::{Config, Unpriced};
use crate::custody::{self, CustodyPlace, ObjectCustody};
use crate::data_dir::DataDir;
use crate::files::Files;
use crate::housekeeping::Backups;
use crate::outgoing::{Guard, GuardedClient, WebhookNotifier};
use crate::outputs::Outputs;
use crate::providers::{self, Connected};
use crate::telegram::{Telegram, TelegramConfig};

/// The name under which a host holds its work: its data folder has one holder, so this is its alone, and the same
/// after a restart.
const INSTANCE: &str = "host";

/// Who everything on one host belongs to.
pub(crate) const CALLER: &str = "local";

/// The folder of what the simulator made, within the data folder: its tools and tasks never meet real ones.
const SIM_FOLDER: &str = "sim";

/// How long work under way may take to finish when the host stops.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// A rate file has some hundred lines.
const RATES_BYTES_MAX: u64 = 1024 * 1024;

/// The services that a host talks to.
#[derive(Clone, Debug)]
pub enum Service {
    /// The accounts of the configuration.
    Configured,
    /// A simulator of ComfyDeploy inside this process, on this port of 127.0.0.1 (zero: a free one).
    Simulator(Box<SimConfig>, u16),
}

impl Service {
    /// The simulator with its demo catalogue.
    #[must_use]
    pub fn simulator(port: Option<u16>) -> Self {
        Self::Simulator(Box::default(), port.unwrap_or(0))
    }
}

/// A station with everything it stands on. Stop it with [`App::shutdown`]; when it is dropped, work goes on until the
/// runtime ends, and a later start takes it up.
#[derive(Debug)]
pub struct App {
    station: Station,
    handle: StationHandle,
    outputs: Outputs,
    backups: Backups,
    files: Files,
    telegram: Option<Telegram>,
    sim: Option<SimServer>,
    /// Held for its lock too.
    data: DataDir,
}

impl App {
    /// Opens the data folder and starts a station over it. Nothing is asked of a service before this returns.
    ///
    /// `public_url` is where webhooks come back; without one tasks are polled.
    ///
    /// # Errors
    /// `InvalidInput` for a configuration that cannot work, `Conflict` when another host has the folder,
    /// `StoreUnavailable` or `Corrupt` for its content, `Unavailable` when the simulator's port is taken.
    pub async fn start(config: &Config, service: Service, public_url: Option<String>) -> Result<Self> {
        let data = data_dir(config, matches!(service, Service::Simulator(..)))?;
        let (providers, sim) = providers(config, service).await?;
        let webhooks = GuardedClient::new(guard(config))?;
        let downloads = providers.iter().fold(webhooks.clone(), |client, provider| client.trusting(&provider.url));
        let custody = custody(config, data.path(), data.host_id()?, downloads.clone())?;
        let outputs = Outputs::new(downloads).with_custody(custody.clone());
        let webhooks = WebhookNotifier::new(webhooks, data.webhook_keys()?, Arc::new(SystemClock));
        let database = Arc::new(SqliteStore::open(data.database()).await?);
        let backups = Backups::new(Arc::clone(&database), data.backups());
        let store: Arc<dyn TaskStore> = database;
        #[cfg(feature = "testkit")]
        let store = crate::halt::wrapped(store)?;
        let files = Files::open(data.files(), config.file_limits(), Timestamp::now())?;
        files.keep_swept();
        let telegram = telegram(config, outputs.clone(), files.clone(), public_url.as_deref())?;
        let mut builder = joined(providers)
            .store(store)
            .callback_keys(data.callback_keys()?)
            .notifier(Arc::new(webhooks))
            .public_url(public_url)
            .policy(policy(config))
            .media(Arc::new(files.clone()))
            .instance(INSTANCE);
        if let Some(telegram) = &telegram {
            builder = builder.notifier(Arc::new(telegram.notifier()));
        }
        if let Some(custody) = custody {
            builder = builder.custody(Arc::new(custody));
        }
        if let Some(path) = &config.rates {
            builder = builder.rate_override(rates(path)?);
        }
        let station = builder.build()?;
        let handle = station.start().await?;
        Ok(Self { station, handle, outputs, backups, files, telegram, sim, data })
    }

    /// What tells this host from others; see [`DataDir::host_id`].
    ///
    /// # Errors
    /// As [`DataDir::host_id`].
    pub fn host_id(&self) -> Result<String> {
        self.data.host_id()
    }

    /// The station.
    #[must_use]
    pub const fn station(&self) -> &Station {
        &self.station
    }

    /// The simulator, when there is one.
    #[must_use]
    pub fn sim(&self) -> Option<&Sim> {
        self.sim.as_ref().map(|server| &server.sim)
    }

    /// Outputs of tasks, from public addresses, the opened ranges, and the services' own hosts and ports.
    #[must_use]
    pub fn outputs(&self) -> Outputs {
        self.outputs.clone()
    }

    /// Where outputs are kept, when they are.
    #[must_use]
    pub const fn custody(&self) -> Option<&ObjectCustody> {
        self.outputs.custody()
    }

    /// The Telegram bot, when one is configured; [`Telegram::serve`] sets it to work.
    #[must_use]
    pub const fn telegram(&self) -> Option<&Telegram> {
        self.telegram.as_ref()
    }

    /// What copies the database while it is at work.
    #[must_use]
    pub const fn backups(&self) -> &Backups {
        &self.backups
    }

    /// The files that callers keep here.
    #[must_use]
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// The station as this host's own caller.
    ///
    /// # Errors
    /// None: the name is a constant that fits.
    pub fn caller(&self) -> Result<Caller> {
        Ok(self.station.as_caller(caller_id()?))
    }

    /// Accepts nothing more, lets what is under way finish for [`SHUTDOWN_GRACE`], and frees the data folder.
    ///
    /// # Errors
    /// `StoreUnavailable` when the work could not be handed back; the next start takes it up all the same.
    pub async fn shutdown(self) -> Result<()> {
        let done = self.handle.shutdown(SHUTDOWN_GRACE).await;
        if let Some(sim) = self.sim {
            sim.shutdown().await;
        }
        done
    }
}

/// A station that remembers nothing, follows no task and has not been started: it can ask the service for its tools and
/// price them, as a host with this configuration would. The simulator, where it is one, lives as long as what is beside.
///
/// # Errors
/// `InvalidInput` for a configuration that cannot work, `Unavailable` when the simulator's port is taken.
pub(crate) async fn trial(config: &Config, service: Service) -> Result<(Station, Option<SimServer>)> {
    let (providers, sim) = providers(config, service).await?;
    let mut builder = joined(providers).policy(policy(config));
    if let Some(path) = &config.rates {
        builder = builder.rate_override(rates(path)?);
    }
    Ok((builder.build()?, sim))
}

fn joined(providers: Vec<Connected>) -> StationBuilder {
    providers.into_iter().fold(Station::builder(), |builder, provider| provider.join(builder))
}

/// The data folder of the configuration, or of its simulator, held.
///
/// # Errors
/// As [`DataDir::open`].
pub fn data_dir(config: &Config, sim: bool) -> Result<DataDir> {
    DataDir::open(data_folder(config, sim))
}

/// Who everything on one host belongs to.
///
/// # Errors
/// None: the name is a constant that fits.
pub fn caller_id() -> Result<CallerId> {
    CallerId::new(CALLER)
}

/// Where the host keeps what must survive, with the service or with the simulator.
pub(crate) fn data_folder(config: &Config, simulated: bool) -> PathBuf {
    if simulated { config.data_dir.join(SIM_FOLDER) } else { config.data_dir.clone() }
}

/// The custody of the configuration, for a host with its data in this folder.
///
/// # Errors
/// As [`ObjectCustody::open`].
pub(crate) fn custody(
    config: &Config,
    data: &Path,
    host_id: String,
    client: GuardedClient,
) -> Result<Option<ObjectCustody>> {
    if !config.custody.enabled {
        return Ok(None);
    }
    let own = || CustodyPlace::Folder(custody::folder_in(data));
    let place = config.custody.place.clone().unwrap_or_else(own);
    ObjectCustody::open(&place, host_id, client, config.output_bytes_max()).map(Some)
}

/// What the configuration opens for addresses that others name.
pub(crate) fn guard(config: &Config) -> Guard {
    Guard::new(config.allow_private_targets.clone())
}

/// The bot of the configuration.
fn telegram(config: &Config, outputs: Outputs, files: Files, public_url: Option<&str>) -> Result<Option<Telegram>> {
    let Some(telegram) = telegram_config(config, public_url)? else { return Ok(None) };
    Telegram::new(telegram, outputs, files).map(Some).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => Error::new(ErrorKind::InvalidInput, "read configuration")
            .with_message(format!("telegram.token (TELEGRAM_BOT_TOKEN): {}", error.message().unwrap_or_default())),
        _ => error,
    })
}

/// The bot that is configured, if one is.
pub(crate) fn telegram_config(config: &Config, public_url: Option<&str>) -> Result<Option<TelegramConfig>> {
    let settings = &config.telegram;
    let Some(token) = settings.token.clone() else { return Ok(None) };
    if settings.webhook && public_url.is_none() {
        return Err(Error::new(ErrorKind::InvalidInput, "read configuration")
            .with_message("telegram.webhook: Telegram can push updates only to a public_url, and none is set."));
    }
    let base = public_url.filter(|_| settings.webhook).map(str::to_owned);
    let telegram = TelegramConfig::new(token)
        .with_api_url(settings.api_url.clone())
        .with_allowed(settings.allowed.iter().copied())
        .with_webhook_base(base)
        .with_limits(settings.limits);
    Ok(Some(telegram))
}

/// The providers of a service, and the simulator where it is one.
async fn providers(config: &Config, service: Service) -> Result<(Vec<Connected>, Option<SimServer>)> {
    match service {
        Service::Configured => Ok((providers::configured(config)?, None)),
        Service::Simulator(sim, port) => {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let server = Sim::serve_on(*sim, address).await.map_err(|e| {
                Error::new(ErrorKind::Unavailable, "start simulator")
                    .with_message(format!("The simulator cannot listen on {address}: {e}."))
                    .with_source(e)
            })?;
            let provider = providers::comfydeploy(None, Secret::new("simulated"), &server.base_url())?;
            Ok((vec![provider], Some(server)))
        }
    }
}

/// As the provider's own client, neither following redirects nor retrying, and without a proxy.
pub(crate) fn direct_client() -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()
        .map_err(|e| Error::new(ErrorKind::Unexpected, "make HTTP client").with_source(e))
}

fn policy(config: &Config) -> Policy {
    let mut policy = Policy::default();
    policy.task_deadline = config.task_deadline_s.map(Duration::from_secs);
    if let Some(ms) = config.poll_interval_ms {
        policy.poll_interval_min = Duration::from_millis(ms);
        policy.poll_interval_max = policy.poll_interval_max.max(policy.poll_interval_min);
    }
    if let Some(ms) = config.lookup_interval_ms {
        policy.lookup_interval = Duration::from_millis(ms);
    }
    if let Some(ms) = config.absent_after_ms {
        policy.absent_without_answer = Duration::from_millis(ms);
    }
    policy.unpriced = match config.unpriced {
        Unpriced::Refuse => UnpricedPolicy::Refuse,
        Unpriced::Allow => UnpricedPolicy::Allow,
    };
    policy.duration = config.duration;
    policy
}

fn rates(path: &std::path::Path) -> Result<RateCard> {
    use std::io::Read;
    let named = |e: Error| {
        let reason = e.message().map_or_else(|| e.to_string(), str::to_owned);
        Error::new(ErrorKind::InvalidInput, "read rates").with_message(format!("rates: {}: {reason}", path.display()))
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(RATES_BYTES_MAX).read_to_string(&mut text))
        .map_err(|e| named(Error::new(ErrorKind::InvalidInput, "read rates").with_message(e.to_string())))?;
    RateCard::from_toml(&text).map_err(named)
}
