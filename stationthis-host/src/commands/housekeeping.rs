//! `stationthis prune`, `backup` and `restore`.

use anyhow::Context;
use serde_json::json;
use stationthis_core::Timestamp;

use crate::app;
use crate::cli::operate::{BackupArgs, PruneArgs, RestoreArgs};
use crate::commands::report;
use crate::config::Config;
use crate::housekeeping;

/// Forgets old tasks.
///
/// # Errors
/// As [`Desk::prune`](crate::desk::Desk::prune).
pub async fn prune(config: &Config, args: &PruneArgs) -> anyhow::Result<()> {
    let desk = super::open(config, &args.station).await?;
    let pruned = desk.prune(args.older_than).await;
    desk.close().await?;
    let pruned = pruned?;
    if args.station.json {
        anstream::println!("{:#}", json!(pruned));
    } else {
        let (tasks, events, outputs) = (pruned.pruned, pruned.events, pruned.outputs);
        report::line(
            "pruned",
            &format!("{tasks} tasks that ended, {events} events of users, {outputs} outputs, before {}", pruned.before),
        );
    }
    Ok(())
}

/// Copies the database: of a running host, or of the data folder when none runs.
///
/// # Errors
/// As [`Backups::make`](housekeeping::Backups::make); a path where a bare name is needed.
pub async fn backup(config: &Config, args: &BackupArgs) -> anyhow::Result<()> {
    let made = if args.station.host.is_some() {
        let name = args.file.to_str().context("a running host takes a bare file name")?;
        super::open(config, &args.station).await?.backup(name).await?
    } else {
        // No station: its start would go on with the tasks.
        housekeeping::back_up(&app::data_dir(config, args.station.sim)?, &args.file).await?
    };
    if args.station.json {
        anstream::println!("{:#}", json!(made));
    } else {
        report::line("backup", &format!("{} ({} bytes)", made.path.display(), made.bytes));
    }
    Ok(())
}

/// Puts a backup in the place of the database, while no host runs.
///
/// # Errors
/// As [`housekeeping::restore`].
pub async fn restore(config: &Config, args: &RestoreArgs) -> anyhow::Result<()> {
    let data = app::data_dir(config, args.folder.sim)?;
    let done = housekeeping::restore(&data, &args.file, args.force, Timestamp::now()).await?;
    if args.folder.json {
        anstream::println!("{:#}", json!(done));
        return Ok(());
    }
    report::line("restored", &done.database.display().to_string());
    if let Some(aside) = &done.moved_aside {
        report::line("aside", &aside.display().to_string());
    }
    Ok(())
}
