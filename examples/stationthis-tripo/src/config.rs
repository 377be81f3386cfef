//! What an instance is made of: the part that can stand in a file, and the builder for the rest.

use crate::catalogue::Catalogue;
use crate::client::Client;
use crate::pricing;
use crate::provider::Tripo;
use crate::webhook::WebhookSecrets;
use serde::{Deserialize, Serialize};
use stationthis_core::{Error, ErrorKind, Price, ProviderId, Result, Secret};
use stationthis_http::client_builder;
use std::path::PathBuf;
use std::time::Duration;

/// Where the service is, when nothing else is said: outside of mainland China.
pub const DEFAULT_BASE_URL: &str = "https://openapi.tripo3d.ai/v3";

/// Where the service is for keys of mainland China. A key works in one region only; the other answers 401.
pub const BASE_URL_CHINA: &str = "https://openapi.tripo3d.com/v3";

/// The settings of one instance that can stand in a file. Unknown names are refused.
///
/// ```
/// use stationthis_tripo::TripoConfig;
///
/// let config = TripoConfig::default();
/// assert_eq!(config.base_url, "https://openapi.tripo3d.ai/v3");
/// assert_eq!(config.price_per_credit, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct TripoConfig {
    /// The instance's id: lower-case letters, digits, `-`, `_`. Default `tripo`. Never change it once there are tasks: it
    /// is part of tool ids and of the webhook's address.
    pub provider_id: String,
    /// The API's address with its `/v3`. Default [`DEFAULT_BASE_URL`].
    pub base_url: String,
    /// US dollars for one credit, as text: what you paid for them. Default: Tripo's list price of August to October 2026,
    /// 0.01.
    pub price_per_credit: Option<Price>,
    /// A catalogue of tools in place of the one compiled in, in the form of this crate's `catalogue.toml`.
    pub catalogue: Option<PathBuf>,
    /// Seconds to connect. Default 10. Has no effect on a client that was given.
    pub connect_timeout_s: u32,
    /// Seconds for one status answer. Default 30.
    pub read_timeout_s: u32,
    /// Seconds for the answer to a submission. Default 60, as Tripo's own SDK. Shorter only makes more submissions
    /// unknown, and those end in review.
    pub submit_timeout_s: u32,
    /// Seconds for one upload. Default 600.
    pub upload_timeout_s: u32,
}

impl Default for TripoConfig {
    fn default() -> Self {
        Self {
            provider_id: "tripo".to_owned(),
            base_url: DEFAULT_BASE_URL.to_owned(),
            price_per_credit: None,
            catalogue: None,
            connect_timeout_s: 10,
            read_timeout_s: 30,
            submit_timeout_s: 60,
            upload_timeout_s: 600,
        }
    }
}

/// The time limits as durations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) read: Duration,
    pub(crate) submit: Duration,
    pub(crate) upload: Duration,
}

/// Builds a [`Tripo`].
///
/// The last call of a name wins; webhook secrets add up.
#[derive(Debug)]
#[must_use]
pub struct TripoBuilder {
    key: Secret,
    config: TripoConfig,
    secrets: Vec<Secret>,
    catalogue: Option<Catalogue>,
    http: Option<reqwest::Client>,
}

impl TripoBuilder {
    pub(crate) fn new(key: Secret) -> Self {
        Self { key, config: TripoConfig::default(), secrets: Vec::new(), catalogue: None, http: None }
    }

    /// All settings at once, as they stand in a file.
    pub fn config(mut self, config: TripoConfig) -> Self {
        self.config = config;
        self
    }

    /// Another instance's id.
    pub fn provider_id(mut self, id: impl Into<String>) -> Self {
        self.config.provider_id = id.into();
        self
    }

    /// Another address: [`BASE_URL_CHINA`], the scripted server.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.config.base_url = url.into();
        self
    }

    /// One more secret of a webhook that was set up in Tripo's console, whole, with its `whsec_`. Several are for a
    /// rotation: a webhook is good when any of them signed it. Without one no webhooks are taken, and runs are polled.
    pub fn webhook_secret(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// A catalogue that was read already; comes before [`TripoConfig::catalogue`].
    pub fn catalogue(mut self, catalogue: Catalogue) -> Self {
        self.catalogue = Some(catalogue);
        self
    }

    /// Uses a client of the embedder's: its proxy, its TLS roots, its connection limits.
    ///
    /// It must neither follow redirects nor retry, or a submission may be sent twice:
    /// `redirect(Policy::none())`, `retry(reqwest::retry::never())`, as `stationthis_http::client_builder` has them.
    #[cfg(feature = "reqwest-client")]
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http = Some(client);
        self
    }

    /// Checks the settings and makes the provider. Reads the catalogue's file, where one is named; nothing is sent yet.
    ///
    /// # Errors
    /// `InvalidInput` for an empty or unprintable key, a bad provider id, an address that is not http(s) or has a query,
    /// a time limit of zero, an empty webhook secret or more than 8, a catalogue that cannot be read; `Unexpected` when
    /// TLS cannot be set up.
    pub fn build(self) -> Result<Tripo> {
        let config = self.config;
        let id = ProviderId::new(config.provider_id.clone())?;
        let key = self.key.expose();
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(refused("The API key is empty, or holds spaces or other characters that no key has."));
        }
        let base_url = checked_base(&config.base_url)?;
        let limits =
            [config.connect_timeout_s, config.read_timeout_s, config.submit_timeout_s, config.upload_timeout_s];
        if limits.contains(&0) {
            return Err(refused("A time limit of zero seconds would fail every call."));
        }
        let secrets = WebhookSecrets::new(self.secrets)?;
        let catalogue = match (self.catalogue, &config.catalogue) {
            (Some(catalogue), _) => catalogue,
            (None, Some(path)) => Catalogue::from_file(path)?,
            (None, None) => Catalogue::builtin()?,
        };
        let tools = catalogue.tools(&id, !secrets.is_empty())?;
        let timeouts = Timeouts {
            read: seconds(config.read_timeout_s),
            submit: seconds(config.submit_timeout_s),
            upload: seconds(config.upload_timeout_s),
        };
        let http = match self.http {
            Some(http) => http,
            None => http(seconds(config.connect_timeout_s))?,
        };
        let client = Client::new(http, base_url, self.key, timeouts);
        let costs = pricing::model(config.price_per_credit)?;
        Ok(Tripo::assemble(id, client, secrets, tools, costs))
    }
}

fn seconds(s: u32) -> Duration {
    Duration::from_secs(u64::from(s))
}

fn refused(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "configure Tripo").with_message(reason)
}

fn checked_base(text: &str) -> Result<String> {
    let url = url::Url::parse(text).map_err(|e| refused("The base URL cannot be read.").with_source(e))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
        return Err(refused("The base URL must be http(s), without a password, a query and a fragment."));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Neither redirects nor retries: either could send a submission twice.
fn http(connect_timeout: Duration) -> Result<reqwest::Client> {
    client_builder()
        .user_agent(concat!("stationthis-tripo/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        .build()
        .map_err(|e| Error::new(ErrorKind::Unexpected, "configure Tripo").with_source(e.without_url()))
}
