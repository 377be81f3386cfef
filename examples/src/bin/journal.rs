//! A store of your own: a file of JSON lines, the one that `docs/guides/store.md` builds and `store_suite!` proves. Start
//! it twice with the same file: the second start still knows the first one's task.
//!
//! `cargo run -p stationthis-examples --bin journal -- tasks.jsonl`

// A crate of its own in the guide.
#[allow(unreachable_pub)]
#[path = "../../tests/guides/store.rs"]
mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Sim, SimConfig};
use stationthis_core::store::{MemoryStore, TaskQuery};
use stationthis_core::{CallerId, RunRequest, Secret, Station};
use store::JournalStore;

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> anyhow::Result<()> {
    let path = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "tasks.jsonl".to_owned()));
    let sim = Sim::serve(SimConfig::default()).await?;
    let provider = ComfyDeploy::builder(Secret::new("any-key")).base_url(sim.base_url()).build()?;
    let store = JournalStore::open(&path, MemoryStore::new()).await?;
    let station = Station::builder().provider(Arc::new(provider)).store(Arc::new(store)).instance("journal").build()?;
    let handle = station.start().await?;
    station.refresh().await?;
    let caller = station.as_caller(CallerId::new("ada")?);

    let inputs = Map::from_iter([("prompt".to_owned(), json!("a red fox in the snow"))]);
    let task = caller.run(RunRequest::new("sdxl-portrait", inputs)).await?;
    caller.wait(task.task_id, Duration::from_secs(60)).await?;
    for task in caller.list(TaskQuery::default()).await?.tasks {
        println!("{}  {}", task.task_id, task.state.status);
    }

    handle.shutdown(Duration::from_secs(5)).await?;
    sim.shutdown().await;
    Ok(())
}
