//! Chaining: the picture of one tool goes into the next, and a program that died in between goes on where it was.
//!
//! `cargo run -p stationthis-examples --bin chain -- "a red fox in the snow"`

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Sim, SimConfig};
use stationthis_core::station::Caller;
use stationthis_core::task::output::OutputKind;
use stationthis_core::{CallerId, IdempotencyKey, RunRequest, Secret, Station, TaskRecord, TaskStatus};

/// Longer than any run of the simulator; a real cold start may take minutes.
const WAIT: Duration = Duration::from_secs(60);

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> anyhow::Result<()> {
    let prompt = std::env::args().nth(1).unwrap_or_else(|| "a red fox in the snow".to_owned());
    let sim = Sim::serve(SimConfig::default()).await?;
    let provider = ComfyDeploy::builder(Secret::new("any-key")).base_url(sim.base_url()).build()?;
    let station = Station::builder().provider(Arc::new(provider)).build()?;
    let handle = station.start().await?;
    station.refresh().await?;
    let caller = station.as_caller(CallerId::new("ada")?);

    // The name of the whole. Each step's key is made of it: with a store that lasts, a second start of this program finds
    // the steps that were made, and waits for them instead of paying again.
    let name = "fox-poster-1";
    let draft = step(&caller, name, 1, "sdxl-portrait", json!({ "prompt": prompt }), None).await?;
    let picture = draft.state.outputs.iter().find(|output| output.kind == OutputKind::Image);
    let picture = picture.and_then(|output| output.url.clone()).context("the first step gave no picture")?;

    // Outputs are URLs with an end; the next step is asked for at once, or the URL anew (`Caller::outputs_now`).
    let inputs = json!({ "input_image": picture, "prompt": "the same as a woodcut" });
    let poster = step(&caller, name, 2, "image-restyle", inputs, Some(&draft)).await?;
    ensure!(poster.inputs_sent.get("input_image") == Some(&Value::from(picture)), "it was made of another picture");

    let costs = [&draft, &poster].map(|task| task.state.cost_usd);
    let total = costs[0].zip(costs[1]).and_then(|(a, b)| a.checked_add(b));
    println!("both     {} USD", total.map_or_else(|| "unknown".to_owned(), |usd| usd.to_string()));

    handle.shutdown(Duration::from_secs(5)).await?;
    sim.shutdown().await;
    Ok(())
}

/// One step to its end; the task of the step before is noted on it.
#[allow(clippy::print_stdout)]
async fn step(
    caller: &Caller,
    name: &str,
    number: u32,
    tool: &str,
    inputs: Value,
    after: Option<&TaskRecord>,
) -> anyhow::Result<TaskRecord> {
    let inputs = inputs.as_object().cloned().unwrap_or_default();
    let mut notes = Map::from_iter([("chain".to_owned(), json!(name)), ("step".to_owned(), json!(number))]);
    notes.extend(after.map(|task| ("after".to_owned(), json!(task.task_id))));
    let request = RunRequest::new(tool, inputs)
        .with_idempotency_key(Some(IdempotencyKey::new(format!("{name}-{number}"))?))
        .with_metadata(notes);
    let task = caller.run(request).await?;
    let task = caller.wait(task.task_id, WAIT).await?;
    ensure!(task.state.status == TaskStatus::Completed, "step {number} is {}", task.state.status);
    let url = task.state.outputs.first().and_then(|output| output.url.as_deref()).unwrap_or_default();
    println!("step {number}   {tool}: {url}");
    Ok(task)
}
