//! How much memory and time the discovery of a large account takes: `discovery [WORKFLOWS]`, 2,000 when not given.
//!
//! The simulator runs in a process of its own, so that only the discovering side is counted.
// It is for people to read.
#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use stationthis_benches::memory::{Resident, mb};
use stationthis_benches::process::{SERVE, SimProcess, serve};
use stationthis_core::SystemClock;
use stationthis_core::registry::{RegistryPolicy, ToolRegistry};

/// The account that the target is about.
const WORKFLOWS: u32 = 2_000;

fn main() -> Result<()> {
    // As the host's.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut args = std::env::args().skip(1);
    match args.next() {
        Some(word) if word == SERVE => runtime.block_on(serve(args.next())),
        Some(count) => runtime.block_on(measure(count.parse()?)),
        None => runtime.block_on(measure(WORKFLOWS)),
    }
}

async fn measure(workflows: u32) -> Result<()> {
    let sim = SimProcess::spawn(workflows).await?;
    let provider = Arc::new(stationthis_benches::provider(&sim.base_url)?);
    let registry = ToolRegistry::new(vec![provider], Arc::new(SystemClock), RegistryPolicy::default())?;
    let before = Resident::own()?;
    let start = Instant::now();
    registry.refresh().await?;
    let seconds = start.elapsed().as_secs_f64();
    let after = Resident::own()?;
    println!("tools found       {:>8}", registry.snapshot().tools().len());
    println!("seconds           {seconds:>8.2}");
    println!("RSS before, MB    {:>8.1}", mb(before.now_kib));
    println!("peak growth, MB   {:>8.1}", mb(after.peak_kib.saturating_sub(before.now_kib)));
    println!("RSS after, MB     {:>8.1}", mb(after.now_kib));

    let start = Instant::now();
    registry.refresh().await?;
    let again = Resident::own()?;
    println!(
        "second refresh: {:.2} s, peak growth since the start {:.1} MB, RSS {:.1} MB",
        start.elapsed().as_secs_f64(),
        mb(again.peak_kib.saturating_sub(before.now_kib)),
        mb(again.now_kib)
    );
    Ok(())
}
