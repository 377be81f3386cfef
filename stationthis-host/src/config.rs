//! The host's configuration: defaults that are compiled in, a file, the environment, flags, each laid over the last.

mod providers;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use stationthis_core::cost::DurationPolicy;
use stationthis_core::{Error, ErrorKind, Result, Secret};
use toml::{Table, Value};

use crate::custody::CustodyPlace;
use crate::files::FileLimits;
use crate::http::{CallerLimits, Origin};
use crate::outgoing::AddressRange;
use crate::telegram::Limits;

pub use self::providers::ProviderSettings;
pub(crate) use self::providers::refused as refused_provider;
use self::values::{
    absent_after, api_key, caller_mib, chats, deadline, file_mib, http_url, http_url_maybe, kept_h, list,
    lookup_interval, output_mib, place, poll_interval, requests, secret, waits, yes_or_no,
};

/// Every setting with its default, as the text that `config.default.toml` holds.
pub const DEFAULTS: &str = include_str!("config.default.toml");

/// A configuration file is a page or two; more is the wrong file.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Bytes.
const MIB: u64 = 1024 * 1024;

/// Shorter API keys can be guessed over a network.
const API_KEY_CHARS_MIN: usize = 16;

/// The environment variables and the keys they set.
const VARIABLES: [(&str, &str); 33] = [
    ("STATIONTHIS_LISTEN", "listen"),
    ("STATIONTHIS_PUBLIC_URL", "public_url"),
    ("STATIONTHIS_DATA_DIR", "data_dir"),
    ("STATIONTHIS_API_KEY", "api_key"),
    ("STATIONTHIS_RATE_LIMIT_PER_MIN", "rate_limit_per_min"),
    ("STATIONTHIS_RATE_LIMIT_BURST", "rate_limit_burst"),
    ("STATIONTHIS_WAITS_PER_CALLER", "waits_per_caller"),
    ("STATIONTHIS_FILE_MAX_MIB", "file_max_mib"),
    ("STATIONTHIS_FILES_PER_CALLER_MIB", "files_per_caller_mib"),
    ("STATIONTHIS_FILES_KEPT_H", "files_kept_h"),
    ("STATIONTHIS_CORS_ORIGINS", "cors_origins"),
    ("STATIONTHIS_RATES", "rates"),
    ("STATIONTHIS_ALLOW_PRIVATE_TARGETS", "allow_private_targets"),
    ("STATIONTHIS_TASK_DEADLINE_S", "task_deadline_s"),
    ("STATIONTHIS_POLL_INTERVAL_MS", "poll_interval_ms"),
    ("STATIONTHIS_LOOKUP_INTERVAL_MS", "lookup_interval_ms"),
    ("STATIONTHIS_ABSENT_AFTER_MS", "absent_after_ms"),
    ("STATIONTHIS_UNPRICED", "unpriced"),
    ("STATIONTHIS_DURATION", "duration"),
    ("STATIONTHIS_CUSTODY", "custody.enabled"),
    ("STATIONTHIS_CUSTODY_PLACE", "custody.place"),
    ("STATIONTHIS_CUSTODY_MAX_MIB", "custody.max_mib"),
    ("COMFY_DEPLOY_API_KEY", "comfydeploy.api_key"),
    ("COMFY_DEPLOY_API_URL", "comfydeploy.api_url"),
    ("TRIPO_API_KEY", "providers.tripo.api_key"),
    ("TRIPO_API_URL", "providers.tripo.api_url"),
    ("TRIPO_WEBHOOK_SECRETS", "providers.tripo.webhook_secrets"),
    ("VIDU_API_KEY", "providers.vidu.api_key"),
    ("VIDU_API_URL", "providers.vidu.api_url"),
    ("TELEGRAM_BOT_TOKEN", "telegram.token"),
    ("TELEGRAM_API_URL", "telegram.api_url"),
    ("TELEGRAM_ALLOWED", "telegram.allowed"),
    ("TELEGRAM_WEBHOOK", "telegram.webhook"),
];

/// The variable that names the file.
const FILE_VARIABLE: &str = "STATIONTHIS_CONFIG";

