//! `stationthis callback-keys` and `stationthis webhooks`: keys in the data folder. A running host does not mind: it
//! has read them at its start.

use serde_json::json;
use stationthis_core::{CallerId, Timestamp};

use crate::app::data_folder;
use crate::cli::{CallbackKeysArgs, FolderArgs, KeyAction, WebhooksAction, WebhooksArgs};
use crate::config::Config;
use crate::data_dir::{KeyFile, StoredKeys};
use crate::output::table::table;

/// Lists, rotates or revokes the keys of callback URLs.
///
/// # Errors
/// As [`KeyFile`]'s methods.
pub fn callback_keys(config: &Config, args: &CallbackKeysArgs) -> anyhow::Result<()> {
    let file = KeyFile::callback(&data_folder(config, args.folder.sim));
    keys(&file, &args.action, &args.folder)
}

/// Prints a caller's secret, or lists, rotates or revokes the master keys of outgoing webhooks.
///
/// # Errors
/// As [`KeyFile`]'s methods; `InvalidInput` for what is no caller's name.
pub fn webhooks(config: &Config, args: &WebhooksArgs) -> anyhow::Result<()> {
    let file = KeyFile::webhooks(&data_folder(config, args.folder.sim));
    match &args.action {
        WebhooksAction::Secret { caller } => secret(&file, caller, args.folder.json),
        WebhooksAction::Keys(action) => keys(&file, action, &args.folder),
    }
}

fn secret(file: &KeyFile, caller: &str, json: bool) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let keys = file.open()?.signing_keys(now)?.for_caller(&CallerId::new(caller)?)?;
    // The newest: the one that goes on.
    let secret = keys.secrets(now).next().map(stationthis_core::Secret::expose).unwrap_or_default();
    if json {
        anstream::println!("{:#}", json!({ "caller": caller, "secret": secret }));
    } else {
        anstream::println!("{secret}");
    }
    Ok(())
}

fn keys(file: &KeyFile, action: &KeyAction, args: &FolderArgs) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let keys = match action {
        KeyAction::List => file.open()?,
        KeyAction::Rotate => file.rotate(now)?,
        KeyAction::Revoke { key } => file.revoke(key, now)?,
    };
    print(&keys, now, args.json);
    if !matches!(action, KeyAction::List) {
        anstream::eprintln!("A host takes this over at its next start.");
    }
    Ok(())
}

fn print(keys: &StoredKeys, now: Timestamp, json: bool) {
    if json {
        let list = keys.iter(now).map(|(key, state)| {
            json!({ "keyId": key.id, "state": state.as_str(), "createdAt": key.created_at, "until": key.until })
        });
        anstream::println!("{:#}", json!({ "keys": list.collect::<Vec<_>>() }));
        return;
    }
    let time = |at: Option<Timestamp>| {
        let text = at.map(|at| at.to_string()).unwrap_or_default();
        text.get(..19).unwrap_or(&text).replace('T', " ")
    };
    let rows = keys
        .iter(now)
        .map(|(key, state)| [key.id.clone(), state.as_str().to_owned(), time(key.created_at), time(key.until)]);
    anstream::println!("{}", table(["KEY", "STATE", "CREATED (UTC)", "UNTIL (UTC)"], rows).trim_fmt());
}
