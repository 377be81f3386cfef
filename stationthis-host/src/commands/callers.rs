//! `stationthis keys` and `stationthis notify`.

use serde_json::json;
use stationthis_core::Timestamp;
use stationthis_core::notify::NotifyTarget;

use crate::cli::callers::{CreateKeyArgs, KeysArgs, KeysCommand, NotifyArgs, NotifyCommand};
use crate::config::Config;
use crate::keys::{ApiKey, KeyWish};
use crate::output::table::table;

/// Makes, lists or revokes API keys.
///
/// # Errors
/// As [`Desk::create_key`](crate::desk::Desk::create_key) and its like.
pub async fn keys(config: &Config, args: &KeysArgs) -> anyhow::Result<()> {
    match &args.command {
        KeysCommand::Create(args) => create(config, args).await,
        KeysCommand::List { station } => {
            let desk = super::open(config, station).await?;
            let keys = desk.keys().await;
            desk.close().await?;
            print_keys(&keys?, station.json);
            Ok(())
        }
        KeysCommand::Revoke { key_id, station } => {
            let desk = super::open(config, station).await?;
            let key = desk.revoke_key(key_id).await;
            desk.close().await?;
            print_keys(&[key?], station.json);
            Ok(())
        }
    }
}

/// Only the key goes to standard output, so that a script can take it.
async fn create(config: &Config, args: &CreateKeyArgs) -> anyhow::Result<()> {
    let mut wish = KeyWish::new(args.caller.clone());
    wish.label.clone_from(&args.label);
    wish.expires_in_days = args.expires_in;
    let desk = super::open(config, &args.station).await?;
    let made = desk.create_key(wish).await;
    desk.close().await?;
    let made = made?;
    if args.station.json {
        let mut shown = json!(made.listed);
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("key".to_owned(), json!(made.key.expose()));
        }
        anstream::println!("{shown:#}");
        return Ok(());
    }
    anstream::eprintln!("key {} of {}; it is not shown again:", made.listed.key_id, made.listed.caller);
    anstream::println!("{}", made.key.expose());
    Ok(())
}

fn print_keys(keys: &[ApiKey], as_json: bool) {
    if as_json {
        anstream::println!("{:#}", json!({ "keys": keys }));
        return;
    }
    let now = Timestamp::now();
    let day = |at: Timestamp| at.to_string().get(..10).unwrap_or_default().to_owned();
    let rows = keys.iter().map(|key| {
        let state = match (key.revoked_at, key.expires_at) {
            (Some(at), _) => format!("revoked {}", day(at)),
            (None, Some(at)) if key.is_live(now) => format!("until {}", day(at)),
            (None, Some(at)) => format!("ended {}", day(at)),
            (None, None) => "live".to_owned(),
        };
        let label = key.label.clone().unwrap_or_default();
        [key.key_id.clone(), key.caller.to_string(), day(key.created_at), state, label]
    });
    anstream::println!("{}", table(["KEY", "CALLER", "MADE (UTC)", "STATE", "LABEL"], rows).trim_fmt());
}

/// Shows or sets whom a caller's tasks tell by default.
///
/// # Errors
/// As [`Desk::set_default_notify`](crate::desk::Desk::set_default_notify).
pub async fn notify(config: &Config, args: &NotifyArgs) -> anyhow::Result<()> {
    let station = match &args.command {
        NotifyCommand::Show { station, .. } | NotifyCommand::Set { station, .. } => station,
    };
    let desk = super::open(config, station).await?;
    let found = match &args.command {
        NotifyCommand::Show { caller, .. } => desk.default_notify(caller.as_ref()).await,
        NotifyCommand::Set { caller, targets, .. } => desk.set_default_notify(caller.as_ref(), targets).await,
    };
    desk.close().await?;
    print_targets(&found?, station.json);
    Ok(())
}

fn print_targets(targets: &[NotifyTarget], as_json: bool) {
    if as_json {
        anstream::println!("{:#}", json!({ "notify": targets }));
        return;
    }
    let rows = targets.iter().map(|target| [target.channel.clone(), target.address.clone()]);
    anstream::println!("{}", table(["CHANNEL", "ADDRESS"], rows).trim_fmt());
}