/// Everything an operator can set. [`DEFAULTS`] says what each key means; secrets are not printed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Where webhooks come back: scheme, host and perhaps a path, without a slash at its end.
    #[serde(default, deserialize_with = "http_url_maybe")]
    pub public_url: Option<String>,
    /// Where everything durable is kept.
    pub data_dir: PathBuf,
    /// The operator's key for the HTTP API.
    #[serde(default, deserialize_with = "api_key")]
    pub api_key: Option<Secret>,
    /// Requests a minute of each caller, in the long run.
    #[serde(deserialize_with = "requests")]
    pub rate_limit_per_min: NonZeroU32,
    /// Requests of each caller at once, after a pause.
    #[serde(deserialize_with = "requests")]
    pub rate_limit_burst: NonZeroU32,
    /// Requests of each caller that wait for a task's end, and its streams of events, at the same time.
    #[serde(deserialize_with = "waits")]
    pub waits_per_caller: usize,
    /// MiB of one file that a caller keeps here.
    #[serde(deserialize_with = "file_mib")]
    pub file_max_mib: u64,
    /// MiB of all files of a caller.
    #[serde(deserialize_with = "caller_mib")]
    pub files_per_caller_mib: u64,
    /// Hours for which a file is kept.
    #[serde(deserialize_with = "kept_h")]
    pub files_kept_h: u64,
    /// Where web pages come from that may use the HTTP API from a browser.
    #[serde(deserialize_with = "list")]
    pub cors_origins: Vec<Origin>,
    /// The file with the operator's own prices.
    #[serde(default)]
    pub rates: Option<PathBuf>,
    /// Private addresses that callers' webhooks and outputs may reach all the same.
    #[serde(deserialize_with = "list")]
    pub allow_private_targets: Vec<AddressRange>,
    /// Seconds from a task's acceptance to its certain end.
    #[serde(default, deserialize_with = "deadline")]
    pub task_deadline_s: Option<u64>,
    /// Milliseconds between two polls of one task, at least.
    #[serde(default, deserialize_with = "poll_interval")]
    pub poll_interval_ms: Option<u64>,
    /// Milliseconds between two searches for the run of a submission whose answer was lost.
    #[serde(default, deserialize_with = "lookup_interval")]
    pub lookup_interval_ms: Option<u64>,
    /// Milliseconds for which such searches must find nothing before the task counts as never submitted.
    #[serde(default, deserialize_with = "absent_after")]
    pub absent_after_ms: Option<u64>,
    /// What becomes of tools without a known price.
    pub unpriced: Unpriced,
    /// Which of the service's times are billed.
    pub duration: DurationPolicy,
    /// The keeping of outputs.
    pub custody: CustodySettings,
    /// The ComfyDeploy account.
    pub comfydeploy: ComfyDeployConfig,
    /// Accounts of other services, and further ones of ComfyDeploy, by the ids of their providers.
    #[serde(default)]
    pub providers: BTreeMap<String, ProviderSettings>,
    /// The Telegram bot.
    pub telegram: TelegramSettings,
}

/// How outputs are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CustodySettings {
    /// Are they kept at all?
    #[serde(deserialize_with = "yes_or_no")]
    pub enabled: bool,
    /// Where; `None`: in the data folder.
    #[serde(default, deserialize_with = "place")]
    pub place: Option<CustodyPlace>,
    /// MiB of one output.
    #[serde(deserialize_with = "output_mib")]
    pub max_mib: u64,
}

/// The ComfyDeploy account of the host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ComfyDeployConfig {
    /// The account's key.
    #[serde(default, deserialize_with = "secret")]
    pub api_key: Option<Secret>,
    /// The base address of the API, without a slash at its end.
    #[serde(deserialize_with = "http_url")]
    pub api_url: String,
}

/// The Telegram bot of the host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TelegramSettings {
    /// The bot's token; without one there is no bot.
    #[serde(default, deserialize_with = "secret")]
    pub token: Option<Secret>,
    /// The base address of the Bot API, without a slash at its end.
    #[serde(deserialize_with = "http_url")]
    pub api_url: String,
    /// The chats that are served.
    #[serde(deserialize_with = "chats")]
    pub allowed: Vec<i64>,
    /// Are updates pushed to `public_url`, and not polled for?
    #[serde(deserialize_with = "yes_or_no")]
    pub webhook: bool,
    /// How fast the bot speaks. No setting: Telegram's limits are what they are, but a test has no time.
    #[serde(skip)]
    pub limits: Limits,
}

/// What becomes of tools without a known price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unpriced {
    /// They are shown and not run.
    Refuse,
    /// They run, and their cost is unknown.
    Allow,
}

/// What the command line sets.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The file to read.
    pub config: Option<PathBuf>,
    /// Overrides `data_dir`.
    pub data_dir: Option<PathBuf>,
    /// Overrides `listen`.
    pub listen: Option<String>,
    /// Overrides `public_url`.
    pub public_url: Option<String>,
}

