//! Prices of your own: a fifth more than the service asks, and never less than a cent. The model is the one that
//! `docs/guides/costs.md` builds; here it stands between the provider and its own prices.
//!
//! `cargo run -p stationthis-examples --bin margin`

// A crate of its own in the guide.
#[allow(unreachable_pub)]
#[path = "../../tests/guides/costs.rs"]
mod costs;

use std::sync::Arc;
use std::time::Duration;

use costs::Margin;
use serde_json::{Map, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Sim, SimConfig};
use stationthis_core::{CallerId, RunRequest, Secret, Station};

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> anyhow::Result<()> {
    let sim = Sim::serve(SimConfig::default()).await?;
    let provider = Arc::new(ComfyDeploy::builder(Secret::new("any-key")).base_url(sim.base_url()).build()?);
    // The provider is its own cost model; what is wrapped is that.
    let margin = Margin::new(provider.clone(), "1.2".parse()?, "0.01".parse()?);
    let station = Station::builder().provider_with_costs(provider, Arc::new(margin)).build()?;
    let handle = station.start().await?;
    station.refresh().await?;
    let caller = station.as_caller(CallerId::new("ada")?);

    let inputs = Map::from_iter([("prompt".to_owned(), json!("a red fox in the snow"))]);
    let task = caller.run(RunRequest::new("sdxl-portrait", inputs)).await?;
    let task = caller.wait(task.task_id, Duration::from_secs(60)).await?;
    let rate = task.cost_rate.as_ref().map(|rate| format!("{} USD a second: {}", rate.amount, rate.source));
    println!("rate  {}", rate.unwrap_or_default());
    println!("cost  {} USD", task.state.cost_usd.map_or_else(|| "unknown".to_owned(), |usd| usd.to_string()));

    handle.shutdown(Duration::from_secs(5)).await?;
    sim.shutdown().await;
    Ok(())
}
