//! The services that a host can talk to: one table, and nowhere else does the host ask which service something is of.

use std::sync::Arc;

use stationthis_comfydeploy::ComfyDeploy;
use stationthis_core::cost::CostModel;
use stationthis_core::provider::ServiceProvider;
use stationthis_core::station::StationBuilder;
use stationthis_core::{Error, ErrorKind, Result, Secret};
use url::Url;

use crate::app::direct_client;
use crate::client::is_local;
use crate::config::{Config, ProviderSettings};

/// A provider of the configuration, with its prices and the address that it was given.
#[derive(Clone, Debug)]
pub(crate) struct Connected {
    provider: Arc<dyn ServiceProvider>,
    costs: Arc<dyn CostModel>,
    /// What is fetched from there is fetched from where the operator said.
    pub(crate) url: Url,
}

impl Connected {
    fn new<P: ServiceProvider + CostModel + 'static>(provider: P, url: Url) -> Self {
        let provider = Arc::new(provider);
        Self { provider: provider.clone(), costs: provider, url }
    }

    /// Adds it to a station.
    pub(crate) fn join(self, builder: StationBuilder) -> StationBuilder {
        builder.provider_with_costs(self.provider, self.costs)
    }
}

/// Makes a provider of the section `[providers.NAME]`: its name and what it says.
type Make = fn(&str, &ProviderSettings) -> Result<Connected>;

/// Every kind of service, by the word that a section names it with.
const SERVICES: &[(&str, Make)] = &[
    (stationthis_comfydeploy::SERVICE_NAME, comfydeploy_of),
    #[cfg(feature = "tripo")]
    (stationthis_tripo::SERVICE_NAME, tripo_of),
    #[cfg(feature = "vidu")]
    (stationthis_vidu::SERVICE_NAME, vidu_of),
];

/// The kinds of service that a section `[providers.NAME]` can be of.
pub fn services() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().map(|(service, _)| *service)
}

/// The providers of a configuration: the ComfyDeploy account, if there is a key for it, and one for each section.
///
/// # Errors
/// `InvalidInput` when there is none at all, or one that cannot be made; the sentence names the setting.
pub(crate) fn configured(config: &Config) -> Result<Vec<Connected>> {
    let mut providers = Vec::new();
    if let Some(key) = &config.comfydeploy.api_key {
        providers.push(comfydeploy(None, key.clone(), &config.comfydeploy.api_url)?);
    }
    for (name, settings) in &config.providers {
        providers.push(provider(name, settings)?);
    }
    if providers.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "read configuration").with_message(
            "comfydeploy.api_key: no key is set. Set COMFY_DEPLOY_API_KEY, add a section [providers.NAME], or try the \
             simulator with --sim.",
        ));
    }
    Ok(providers)
}

fn provider(name: &str, settings: &ProviderSettings) -> Result<Connected> {
    let service = settings.service(name);
    let Some((_, make)) = SERVICES.iter().find(|(known, _)| *known == service) else {
        let known: Vec<&str> = services().collect();
        let reason = format!("{service:?} is no service that this host knows; it knows {}.", known.join(", "));
        return Err(crate::config::refused_provider(name, "service", &reason));
    };
    make(name, settings).map_err(|error| match error.message() {
        Some(message) if message.starts_with("providers.") => error,
        message => {
            let message = message.map_or_else(|| error.to_string(), str::to_owned);
            error.with_message(format!("providers.{name}: {message}"))
        }
    })
}

/// ComfyDeploy at an address, under an id of its own or the usual one.
///
/// # Errors
/// As the provider's builder.
pub(crate) fn comfydeploy(id: Option<&str>, key: Secret, base_url: &str) -> Result<Connected> {
    let url = url_of(base_url)?;
    let mut builder = ComfyDeploy::builder(key).base_url(base_url);
    if let Some(id) = id {
        builder = builder.provider_id(id);
    }
    if let Some(client) = client_for(&url)? {
        builder = builder.http_client(client);
    }
    Ok(Connected::new(builder.build()?, url))
}

fn comfydeploy_of(name: &str, settings: &ProviderSettings) -> Result<Connected> {
    settings.only(
        name,
        &[
            ("price_per_credit", settings.price_per_credit.is_some()),
            ("catalogue", settings.catalogue.is_some()),
            ("webhook_secrets", !settings.webhook_secrets.is_empty()),
        ],
    )?;
    let url = settings.api_url.as_deref().unwrap_or(stationthis_comfydeploy::DEFAULT_BASE_URL);
    comfydeploy(Some(name), settings.key(name)?, url)
}

#[cfg(feature = "tripo")]
fn tripo_of(name: &str, settings: &ProviderSettings) -> Result<Connected> {
    let mut config = stationthis_tripo::TripoConfig::default();
    name.clone_into(&mut config.provider_id);
    if let Some(url) = &settings.api_url {
        config.base_url.clone_from(url);
    }
    config.price_per_credit = settings.price_per_credit;
    config.catalogue.clone_from(&settings.catalogue);
    let url = url_of(&config.base_url)?;
    let mut builder = stationthis_tripo::Tripo::builder(settings.key(name)?).config(config);
    for secret in &settings.webhook_secrets {
        builder = builder.webhook_secret(secret.clone());
    }
    if let Some(client) = client_for(&url)? {
        builder = builder.http_client(client);
    }
    Ok(Connected::new(builder.build()?, url))
}