impl Config {
    /// Lays the layers over each other: defaults, file, environment (asked through `env`), flags.
    ///
    /// # Errors
    /// `InvalidInput` for an unreadable file, an unknown key or a bad value; the message names the file or variable
    /// and the key, and never a secret's value.
    pub fn load(flags: &Flags, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let mut table: Table = toml::from_str(DEFAULTS).map_err(|e| refused("config.default.toml", &e))?;
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        if let Some(path) = flags.config.clone().or_else(|| env(FILE_VARIABLE).map(PathBuf::from)) {
            let place = path.display().to_string();
            merge(&mut table, toml::from_str(&read(&path)?).map_err(|e| refused(&place, &e))?);
            check(&table, &place)?;
        }
        for (name, key) in VARIABLES {
            if let Some(text) = env(name) {
                set(&mut table, key, &text);
                check(&table, name)?;
            }
        }
        let data_dir = flags.data_dir.as_ref().map(|path| path.display().to_string());
        for (flag, key, text) in [
            ("--data-dir", "data_dir", data_dir.as_ref()),
            ("--listen", "listen", flags.listen.as_ref()),
            ("--public-url", "public_url", flags.public_url.as_ref()),
        ] {
            if let Some(text) = text {
                set(&mut table, key, text);
                check(&table, flag)?;
            }
        }
        check(&table, "config.default.toml")
    }

    /// As [`Config::load`], with the environment of this process.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_env(flags: &Flags) -> Result<Self> {
        Self::load(flags, &|name| std::env::var(name).ok())
    }

    /// What each caller may ask of the host.
    #[must_use]
    pub const fn caller_limits(&self) -> CallerLimits {
        CallerLimits::new(self.rate_limit_per_min, self.rate_limit_burst, self.waits_per_caller)
    }

    /// What is kept of callers' files.
    #[must_use]
    pub const fn file_limits(&self) -> FileLimits {
        FileLimits::new(
            self.file_max_mib.saturating_mul(MIB),
            self.files_per_caller_mib.saturating_mul(MIB),
            Duration::from_secs(self.files_kept_h.saturating_mul(3600)),
        )
    }

    /// Bytes of one output that is kept.
    #[must_use]
    pub const fn output_bytes_max(&self) -> u64 {
        self.custody.max_mib.saturating_mul(MIB)
    }

    /// Refuses an address that others can reach when no key protects it.
    ///
    /// # Errors
    /// `InvalidInput`, with a sentence that names both settings.
    pub fn check_exposure(&self) -> Result<()> {
        if self.listen.ip().is_loopback() || self.api_key.is_some() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidInput, "read configuration").with_message(format!(
            "listen: {} can be reached from other machines, and api_key is not set. Set STATIONTHIS_API_KEY, or listen \
             on 127.0.0.1.",
            self.listen
        )))
    }
}

fn check(table: &Table, place: &str) -> Result<Config> {
    table.clone().try_into().map_err(|e| refused(place, &e))
}

fn refused(place: &str, error: &toml::de::Error) -> Error {
    // Not as a source: its text may quote a line of the file that holds a secret.
    let message = error.message();
    let key =
        error.to_string().lines().find_map(|line| Some(line.strip_prefix("in `")?.trim_end_matches('`').to_owned()));
    let key = key.map(|key| format!("{key}: ")).unwrap_or_default();
    Error::new(ErrorKind::InvalidInput, "read configuration").with_message(format!("{place}: {key}{message}"))
}

fn read(path: &Path) -> Result<String> {
    use std::io::Read;
    let failed = |e: std::io::Error| {
        Error::new(ErrorKind::InvalidInput, "read configuration")
            .with_message(format!("{}: {e}", path.display()))
            .with_source(e)
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, "read configuration")
            .with_message(format!("{}: larger than 256 KiB.", path.display())));
    }
    Ok(text)
}

/// Lays `over` over `table`, key by key.
fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// Sets a dotted key from text: a whole number where the text is one and the key counts something, else text.
fn set(table: &mut Table, key: &str, text: &str) {
    let counts = ["_s", "_ms", "_min", "_burst", "_per_caller", "_mib", "_h"].iter().any(|end| key.ends_with(end));
    let value = text.parse().ok().filter(|_| counts).map_or_else(|| Value::String(text.to_owned()), Value::Integer);
    let mut at = table;
    let mut sections: Vec<&str> = key.split('.').collect();
    let Some(key) = sections.pop() else { return };
    for section in sections {
        // A variable alone is enough for a section: it is made.
        let Value::Table(below) = at.entry(section).or_insert_with(|| Value::Table(Table::new())) else { return };
        at = below;
    }
    at.insert(key.to_owned(), value);
}

#[cfg(test)]
mod tests;
