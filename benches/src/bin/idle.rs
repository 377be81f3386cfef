//! How soon a host is ready from its stored catalogue, with its provider out of reach, and how much memory it then has.
//!
//! `idle [WORKFLOWS] [STARTS]`, 1,000 and 5 when not given. The host is the `stationthis` beside this program, or the
//! one that STATIONTHIS_BIN names.
// It is for people to read.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use stationthis_benches::median;
use stationthis_benches::memory::{Resident, mb};
use stationthis_benches::process::{HostProcess, SERVE, SimProcess, serve};

/// The catalogue that the target is about.
const WORKFLOWS: u32 = 1_000;
/// How often the host is started: the machine is noisy.
const STARTS: u32 = 5;
/// How long the host is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(2);
/// The longest wait for the first catalogue.
const DISCOVERY_WAIT: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut args = std::env::args().skip(1);
    match args.next() {
        Some(word) if word == SERVE => runtime.block_on(serve(args.next())),
        first => {
            let workflows = first.map_or(Ok(WORKFLOWS), |text| text.parse())?;
            let starts = args.next().map_or(Ok(STARTS), |text| text.parse())?;
            runtime.block_on(measure(workflows, starts))
        }
    }
}

async fn measure(workflows: u32, starts: u32) -> Result<()> {
    let program = match std::env::var_os("STATIONTHIS_BIN") {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?.with_file_name("stationthis"),
    };
    let data = tempfile::tempdir()?;
    let http = reqwest::Client::builder().no_proxy().build()?;

    let sim = SimProcess::spawn(workflows).await?;
    let provider = sim.base_url.clone();
    let host = HostProcess::spawn(&program, data.path(), &provider).await?;
    let first = tokio::time::timeout(DISCOVERY_WAIT, until_ready(&http, &host.url)).await.context("no catalogue")??;
    let discovered = Resident::of(host.pid)?;
    println!(
        "first start: {first} tools, RSS {:.1} MB, peak {:.1} MB",
        mb(discovered.now_kib),
        mb(discovered.peak_kib)
    );
    host.stop().await?;
    drop(sim);

    let mut all = Figures::default();
    for _ in 0..starts {
        all.add(&http, &program, data.path(), &provider, workflows).await?;
    }
    println!("medians of {starts} starts, {workflows} stored tools, provider out of reach:");
    println!("start to /readyz 200, ms                 {:>8.1}", median(all.ready_ms));
    println!("start to the list of all tools, ms       {:>8.1}", median(all.listed_ms));
    println!("the list's bytes                         {:>8}", all.list_bytes);
    println!("RSS after 2 s idle, MB                   {:>8.1}", median(all.idle_mb));
    println!("  of it heap and stacks, MB              {:>8.1}", median(all.idle_heap_mb));
    println!("RSS 2 s after listing all tools, MB      {:>8.1}", median(all.listed_mb));
    println!("threads                                  {:>8}", all.threads);
    Ok(())
}

#[derive(Debug, Default)]
struct Figures {
    ready_ms: Vec<f64>,
    listed_ms: Vec<f64>,
    idle_mb: Vec<f64>,
    idle_heap_mb: Vec<f64>,
    listed_mb: Vec<f64>,
    list_bytes: usize,
    threads: u64,
}

impl Figures {
    /// Two starts: one that is only asked whether it is ready, one whose tools are listed.
    async fn add(
        &mut self,
        http: &reqwest::Client,
        program: &Path,
        data: &Path,
        provider: &str,
        workflows: u32,
    ) -> Result<()> {
        let host = HostProcess::spawn(program, data, provider).await?;
        let tools = until_ready(http, &host.url).await?;
        self.ready_ms.push(host.started.elapsed().as_secs_f64() * 1e3);
        if tools != u64::from(workflows) {
            bail!("{tools} tools are served");
        }
        tokio::time::sleep(IDLE).await;
        let resident = Resident::of(host.pid)?;
        self.idle_mb.push(mb(resident.now_kib));
        self.idle_heap_mb.push(mb(resident.anonymous_kib));
        self.threads = resident.threads;
        host.stop().await?;

        let host = HostProcess::spawn(program, data, provider).await?;
        let answer = http.get(format!("{}/api/internal/tools", host.url)).send().await?.error_for_status()?;
        let body = answer.bytes().await?;
        self.listed_ms.push(host.started.elapsed().as_secs_f64() * 1e3);
        self.list_bytes = body.len();
        let list: Value = serde_json::from_slice(&body)?;
        let listed = list.get("tools").and_then(Value::as_array).map_or(0, Vec::len);
        if u32::try_from(listed)? != workflows {
            bail!("{listed} tools are listed");
        }
        tokio::time::sleep(IDLE).await;
        self.listed_mb.push(mb(Resident::of(host.pid)?.now_kib));
        host.stop().await
    }
}

/// Asks until the host is ready; how many tools it then has.
async fn until_ready(http: &reqwest::Client, url: &str) -> Result<u64> {
    loop {
        let answer = http.get(format!("{url}/readyz")).send().await?;
        if answer.status().is_success() {
            let body: Value = answer.json().await?;
            return body.get("tools").and_then(Value::as_u64).context("readyz names no number of tools");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