#[cfg(feature = "vidu")]
fn vidu_of(name: &str, settings: &ProviderSettings) -> Result<Connected> {
    settings.only(name, &[("webhook_secrets", !settings.webhook_secrets.is_empty())])?;
    let base_url = settings.api_url.as_deref().unwrap_or(stationthis_vidu::DEFAULT_BASE_URL);
    let url = url_of(base_url)?;
    let mut builder = stationthis_vidu::Vidu::builder(settings.key(name)?)
        .provider_id(name)
        .base_url(base_url)
        .price_per_credit(settings.price_per_credit)
        .catalogue(settings.catalogue.clone());
    if let Some(client) = client_for(&url)? {
        builder = builder.http_client(client);
    }
    Ok(Connected::new(builder.build()?, url))
}

fn url_of(text: &str) -> Result<Url> {
    Url::parse(text).map_err(|e| Error::new(ErrorKind::InvalidInput, "read service address").with_source(e))
}

/// A service on this machine is never behind the proxy that the environment names for others.
fn client_for(url: &Url) -> Result<Option<reqwest::Client>> {
    if is_local(url) { direct_client().map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    fn of(file: &str) -> Result<Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("host.toml");
        std::fs::write(&path, file).unwrap();
        let flags = Flags { config: Some(path), ..Flags::default() };
        let connected = configured(&Config::load(&flags, &|_| None)?)?;
        Ok(connected.iter().map(|c| format!("{}={} {}", c.provider.id(), c.provider.service_name(), c.url)).collect())
    }

    #[test]
    fn each_section_is_a_provider_under_its_own_name() {
        let both = "[comfydeploy]\napi_key = \"k\"\n[providers.eu]\nservice = \"comfydeploy\"\napi_key = \"k\"\n\
                    api_url = \"https://eu.example/api\"\n";
        let expected =
            ["comfydeploy=comfydeploy https://api.comfydeploy.com/api", "eu=comfydeploy https://eu.example/api"];
        assert_eq!(of(both).unwrap(), expected);
    }

    #[cfg(feature = "vidu")]
    #[test]
    fn vidu_is_switched_on_by_a_section_alone() {
        let alone = "[providers.vidu]\napi_key = \"k\"\n[providers.china]\nservice = \"vidu\"\napi_key = \"k\"\n\
                     api_url = \"https://api.vidu.cn\"\nprice_per_credit = \"0.004\"\n";
        assert_eq!(of(alone).unwrap(), ["china=vidu https://api.vidu.cn/", "vidu=vidu https://api.vidu.com/"]);
    }

    #[cfg(feature = "tripo")]
    #[test]
    fn tripo_is_switched_on_by_a_section_alone_and_signed_webhooks_by_its_secrets() {
        let alone = "[providers.tripo]\napi_key = \"k\"\nwebhook_secrets = [\"whsec_1\", \"whsec_2\"]\n[providers.china]\n\
                     service = \"tripo\"\napi_key = \"k\"\napi_url = \"https://openapi.tripo3d.com/v3\"\n\
                     price_per_credit = \"0.004\"\n";
        let expected = ["china=tripo https://openapi.tripo3d.com/v3", "tripo=tripo https://openapi.tripo3d.ai/v3"];
        assert_eq!(of(alone).unwrap(), expected);
        let settings = ProviderSettings { api_key: Some(Secret::new("k")), ..ProviderSettings::default() };
        let webhooks = |settings: &ProviderSettings| tripo_of("t", settings).unwrap().provider.capabilities().webhooks;
        assert_eq!(webhooks(&settings), None);
        let settings = ProviderSettings { webhook_secrets: vec![Secret::new("whsec_1")], ..settings };
        assert_eq!(webhooks(&settings), Some(stationthis_core::provider::WebhookAuth::ProviderSignature));
    }

    #[test]
    fn what_cannot_be_a_provider_is_named_with_its_setting() {
        for (file, parts) in [
            ("", ["comfydeploy.api_key: no key is set.", "[providers.NAME]"]),
            ("[providers.x]\napi_key = \"k\"", ["providers.x.service: \"x\" is no service", "comfydeploy"]),
            ("[providers.comfydeploy]", ["providers.comfydeploy.api_key: no key is set.", ""]),
            (
                "[providers.a]\nservice = \"comfydeploy\"\napi_key = \"k\"\ncatalogue = \"x.toml\"",
                ["providers.a.catalogue: comfydeploy has no such setting.", ""],
            ),
            ("[providers.A]\nservice = \"comfydeploy\"\napi_key = \"k\"", ["providers.A: ", "provider id"]),
            #[cfg(feature = "tripo")]
            (
                "[providers.tripo]\napi_key = \"k\"\ncatalogue = \"/no/such.toml\"",
                ["providers.tripo: ", "/no/such.toml"],
            ),
            #[cfg(feature = "vidu")]
            (
                "[providers.vidu]\napi_key = \"k\"\nwebhook_secrets = [\"a\"]",
                ["providers.vidu.webhook_secrets: ", "no such"],
            ),
            #[cfg(feature = "vidu")]
            ("[providers.vidu]\napi_key = \"k\"\ncatalogue = \"/no/such.toml\"", ["providers.vidu: ", "/no/such.toml"]),
        ] {
            let error = of(file).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let message = error.message().unwrap();
            assert!(parts.iter().all(|part| message.contains(part)), "{file}: {message}");
        }
    }
}
