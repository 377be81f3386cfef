//! One request to each of three services with the same code: pictures by the second on a GPU, films by a table of
//! seconds asked for, 3D models by the credits that the service takes. Three tools, three cost models, one loop, one report.
//!
//! `cargo run -p stationthis-examples --bin three_services`

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use stationthis_comfydeploy::{ComfyDeploy, sim as comfydeploy};
use stationthis_core::{CallerId, RunRequest, Secret, Station, Usd};
use stationthis_tripo::{Tripo, sim as tripo};
use stationthis_vidu::{Vidu, sim as vidu};

/// Longer than any of the scripted runs.
const WAIT: Duration = Duration::from_secs(60);

/// What is asked for: a tool of any service, and its inputs.
fn wishes() -> [(&'static str, Value); 3] {
    let prompt = "a red fox in the snow";
    [
        ("sdxl-portrait", json!({ "prompt": prompt })),
        ("vidu-q3-turbo-text-to-video", json!({ "prompt": prompt, "duration": 6, "resolution": "720p" })),
        ("text-to-3d-tripo-v3-1", json!({ "prompt": prompt })),
    ]
}

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> anyhow::Result<()> {
    // The services. For the real ones leave out the addresses and give your keys; the rest stays as it is.
    let pictures = comfydeploy::Sim::serve(comfydeploy::SimConfig::default()).await?;
    let films = vidu::Sim::serve("vda_key").await?;
    let models = tripo::Sim::serve(tripo::SimConfig::instant()).await?;
    let station = Station::builder()
        .provider(Arc::new(ComfyDeploy::builder(Secret::new("any")).base_url(pictures.base_url()).build()?))
        .provider(Arc::new(Vidu::builder(Secret::new("vda_key")).base_url(films.base_url()).build()?))
        .provider(Arc::new(Tripo::builder(Secret::new("tsk_any")).base_url(models.base_url()).build()?))
        .build()?;
    let handle = station.start().await?;
    station.refresh().await?;
    let caller = station.as_caller(CallerId::new("ada")?);

    let mut tasks = Vec::new();
    for (tool, inputs) in wishes() {
        let inputs = inputs.as_object().cloned().unwrap_or_default();
        tasks.push(caller.run(RunRequest::new(tool, inputs)).await?);
    }

    println!("{:<12} {:<10} {:>12} {:>14} {:>14} {:<14} what", "service", "end", "at most", "used", "cost", "known by");
    let mut total = Usd::ZERO;
    for task in tasks {
        let task = caller.wait(task.task_id, WAIT).await?;
        let state = &task.state;
        let settled = state.settlement.as_ref().context("it has not ended")?;
        let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
        let used = settled.amount.map(|amount| format!("{} {}", amount.normalize(), word(json!(settled.unit))));
        let usd = |usd: Option<Usd>| usd.map_or_else(|| "unknown".to_owned(), |usd| usd.to_string());
        println!(
            "{:<12} {:<10} {:>12} {:>14} {:>14} {:<14} {}",
            task.service_name,
            state.status,
            usd(task.quote.ceiling_usd),
            used.unwrap_or_default(),
            usd(state.cost_usd),
            word(json!(settled.basis)),
            state.outputs.iter().map(|output| word(json!(output.kind))).collect::<Vec<_>>().join(", "),
        );
        total = state.cost_usd.and_then(|cost| total.checked_add(cost)).context("the total is not known")?;
    }
    println!("{:<12} {total} USD", "total");

    handle.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}
