//! Pruning, backing up, restoring.

mod backups;
mod restore;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stationthis_core::station::Station;
use stationthis_core::store::SqliteStore;
use stationthis_core::{Error, ErrorKind, Result, Timestamp};

use crate::custody::ObjectCustody;
use crate::data_dir::DataDir;
use crate::user_events::UserEvents;

pub use backups::{Backup, Backups};
pub use restore::{Restored, restore};

/// Copies the database of a data folder that no host has open; see [`Backups::make_at`].
///
/// # Errors
/// As [`Backups::make_at`]; `NotFound` when there is no database.
pub async fn back_up(data: &DataDir, path: &Path) -> Result<Backup> {
    if !data.database().exists() {
        return Err(Error::new(ErrorKind::NotFound, "back up the store")
            .with_message(format!("{} is not there: no host has run over this folder.", data.database().display())));
    }
    let store = SqliteStore::open(data.database()).await?;
    Backups::new(Arc::new(store), data.backups()).make_at(path).await
}

/// A century: more is a typing error.
pub const PRUNE_DAYS_MAX: u32 = 36_500;

/// What was pruned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Pruned {
    /// How many tasks were forgotten.
    pub pruned: usize,
    /// How many events of users were forgotten.
    #[serde(default)]
    pub events: usize,
    /// How many outputs were removed from custody.
    #[serde(default)]
    pub outputs: usize,
    /// The tasks had ended before this, and the events were older.
    pub before: Timestamp,
}

/// Forgets tasks that ended more than so many days before `now` (see [`Station::prune`]), what users did before that, and
/// what was kept before that of tasks that are not there any more.
///
/// # Errors
/// `InvalidInput` for no days at all or more than [`PRUNE_DAYS_MAX`]; `StoreUnavailable`.
pub async fn prune(station: &Station, custody: Option<&ObjectCustody>, days: u32, now: Timestamp) -> Result<Pruned> {
    if days == 0 || days > PRUNE_DAYS_MAX {
        return Err(Error::new(ErrorKind::InvalidInput, "prune tasks")
            .with_message(format!("The age is 1 to {PRUNE_DAYS_MAX} days.")));
    }
    let before = now.minus(Duration::from_secs(24 * 3600).saturating_mul(days));
    let pruned = station.prune(before).await?;
    let events = UserEvents::new(station.clone()).prune(before).await?;
    let outputs = match custody {
        Some(custody) => custody.sweep(station, before).await?,
        None => 0,
    };
    Ok(Pruned { pruned, events, outputs, before })
}
