//! Following tasks as they happen: the stream of updates, and how a reader that was too slow catches up.
//!
//! `cargo run -p stationthis-examples --bin watch`

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Sim, SimConfig};
use stationthis_core::station::Lagged;
use stationthis_core::task::event::Event;
use stationthis_core::{CallerId, RunRequest, Secret, Station};

/// Runs to watch.
const RUNS: usize = 3;

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> anyhow::Result<()> {
    let sim = Sim::serve(SimConfig::default()).await?;
    let provider = ComfyDeploy::builder(Secret::new("any-key")).base_url(sim.base_url()).build()?;
    let station = Station::builder().provider(Arc::new(provider)).build()?;
    let handle = station.start().await?;
    station.refresh().await?;
    let caller = station.as_caller(CallerId::new("ada")?);

    // Before the first run, or its first updates would be missed.
    let mut updates = caller.events();
    for n in 1..=RUNS {
        let inputs = Map::from_iter([("prompt".to_owned(), json!(format!("fox number {n}")))]);
        caller.run(RunRequest::new("sdxl-portrait", inputs)).await?;
    }

    let (mut ended, mut seen) = (BTreeSet::new(), 0);
    while ended.len() < RUNS {
        match updates.next().await {
            Some(Ok(update)) => {
                seen = update.seq;
                let state = &update.task.state;
                let progress = state.progress.map(|p| format!("{:.0} %", p.fraction() * 100.0)).unwrap_or_default();
                println!("{seen:>4} {} {} {progress}", update.task.task_id, state.status);
                if update.task.is_terminal() {
                    ended.insert(update.task.task_id);
                }
            }
            // What the stream lost is in the store: at most 500 events at a time, after the last one seen.
            Some(Err(Lagged(missed))) => {
                println!("{missed} updates missed");
                for stored in caller.events_after(None, seen).await? {
                    seen = stored.seq;
                    // Written in the same commit as the end.
                    if matches!(stored.event.what, Event::Settled { .. }) {
                        ended.insert(stored.task_id);
                    }
                }
            }
            None => break,
        }
    }

    handle.shutdown(Duration::from_secs(5)).await?;
    sim.shutdown().await;
    Ok(())
}
