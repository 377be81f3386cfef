//! The first start over a store that was restored from a backup.

use crate::error::{Error, ErrorKind, Result};
use crate::station::engine::Engine;
use crate::store::{LeaseChange, PAGE_MAX, Put, RESTORED_DOCUMENT, TaskQuery};
use crate::task::event::Event;
use crate::task::state::TaskStatus;
use crate::time::Timestamp;

/// Puts every task that waits to be submitted in doubt: the host that the backup was made of may have submitted it
/// since. Nothing is submitted again; the runs that there are, are looked for. Does nothing over any other store.
pub(crate) async fn after_restore(engine: &Engine) -> Result<()> {
    let (namespace, key) = RESTORED_DOCUMENT;
    let Some(document) = engine.store.get_document(namespace, key).await? else { return Ok(()) };
    let backup_at: Option<Timestamp> = serde_json::from_slice(&document.bytes)
        .map_err(|e| Error::new(ErrorKind::Corrupt, "read the mark of a restored store").with_source(e))?;
    let Some(backup_at) = backup_at else { return Ok(()) };
    let statuses = vec![TaskStatus::Accepted, TaskStatus::Submitting];
    let mut query = TaskQuery { statuses, limit: PAGE_MAX, ..TaskQuery::default() };
    let mut count = 0_usize;
    loop {
        let page = engine.store.list(&query).await?;
        for task in page.tasks {
            engine.apply_one(task, Event::Restored { backup_at }, LeaseChange::Keep).await?;
            count += 1;
        }
        match page.next {
            Some(next) => query.before = Some(next),
            None => break,
        }
    }
    tracing::warn!(%backup_at, count, "the store was restored from a backup; what waited in it is looked for first");
    // The mark is taken off last: a crash before that does the same again, which changes nothing.
    match engine.store.put_document(namespace, key, Some(document.version), bytes::Bytes::from_static(b"null")).await? {
        Put::Done(_) | Put::Stale(_) => Ok(()),
    }
}
