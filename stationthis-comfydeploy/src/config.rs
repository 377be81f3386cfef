//! What an instance is made of: the part that can stand in a file, and the builder for the rest.

use crate::client::Client;
use crate::pricing;
use crate::provider::ComfyDeploy;
use serde::{Deserialize, Serialize};
use stationthis_core::{Error, ErrorKind, ProviderId, Result, Secret};
use stationthis_http::client_builder;
use std::time::Duration;

/// Where the service is, when nothing else is said.
pub const DEFAULT_BASE_URL: &str = "https://api.comfydeploy.com/api";

/// The settings of one instance that can stand in a file. Unknown names are refused.
///
/// ```
/// use stationthis_comfydeploy::ComfyDeployConfig;
///
/// let config = ComfyDeployConfig::default();
/// assert_eq!(config.base_url, "https://api.comfydeploy.com/api");
/// assert_eq!(config.submit_timeout_s, 90);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct ComfyDeployConfig {
    /// The instance's id: lower-case letters, digits, `-`, `_`. Default `comfydeploy`. Never change it once there are
    /// tasks: it is part of tool ids and callback URLs.
    pub provider_id: String,
    /// The API's address with its `/api`. Default [`DEFAULT_BASE_URL`].
    pub base_url: String,
    /// Seconds to connect. Default 10. Has no effect on a client that was given.
    pub connect_timeout_s: u32,
    /// Seconds for one status answer, cancel or run list. Default 30.
    pub read_timeout_s: u32,
    /// Seconds for one page of deployments, which is megabytes. Default 120.
    pub list_timeout_s: u32,
    /// Seconds for the answer to a submission. Default 90: the service redeploys a sleeping app inside the call, and
    /// answers after 56 s were seen. Shorter only makes more submissions unknown.
    pub submit_timeout_s: u32,
    /// Seconds for one upload. Default 600.
    pub upload_timeout_s: u32,
    /// Deployments per page, 1 to 500. Default 50.
    pub page_size: u32,
    /// Which deployment of a workflow its tool runs: the first environment of this list in which there is one, then any
    /// other; among equals the one changed last.
    pub environments: Vec<String>,
}

impl Default for ComfyDeployConfig {
    fn default() -> Self {
        let environments = ["production", "staging", "public-share", "private-share", "community-share", "preview"];
        Self {
            provider_id: "comfydeploy".to_owned(),
            base_url: DEFAULT_BASE_URL.to_owned(),
            connect_timeout_s: 10,
            read_timeout_s: 30,
            list_timeout_s: 120,
            submit_timeout_s: 90,
            upload_timeout_s: 600,
            page_size: 50,
            environments: environments.map(str::to_owned).to_vec(),
        }
    }
}

/// The time limits as durations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) read: Duration,
    pub(crate) list: Duration,
    pub(crate) submit: Duration,
    pub(crate) upload: Duration,
}

/// The largest page that may be asked for: beyond it one answer may pass its size limit.
const PAGE_SIZE_MAX: u32 = 500;

/// Builds a [`ComfyDeploy`].
///
/// The last call of a name wins.
#[derive(Debug)]
#[must_use]
pub struct ComfyDeployBuilder {
    key: Secret,
    config: ComfyDeployConfig,
    http: Option<reqwest::Client>,
}

impl ComfyDeployBuilder {
    pub(crate) fn new(key: Secret) -> Self {
        Self { key, config: ComfyDeployConfig::default(), http: None }
    }

    /// All settings at once, as they stand in a file.
    pub fn config(mut self, config: ComfyDeployConfig) -> Self {
        self.config = config;
        self
    }

    /// Another instance's id.
    pub fn provider_id(mut self, id: impl Into<String>) -> Self {
        self.config.provider_id = id.into();
        self
    }

    /// Another address: the staging service, the simulator.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.config.base_url = url.into();
        self
    }

    /// Seconds for one status answer, cancel or run list.
    pub fn read_timeout_s(mut self, seconds: u32) -> Self {
        self.config.read_timeout_s = seconds;
        self
    }

    /// Seconds for the answer to a submission.
    pub fn submit_timeout_s(mut self, seconds: u32) -> Self {
        self.config.submit_timeout_s = seconds;
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

    /// Checks the settings and makes the provider. Nothing is sent yet.
    ///
    /// # Errors
    /// `InvalidInput` for an empty or unprintable key, a bad provider id, an address that is not http(s) or has a
    /// query, a time limit of zero, or a page size that is out of bounds; `Unexpected` when TLS cannot be set up.
    pub fn build(self) -> Result<ComfyDeploy> {
        let config = self.config;
        let id = ProviderId::new(config.provider_id.clone())?;
        let key = self.key.expose();
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(refused("The API key is empty, or holds spaces or other characters that no key has."));
        }
        let base_url = checked_base(&config.base_url)?;
        let limits = [
            config.connect_timeout_s,
            config.read_timeout_s,
            config.list_timeout_s,
            config.submit_timeout_s,
            config.upload_timeout_s,
        ];
        if limits.contains(&0) {
            return Err(refused("A time limit of zero seconds would fail every call."));
        }
        if config.page_size == 0 || config.page_size > PAGE_SIZE_MAX {
            return Err(refused("The page size must be 1 to 500."));
        }
        let http = match self.http {
            Some(http) => http,
            None => client(seconds(config.connect_timeout_s))?,
        };
        let timeouts = Timeouts {
            read: seconds(config.read_timeout_s),
            list: seconds(config.list_timeout_s),
            submit: seconds(config.submit_timeout_s),
            upload: seconds(config.upload_timeout_s),
        };
        let client = Client::new(http, base_url, self.key, timeouts);
        Ok(ComfyDeploy::assemble(id, config, client, pricing::model()?))
    }
}

fn seconds(s: u32) -> Duration {
    Duration::from_secs(u64::from(s))
}

fn refused(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "configure ComfyDeploy").with_message(reason)
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
fn client(connect_timeout: Duration) -> Result<reqwest::Client> {
    client_builder()
        .user_agent(concat!("stationthis-comfydeploy/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        .build()
        .map_err(|e| Error::new(ErrorKind::Unexpected, "configure ComfyDeploy").with_source(e.without_url()))
}
