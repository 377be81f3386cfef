//! What an instance is made of: the part that can stand in a file, and the builder for the rest.

use crate::catalogue::ToolSheet;
use crate::client::Client;
use crate::pricing;
use crate::provider::Vidu;
use serde::{Deserialize, Serialize};
use stationthis_core::{Error, ErrorKind, Price, ProviderId, Result, Secret};
use stationthis_http::client_builder;
use std::path::PathBuf;
use std::time::Duration;

/// The global platform, when nothing else is said.
pub const DEFAULT_BASE_URL: &str = "https://api.vidu.com";

/// The platform for mainland China: another company's accounts and keys, and prices in another currency.
pub const CHINA_BASE_URL: &str = "https://api.vidu.cn";

/// What the documentation shows at the end of a base URL. Uploads are beside it, not under it.
pub(crate) const API_PATH: &str = "/ent/v2";

/// The settings of one instance that can stand in a file. Unknown names are refused.
///
/// ```
/// use stationthis_vidu::ViduConfig;
///
/// let config = ViduConfig::default();
/// assert_eq!(config.base_url, "https://api.vidu.com");
/// assert_eq!(config.price_per_credit, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct ViduConfig {
    /// The instance's id: lower-case letters, digits, `-`, `_`. Default `vidu`. Never change it once there are tasks: it
    /// is part of tool ids and of callback URLs, which the service signs.
    pub provider_id: String,
    /// The API's host, with or without the `/ent/v2` of the documentation. Default [`DEFAULT_BASE_URL`].
    pub base_url: String,
    /// US dollars per credit. Default: the price list's, on the global platform; none on [`CHINA_BASE_URL`], whose
    /// prices are in another currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_per_credit: Option<Price>,
    /// A catalogue of your own, in place of the one that is compiled in: a new model without a new release. Read once,
    /// when the provider is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalogue: Option<PathBuf>,
    /// Seconds to connect. Default 10. Has no effect on a client that was given.
    pub connect_timeout_s: u32,
    /// Seconds for one state, cancel or credits answer. Default 30.
    pub read_timeout_s: u32,
    /// Seconds for the answer to a submission. Default 90: speech is made within the call.
    pub submit_timeout_s: u32,
    /// Seconds for each of the three steps of an upload. Default 120, for pictures of 10 MB.
    pub upload_timeout_s: u32,
}

