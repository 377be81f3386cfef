//! How fast a queue of tasks drains, from acceptance to the last settled end, over a SQLite file and a provider that
//! answers at once: a short queue and a long one in turns.
//!
//! `drain [SHORT] [LONG] [ROUNDS]`, 1,000, 10,000 and 3 when not given.
// It is for people to read.
#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Map, json};
use stationthis_benches::median;
use stationthis_benches::provider::{AtOnce, TOOL};
use stationthis_core::store::SqliteStore;
use stationthis_core::task::report::RunStatus;
use stationthis_core::{CallerId, RunRequest, Station};

/// The workers of the host, as its own program has them.
const WORKERS: usize = 2;

/// The callers whose tasks wait in one queue.
const CALLERS: usize = 10;

/// The pause between two counts: counting a long queue takes a millisecond, which must not count against it.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest wait for the next task to end.
const STALL: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1).map(|word| word.parse::<usize>());
    let mut next = |default: usize| args.next().unwrap_or(Ok(default));
    let (short, long, rounds) = (next(1_000)?, next(10_000)?, next(3)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let (mut rates, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    for _ in 0..rounds {
        let (a, b) = (runtime.block_on(drain(short))?, runtime.block_on(drain(long))?);
        println!("{short} tasks: {a:.0}/s; {long} tasks: {b:.0}/s; ratio {:.2}", b / a);
        let [shorts, longs] = &mut rates;
        shorts.push(a);
        longs.push(b);
        ratios.push(b / a);
    }
    let [shorts, longs] = rates;
    println!("medians: {:.0}/s, {:.0}/s, ratio {:.2}", median(shorts), median(longs), median(ratios));
    Ok(())
}

/// Queues so many tasks, then starts the station; tasks a second until none is left.
async fn drain(count: usize) -> Result<f64> {
    let dir = tempfile::tempdir()?;
    let provider = Arc::new(AtOnce::new(RunStatus::Succeeded, "success")?);
    let build = || async {
        let store = Arc::new(SqliteStore::open(dir.path().join("bench.db")).await?);
        let station = Station::builder().provider(provider.clone()).store(store).instance("bench").build()?;
        Ok::<_, anyhow::Error>(station)
    };
    let queueing = build().await?;
    queueing.refresh().await?;
    let mut inputs = Map::new();
    inputs.insert("prompt".to_owned(), json!("a lighthouse"));
    let queued = (0..count).map(|nth| {
        let (queueing, inputs) = (queueing.clone(), inputs.clone());
        async move {
            let caller = CallerId::new(format!("caller-{}", nth % CALLERS))?;
            queueing.as_caller(caller).run(RunRequest::new(TOOL, inputs)).await
        }
    });
    futures_util::future::try_join_all(queued).await?;
    drop(queueing);

    let station = build().await?;
    let began = Instant::now();
    let handle = station.start().await?;
    let (mut left, mut moved) = (u64::MAX, Instant::now());
    while left > 0 {
        let now = station.stats().await?.tasks.iter().map(|(_, _, count)| count).sum();
        if now != left {
            (left, moved) = (now, Instant::now());
        } else if moved.elapsed() > STALL {
            bail!("{left} tasks do not end");
        }
        tokio::time::sleep(PAUSE).await;
    }
    let took = began.elapsed();
    handle.shutdown(Duration::from_secs(5)).await?;
    Ok(f64::from(u32::try_from(count)?) / took.as_secs_f64())
}
