//! The sections `[providers.NAME]`.

use std::path::PathBuf;

use serde::Deserialize;
use stationthis_core::{Error, ErrorKind, Price, Result, Secret};

use super::values::{http_url_maybe, secret, secrets};

/// One account of an outside service. Which settings its service takes, [`services`](crate::providers::services) knows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ProviderSettings {
    /// The kind of service; the section's own name where it is left out.
    #[serde(default)]
    pub service: Option<String>,
    /// The account's key.
    #[serde(default, deserialize_with = "secret")]
    pub api_key: Option<Secret>,
    /// The base address of the service's API, without a slash at its end.
    #[serde(default, deserialize_with = "http_url_maybe")]
    pub api_url: Option<String>,
    /// US dollars for one of the service's credits.
    #[serde(default)]
    pub price_per_credit: Option<Price>,
    /// A file with the service's tools, in place of the ones that are compiled in.
    #[serde(default)]
    pub catalogue: Option<PathBuf>,
    /// Secrets of webhooks that were set up at the service; each signs.
    #[serde(default, deserialize_with = "secrets")]
    pub webhook_secrets: Vec<Secret>,
}

impl ProviderSettings {
    /// The kind of service of the section `name`.
    #[must_use]
    pub fn service<'a>(&'a self, name: &'a str) -> &'a str {
        self.service.as_deref().unwrap_or(name)
    }

    /// The key, without which there is nothing to ask.
    ///
    /// # Errors
    /// `InvalidInput`, with a sentence that names the setting.
    pub fn key(&self, name: &str) -> Result<Secret> {
        self.api_key.clone().ok_or_else(|| refused(name, "api_key", "no key is set."))
    }

    /// Refuses settings that a service does not take, each with whether it is set: a price that nobody reads is worse
    /// than none.
    ///
    /// # Errors
    /// `InvalidInput`, with a sentence that names the first.
    pub fn only(&self, name: &str, without: &[(&str, bool)]) -> Result<()> {
        match without.iter().find(|(_, is_set)| *is_set) {
            Some((key, _)) => Err(refused(name, key, &format!("{} has no such setting.", self.service(name)))),
            None => Ok(()),
        }
    }
}

pub(crate) fn refused(name: &str, key: &str, reason: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "read configuration").with_message(format!("providers.{name}.{key}: {reason}"))
}
