//! A worker without HTTP: jobs come from a list, ends are found by asking, and a restart goes on where it was.
//!
//! No public URL, so no service can call back; polls alone find every end. Each line of standard input is a job, `NAME
//! PROMPT`; the same name is the same job, also after a restart.
//!
//! `printf 'fox a red fox\nowl a snowy owl\n' | cargo run -p stationthis-examples --bin worker -- /tmp/worker.sqlite3`

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Sim, SimConfig};
use stationthis_core::store::SqliteStore;
use stationthis_core::{CallerId, IdempotencyKey, RunRequest, Secret, Station};

/// How often the worker says what is still open.
const LOOK: Duration = Duration::from_secs(2);

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("name the database file")?;
    let sim = Sim::serve(SimConfig::default()).await?;
    let provider = ComfyDeploy::builder(Secret::new("any-key")).base_url(sim.base_url()).build()?;
    let station = Station::builder()
        .provider(Arc::new(provider))
        .store(Arc::new(SqliteStore::open(&path).await?))
        // A name of its own that stays: what its former self held is taken back at once.
        .instance("worker-1")
        .build()?;
    // From here on also the tasks of an earlier life go on.
    let handle = station.start().await?;
    station.refresh().await?;
    let caller = station.as_caller(CallerId::new("worker")?);

    let mut jobs = Vec::new();
    for line in std::io::read_to_string(std::io::stdin())?.lines().filter(|line| !line.trim().is_empty()) {
        let (name, prompt) = line.trim().split_once(' ').with_context(|| format!("no prompt in {line:?}"))?;
        let inputs = Map::from_iter([("prompt".to_owned(), json!(prompt))]);
        let request = RunRequest::new("sdxl-portrait", inputs).with_idempotency_key(Some(IdempotencyKey::new(name)?));
        let task = caller.run(request).await?;
        println!("{name}: {}", if task.is_terminal() { "was done before" } else { "accepted" });
        jobs.push((name.to_owned(), task.task_id));
    }

    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    'jobs: for (name, id) in jobs {
        loop {
            let task = tokio::select! {
                task = caller.wait(id, LOOK) => task?,
                // What runs goes on at the service; the next start finds it.
                _ = &mut stop => break 'jobs,
            };
            if task.is_terminal() {
                let cost = task.state.cost_usd.map_or_else(|| "unknown".to_owned(), |cost| cost.to_string());
                println!("{name}: {} for {cost} USD", task.state.status);
                break;
            }
            println!("{name}: {}", task.state.status);
        }
    }
    // Gives the calls under way their time; what is not done by then is on record.
    handle.shutdown(Duration::from_secs(10)).await?;
    sim.shutdown().await;
    Ok(())
}
