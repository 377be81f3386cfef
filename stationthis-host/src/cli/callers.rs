//! The commands about callers.

use clap::{Args, Subcommand};
use stationthis_core::CallerId;
use stationthis_core::notify::NotifyTarget;

use crate::cli::StationArgs;
use crate::keys::EXPIRES_IN_DAYS_MAX;

/// Options of `keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key that acts for one caller. Its text is shown this once.
    Create(CreateKeyArgs),
    /// List the keys, revoked ones too.
    List {
        #[command(flatten)]
        #[allow(missing_docs)]
        station: StationArgs,
    },
    /// End a key: at once on a running host that is asked, within two seconds on others of the same store.
    Revoke {
        /// The key's id: what stands in it between the underscores.
        #[arg(value_name = "KEY_ID")]
        key_id: String,
        #[command(flatten)]
        #[allow(missing_docs)]
        station: StationArgs,
    },
}

/// Options of `keys create`.
#[derive(Debug, Args)]
pub struct CreateKeyArgs {
    /// Who requests with the key act for.
    #[arg(long, value_name = "NAME")]
    pub caller: CallerId,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// Days until it ends by itself; without them it does not.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=i64::from(EXPIRES_IN_DAYS_MAX)))]
    pub expires_in: Option<u32>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub station: StationArgs,
}

/// Options of `notify`.
#[derive(Debug, Args)]
pub struct NotifyArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: NotifyCommand,
}

/// What to do with default targets.
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// Show whom a caller's tasks tell about their end, besides those that a request names.
    Show {
        /// The caller; without a name, who asks.
        #[arg(long, value_name = "NAME")]
        caller: Option<CallerId>,
        #[command(flatten)]
        #[allow(missing_docs)]
        station: StationArgs,
    },
    /// Set whom a caller's tasks tell from now on, instead of those of before; none at all: nobody.
    Set {
        /// The caller; without a name, who asks.
        #[arg(long, value_name = "NAME")]
        caller: Option<CallerId>,
        /// Whom to tell, as `webhook:https://example.org/done`. Repeatable.
        #[arg(value_name = "CHANNEL[:ADDRESS]", value_parser = parse_target)]
        targets: Vec<NotifyTarget>,
        #[command(flatten)]
        #[allow(missing_docs)]
        station: StationArgs,
    },
}

fn parse_target(text: &str) -> Result<NotifyTarget, String> {
    let (channel, address) = text.split_once(':').unwrap_or((text, ""));
    if channel.is_empty() {
        return Err("a target is given as CHANNEL or CHANNEL:ADDRESS".to_owned());
    }
    Ok(NotifyTarget::new(channel, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_channel_and_perhaps_an_address() {
        assert_eq!(parse_target("log").unwrap(), NotifyTarget::new("log", ""));
        assert_eq!(parse_target("webhook:https://a.example:8/x").unwrap().address, "https://a.example:8/x");
        assert!(parse_target(":x").is_err());
    }
}
