//! A station inside a program: tasks in a SQLite file, a simulated service, one run from request to result.
//!
//! `cargo run -p stationthis-examples --bin embed -- "a red fox in the snow"`

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Sim, SimConfig};
use stationthis_core::store::SqliteStore;
use stationthis_core::{CallerId, IdempotencyKey, RunRequest, Secret, Station};

/// Longer than any run of the simulator; a real cold start may take minutes.
const WAIT: Duration = Duration::from_secs(60);

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> anyhow::Result<()> {
    let prompt = std::env::args().nth(1).unwrap_or_else(|| "a red fox in the snow".to_owned());

    // The service. For the real one leave out `base_url` and give your key.
    let sim = Sim::serve(SimConfig::default()).await?;
    let provider = ComfyDeploy::builder(Secret::new("any-key")).base_url(sim.base_url()).build()?;

    // The station. The file may be there already: tasks of an earlier run are still in it.
    let path = std::env::temp_dir().join("stationthis-embed-example.sqlite3");
    let station = Station::builder()
        .provider(Arc::new(provider))
        .store(Arc::new(SqliteStore::open(&path).await?))
        .instance("embed-example")
        .build()?;
    let handle = station.start().await?;
    station.refresh().await?;

    // Everything is asked as somebody: tasks belong to a caller, and no caller sees another's.
    let caller = station.as_caller(CallerId::new("ada")?);
    for tool in caller.tools().tools() {
        println!("tool     {}", tool.definition().slug);
    }

    let inputs = Map::from_iter([("prompt".to_owned(), json!(prompt))]);
    let quote = caller.quote("sdxl-portrait", &inputs)?.quote;
    println!("at most  {} USD", quote.ceiling_usd.context("the tool has no ceiling")?);

    // Durable when `run` returns. The same key again would find this task instead of making a second one.
    let key = IdempotencyKey::new(format!("embed-example-{}", std::process::id()))?;
    let request = RunRequest::new("sdxl-portrait", inputs).with_idempotency_key(Some(key));
    let task = caller.run(request).await?;
    println!("task     {}", task.task_id);

    let task = caller.wait(task.task_id, WAIT).await?;
    println!("status   {}", task.state.status);
    match task.state.cost_usd {
        Some(cost) => println!("cost     {cost} USD"),
        // Unknown is not zero: the settlement may have a bound.
        None => println!("cost     unknown, at most {:?}", task.state.settlement.and_then(|s| s.bound_usd)),
    }
    for output in &task.state.outputs {
        println!("output   {:?} {}", output.kind, output.url.as_deref().unwrap_or_default());
    }

    handle.shutdown(Duration::from_secs(5)).await?;
    sim.shutdown().await;
    Ok(())
}
