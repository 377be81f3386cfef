//! Removing what no task is left of.

use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use stationthis_core::station::Station;
use stationthis_core::{ErrorKind, Result, TaskId, Timestamp};

use super::{ObjectCustody, unusable};

/// From when on what is half written is nobody's any more: no attempt lasts an hour.
const PARTIAL_AGE: Duration = Duration::from_secs(24 * 3600);

impl ObjectCustody {
    /// Removes outputs that were kept before `before` of tasks that are not there any more, and what a host that died was
    /// writing. Gives how many outputs that were. Only what this host kept is looked at.
    ///
    /// # Errors
    /// `StoreUnavailable`; what was removed until then is gone.
    pub async fn sweep(&self, station: &Station, before: Timestamp) -> Result<usize> {
        if let Some(folder) = &self.0.folder {
            let own = folder.join(&self.0.host_id);
            // Cannot fail but by a panic; then they are removed another time.
            let _ = tokio::task::spawn_blocking(move || remove_partial(&own)).await;
        }
        let root = Path::from(self.0.host_id.as_str());
        let mut listed = self.0.store.list(Some(&root));
        let (mut removed, mut last) = (0_usize, None);
        while let Some(object) = listed.next().await {
            let object = object.map_err(unusable)?;
            let old = object.last_modified.timestamp_micros() < before.as_micros();
            let Some(task) = task_of(&object.location).filter(|_| old) else { continue };
            // Those of one task come one after the other.
            let there = match last {
                Some((known, there)) if known == task => there,
                _ => exists(station, task).await?,
            };
            last = Some((task, there));
            if !there {
                self.0.store.delete(&object.location).await.map_err(unusable)?;
                removed = removed.saturating_add(1);
            }
        }
        Ok(removed)
    }
}

async fn exists(station: &Station, task: TaskId) -> Result<bool> {
    match station.admin().task(task).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The task in `{host}/{caller}/{task}/{name}`; none in what is no output.
fn task_of(location: &Path) -> Option<TaskId> {
    let parts: Vec<_> = location.parts().collect();
    let [_, _, task, _] = parts.as_slice() else { return None };
    task.as_ref().parse().ok()
}

/// Removes files that are written beside the ones that they become, as `object_store` names them (`NAME#1`), where whoever
/// wrote them is long gone.
fn remove_partial(folder: &FilePath) {
    let is_old = |path: &PathBuf| {
        let changed = path.metadata().and_then(|about| about.modified()).unwrap_or_else(|_| SystemTime::now());
        changed.elapsed().is_ok_and(|age| age >= PARTIAL_AGE)
    };
    for path in [folder.to_owned()].into_iter().flat_map(entries).flat_map(entries).flat_map(entries) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let partial = name.rsplit_once('#').is_some_and(|(_, number)| number.bytes().all(|b| b.is_ascii_digit()));
        if partial && is_old(&path) {
            // Another time, if not now.
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn entries(folder: PathBuf) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}
