//! A hundred prompts at once: progress while they run, and what they came to at the end.
//!
//! `cargo run -p stationthis-examples --bin batch -- 100`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Sim, SimConfig, SimTiming};
use stationthis_core::station::Caller;
use stationthis_core::{CallerId, IdempotencyKey, RunRequest, Secret, Station, TaskId, Usd};

/// The tool.
const TOOL: &str = "sdxl-portrait";

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> anyhow::Result<()> {
    let count: usize = std::env::args().nth(1).map_or(Ok(100), |count| count.parse())?;
    let sim = Sim::serve(SimConfig { timing: SimTiming::instant(), ..SimConfig::default() }).await?;
    let provider = ComfyDeploy::builder(Secret::new("any-key")).base_url(sim.base_url()).build()?;
    let station = Station::builder().provider(Arc::new(provider)).build()?;
    let handle = station.start().await?;
    station.refresh().await?;
    let caller = station.as_caller(CallerId::new("ada")?);

    // Before the first run, or its news would be missed. All are accepted at once; the station keeps to its run slots.
    let mut updates = caller.events();
    let mut open = BTreeSet::new();
    for n in 1..=count {
        let inputs = Map::from_iter([("prompt".to_owned(), json!(format!("fox number {n} of {count}")))]);
        // The same batch again finds the same tasks, and pays nothing twice.
        let key = IdempotencyKey::new(format!("foxes-2026-11-{n}"))?;
        open.insert(caller.run(RunRequest::new(TOOL, inputs).with_idempotency_key(Some(key))).await?.task_id);
    }
    let tasks = open.clone();

    let mut shown = 0;
    while !open.is_empty() {
        match updates.next().await.context("the station was closed")? {
            Ok(update) if update.task.is_terminal() => drop(open.remove(&update.task.task_id)),
            Ok(_) => {}
            // More news than the stream holds: the tasks themselves say which have ended.
            Err(_) => open = still_open(&caller, &open).await?,
        }
        let done = (count - open.len()) * 10 / count.max(1);
        if done > shown {
            shown = done;
            println!("{:>3} %", done * 10);
        }
    }

    report(&caller, &tasks).await?;
    handle.shutdown(Duration::from_secs(5)).await?;
    sim.shutdown().await;
    Ok(())
}

async fn still_open(caller: &Caller, tasks: &BTreeSet<TaskId>) -> anyhow::Result<BTreeSet<TaskId>> {
    let mut open = BTreeSet::new();
    for id in tasks {
        if !caller.task(*id).await?.is_terminal() {
            open.insert(*id);
        }
    }
    Ok(open)
}

#[allow(clippy::print_stdout)]
async fn report(caller: &Caller, tasks: &BTreeSet<TaskId>) -> anyhow::Result<()> {
    let (mut ends, mut costs, mut unknown) = (BTreeMap::<String, usize>::new(), Vec::new(), 0);
    for id in tasks {
        let state = caller.task(*id).await?.state;
        *ends.entry(state.status.to_string()).or_default() += 1;
        match state.charged_usd() {
            Some(cost) => costs.push(cost),
            // Not known is not free: it is counted apart.
            None => unknown += 1,
        }
    }
    let total =
        costs.iter().try_fold(Usd::ZERO, |sum, cost| sum.checked_add(*cost)).context("more than can be added")?;
    for (end, count) in &ends {
        println!("{end:<10} {count:>5}");
    }
    println!("total      {total} USD for {} of them, {unknown} at a cost unknown", costs.len());
    if let (Some(least), Some(most)) = (costs.iter().min(), costs.iter().max()) {
        println!("each       {least} to {most} USD");
    }
    Ok(())
}