impl Default for ViduConfig {
    fn default() -> Self {
        Self {
            provider_id: "vidu".to_owned(),
            base_url: DEFAULT_BASE_URL.to_owned(),
            price_per_credit: None,
            catalogue: None,
            connect_timeout_s: 10,
            read_timeout_s: 30,
            submit_timeout_s: 90,
            upload_timeout_s: 120,
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

/// Builds a [`Vidu`].
///
/// The last call of a name wins.
#[derive(Debug)]
#[must_use]
pub struct ViduBuilder {
    key: Secret,
    config: ViduConfig,
    http: Option<reqwest::Client>,
}

impl ViduBuilder {
    pub(crate) fn new(key: Secret) -> Self {
        Self { key, config: ViduConfig::default(), http: None }
    }

    /// All settings at once, as they stand in a file.
    pub fn config(mut self, config: ViduConfig) -> Self {
        self.config = config;
        self
    }

    /// Another instance's id.
    pub fn provider_id(mut self, id: impl Into<String>) -> Self {
        self.config.provider_id = id.into();
        self
    }

    /// Another address: the platform for China, the simulator.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.config.base_url = url.into();
        self
    }

    /// What a credit costs this account, in US dollars.
    pub fn price_per_credit(mut self, price: Option<Price>) -> Self {
        self.config.price_per_credit = price;
        self
    }

    /// A catalogue file of your own.
    pub fn catalogue(mut self, path: Option<PathBuf>) -> Self {
        self.config.catalogue = path;
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

    /// Checks the settings, reads the catalogue and makes the provider. Nothing is sent yet.
    ///
    /// # Errors
    /// `InvalidInput` for an empty or unprintable key, a bad provider id, an address that is not http(s) or has a
    /// query, a time limit of zero, or a catalogue that cannot be read (with file, line and tool); `TooLarge` for a
    /// catalogue file beyond its limit; `Unexpected` when TLS cannot be set up.
    pub fn build(self) -> Result<Vidu> {
        let config = self.config;
        let id = ProviderId::new(config.provider_id.clone())?;
        let key = self.key.expose();
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(refused("The API key is empty, or holds spaces or other characters that no key has."));
        }
        let (host, is_china) = checked_base(&config.base_url)?;
        let limits =
            [config.connect_timeout_s, config.read_timeout_s, config.submit_timeout_s, config.upload_timeout_s];
        if limits.contains(&0) {
            return Err(refused("A time limit of zero seconds would fail every call."));
        }
        let tools = match &config.catalogue {
            Some(path) => ToolSheet::read(path)?,
            None => ToolSheet::builtin()?,
        };
        let http = match self.http {
            Some(http) => http,
            None => client(seconds(config.connect_timeout_s))?,
        };
        let timeouts = Timeouts {
            read: seconds(config.read_timeout_s),
            submit: seconds(config.submit_timeout_s),
            upload: seconds(config.upload_timeout_s),
        };
        let costs = pricing::model(config.price_per_credit, is_china)?;
        let tools = tools.definitions(&id)?;
        Ok(Vidu::assemble(id, tools, self.key.clone(), Client::new(http, host, self.key, timeouts), costs))
    }
}

fn seconds(s: u32) -> Duration {
    Duration::from_secs(u64::from(s))
}

fn refused(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "configure Vidu").with_message(reason)
}

/// The address without `/ent/v2` and slashes at its end, and whether it is China's.
fn checked_base(text: &str) -> Result<(String, bool)> {
    let url = url::Url::parse(text).map_err(|e| refused("The base URL cannot be read.").with_source(e))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
        return Err(refused("The base URL must be http(s), without a password, a query and a fragment."));
    }
    let host = text.trim_end_matches('/');
    let host = host.strip_suffix(API_PATH).unwrap_or(host);
    let is_china = url.host_str().is_some_and(|name| name == "vidu.cn" || name.ends_with(".vidu.cn"));
    Ok((host.trim_end_matches('/').to_owned(), is_china))
}

/// Neither redirects nor retries: either could send a submission twice.
fn client(connect_timeout: Duration) -> Result<reqwest::Client> {
    client_builder()
        .user_agent(concat!("stationthis-vidu/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        .build()
        .map_err(|e| Error::new(ErrorKind::Unexpected, "configure Vidu").with_source(e.without_url()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_as_the_documentation_shows_it_and_as_a_host() {
        for (text, host, is_china) in [
            ("https://api.vidu.com", "https://api.vidu.com", false),
            ("https://api.vidu.com/ent/v2", "https://api.vidu.com", false),
            ("https://api.vidu.cn/ent/v2/", "https://api.vidu.cn", true),
            ("http://127.0.0.1:9/base/ent/v2", "http://127.0.0.1:9/base", false),
            ("https://vidu.cn.example", "https://vidu.cn.example", false),
        ] {
            assert_eq!(checked_base(text).unwrap(), (host.to_owned(), is_china), "{text}");
        }
        for bad in ["ftp://api.vidu.com", "api.vidu.com", "https://u:p@api.vidu.com", "https://api.vidu.com?x=1", ""] {
            assert!(checked_base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let builder = || ViduBuilder::new(Secret::new("vda_key"));
        assert!(builder().build().is_ok());
        assert!(ViduBuilder::new(Secret::new("")).build().is_err());
        assert!(ViduBuilder::new(Secret::new("two words")).build().is_err());
        assert!(builder().provider_id("Vidu Global").build().is_err());
        let config = ViduConfig { read_timeout_s: 0, ..ViduConfig::default() };
        assert!(builder().config(config).build().is_err());
        let error = builder().catalogue(Some("/no/such/file.toml".into())).build().unwrap_err();
        assert!(error.message().is_some_and(|m| m.contains("/no/such/file.toml")), "{error}");
        assert!(serde_json::from_str::<ViduConfig>(r#"{"pricePerCredits":"1"}"#).is_err());
        let config: ViduConfig = serde_json::from_str(r#"{"pricePerCredit":"0.0045"}"#).unwrap();
        assert_eq!(config.price_per_credit.unwrap().to_string(), "0.0045");
    }
}
