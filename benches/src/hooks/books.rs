//! What the store says afterwards.

use std::path::Path;

use anyhow::Result;
use stationthis_core::store::{PAGE_MAX, TaskQuery};
use stationthis_core::task::event::Event;

use crate::hooks::server;

/// The webhooks of all tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// That the tasks counted.
    pub counted: u64,
    /// Of them such as changed a task.
    pub kept: u64,
    /// Of them copies, and such as said nothing new.
    pub ignored: u64,
    /// That stand in the tasks' events.
    pub in_events: u64,
}

/// Starts a station over the store that a killed host left, lets it process what is there, and counts.
///
/// # Errors
/// When the store cannot be read.
pub async fn read(dir: &Path, runs: usize) -> Result<Books> {
    let (station, handle, _) = server::station(dir, runs, "http://127.0.0.1:9").await?;
    server::idle(&station).await?;
    handle.shutdown(std::time::Duration::from_secs(5)).await?;
    let mut books = Books::default();
    let (admin, mut before) = (station.admin(), None);
    loop {
        let mut query = TaskQuery::default();
        (query.limit, query.before) = (PAGE_MAX, before);
        let page = admin.list(query).await?;
        for task in &page.tasks {
            let counters = task.state.counters;
            books.counted += u64::from(counters.webhooks);
            books.kept += u64::from(counters.webhooks_kept);
            books.ignored += u64::from(counters.webhooks_ignored);
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let mut after = 0;
    loop {
        let events = admin.events_after(None, after).await?;
        let Some(last) = events.last() else { return Ok(books) };
        after = last.seq;
        for stored in &events {
            if let Event::WebhookReceived { copies, .. } = &stored.event.what {
                books.in_events += u64::from(*copies);
            }
        }
    }
}
