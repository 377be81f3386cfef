//! The checks, from the configuration outwards.

use stationthis_core::registry::ProviderStatus;
use stationthis_core::store::SqliteStore;
use stationthis_core::tool::Visibility;
use stationthis_core::{Error, ErrorKind};

use super::{Check, Outcome, public_url};
use crate::app::{self, Service, data_folder};
use crate::config::{Config, Unpriced};
use crate::data_dir::{DataDir, database_in};
use crate::outgoing::GuardedClient;
use crate::telegram;

/// The most unpriced tools that are named.
const NAMED_MAX: usize = 5;

/// Every check, in the order in which one depends on the others.
pub(super) async fn all(config: &Config, sim: bool) -> Vec<Check> {
    let mut checks = vec![settings(config)];
    let folder = app::data_dir(config, sim);
    checks.push(holder(config, sim, &folder));
    checks.push(store(config, sim, &folder).await);
    checks.push(custody(config, sim).await);
    checks.extend(service(config, sim).await);
    checks.push(bot(config).await);
    checks.push(public_url::check(config, sim, folder.ok()).await);
    checks
}

fn settings(config: &Config) -> Check {
    if let Err(error) = config.check_exposure() {
        return Check::failed("config", &error);
    }
    let key = if config.api_key.is_some() { "with the operator's key" } else { "open to this machine alone" };
    Check::new("config", Outcome::Ok, format!("A host would listen on {}, {key}.", config.listen))
}

fn holder(config: &Config, sim: bool, folder: &Result<DataDir, Error>) -> Check {
    let path = data_folder(config, sim);
    match folder {
        Ok(_) => Check::new("folder", Outcome::Ok, format!("{} is free and can be written.", path.display())),
        Err(error) if error.kind() == ErrorKind::Conflict => {
            Check::new("folder", Outcome::Ok, format!("{} is in use by a running host.", path.display()))
        }
        Err(error) => Check::failed("folder", error),
    }
}

async fn store(config: &Config, sim: bool, folder: &Result<DataDir, Error>) -> Check {
    let path = database_in(&data_folder(config, sim));
    if !path.exists() {
        return Check::new("store", Outcome::Ok, "There is no database yet; the first start makes it.");
    }
    let opened = match folder {
        // Opened as a host does, but that nothing is done with what is in it.
        Ok(_) => SqliteStore::open(&path).await.map(drop),
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
        Err(_) => return Check::new("store", Outcome::Skipped, "The data folder cannot be opened."),
    };
    match opened.and_then(|()| SqliteStore::stored_tools(&path)) {
        Ok(tools) => {
            Check::new("store", Outcome::Ok, format!("The database can be read; it knows {} tools.", tools.len()))
        }
        Err(error) => Check::failed("store", &error),
    }
}

/// Whether outputs can be kept and given back.
async fn custody(config: &Config, sim: bool) -> Check {
    let name = "custody";
    let client = GuardedClient::new(app::guard(config));
    let opened = client.and_then(|client| app::custody(config, &data_folder(config, sim), name.to_owned(), client));
    let custody = match opened {
        Ok(Some(custody)) => custody,
        Ok(None) => return Check::new(name, Outcome::Ok, "Outputs stay where their services have them."),
        Err(error) => return Check::failed(name, &error),
    };
    match custody.check().await {
        Ok(()) => Check::new(name, Outcome::Ok, "Outputs can be kept, and read again."),
        Err(error) => Check::failed(name, &error),
    }
}

/// Whether each service answers with its key, and whether what they have can be priced.
async fn service(config: &Config, sim: bool) -> Vec<Check> {
    let service = if sim { Service::simulator(None) } else { Service::Configured };
    let unknown = |failed: Check| vec![failed, Check::new("prices", Outcome::Skipped, "The tools are not known.")];
    let (station, server) = match app::trial(config, service).await {
        Ok(trial) => trial,
        Err(error) => return unknown(Check::failed("service", &error)),
    };
    let asked = station.refresh().await;
    if let Some(server) = server {
        server.shutdown().await;
    }
    let snapshot = match asked {
        Ok(outcome) => outcome.snapshot,
        Err(error) => return unknown(Check::failed("service", &error)),
    };
    let admin = station.admin();
    let listed: Vec<_> =
        snapshot.tools().iter().filter(|tool| tool.definition().visibility == Visibility::Listed).collect();
    let is_alone = snapshot.providers().len() == 1;
    let mut checks: Vec<Check> = snapshot
        .providers()
        .iter()
        .map(|provider| {
            let of_it = listed.iter().filter(|tool| tool.definition().provider_id == provider.provider_id).count();
            let mut check = answer(provider, of_it);
            if !is_alone {
                check.message = format!("{}: {}", provider.provider_id, check.message);
            }
            check
        })
        .collect();
    let unpriced: Vec<&str> =
        listed.iter().filter(|tool| admin.rate(tool).is_err()).map(|tool| tool.definition().slug.as_str()).collect();
    checks.push(prices(config, listed.len(), &unpriced));
    checks
}

/// What one provider answered.
fn answer(provider: &ProviderStatus, tools: usize) -> Check {
    if let Some(failure) = &provider.error {
        return Check::new("service", Outcome::Failed, failure.message.clone());
    }
    let answered = format!("It answers with this key, and has {tools} tools.");
    match provider.warnings.split_first() {
        None => Check::new("service", Outcome::Ok, answered),
        Some((first, rest)) => {
            let more = if rest.is_empty() { String::new() } else { format!(" ({} more)", rest.len()) };
            Check::new("service", Outcome::Warning, format!("{answered} It is odd that: {first}{more}"))
        }
    }
}

/// Whether Telegram knows the bot, and whether anybody may speak to it.
async fn bot(config: &Config) -> Check {
    let name = "telegram";
    let telegram = match app::telegram_config(config, config.public_url.as_deref()) {
        Ok(Some(telegram)) => telegram,
        Ok(None) => return Check::new(name, Outcome::Ok, "There is no bot: telegram.token is not set."),
        Err(error) => return Check::failed(name, &error),
    };
    match telegram::bot_name(&telegram).await {
        Ok(bot) if telegram.allowed.is_empty() => {
            let message = format!("Telegram knows @{bot}, which serves no chat yet: telegram.allowed is empty.");
            Check::new(name, Outcome::Warning, message)
        }
        Ok(bot) => Check::new(name, Outcome::Ok, format!("Telegram knows @{bot}.")),
        Err(error) => Check::failed(name, &error),
    }
}

fn prices(config: &Config, tools: usize, unpriced: &[&str]) -> Check {
    if unpriced.is_empty() {
        return Check::new("prices", Outcome::Ok, format!("All of {tools} tools have a price."));
    }
    let named = unpriced.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    let more = unpriced.len().saturating_sub(NAMED_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let then = match config.unpriced {
        Unpriced::Refuse => "They are not run",
        Unpriced::Allow => "They run, and their cost is unknown",
    };
    let message = format!("{} of {tools} tools have no price: {named}{more}. {then}; see `rates`.", unpriced.len());
    Check::new("prices", Outcome::Warning, message)
}
