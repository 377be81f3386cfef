//! How many webhooks a second a host answers durably, how soon, and whether it loses one; beside a reference server,
//! in turns.
//!
//! `hooks [--tasks N] [--burst N] [--rounds N] [--seconds N] [--connections A,B] [--against NAME=URL ...
//! --body FILE --signature HEX]`
// It is for people to read.
#![allow(clippy::print_stdout)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use stationthis_benches::hooks::books;
use stationthis_benches::hooks::load::{self, Outcome, Requests, Until};
use stationthis_benches::hooks::server::{self, SERVE, Server};
use stationthis_benches::median;
use stationthis_benches::provider::Callback;

/// The workers of the host, as its own program has them.
const WORKERS: usize = 2;

#[derive(Debug)]
struct Args {
    tasks: usize,
    burst: u64,
    burst_connections: Vec<usize>,
    rounds: usize,
    seconds: u64,
    connections: Vec<usize>,
    against: Vec<(String, String)>,
    body: Option<PathBuf>,
    signature: String,
}

impl Args {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut args = Self {
            tasks: 500,
            burst: 5_000,
            burst_connections: vec![64, 500],
            rounds: 5,
            seconds: 3,
            connections: vec![1, 64],
            against: Vec::new(),
            body: None,
            signature: String::new(),
        };
        let list = |text: &str| text.split(',').map(|word| Ok(word.parse()?)).collect::<Result<Vec<usize>>>();
        while let Some(name) = words.next() {
            let value = words.next().with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--tasks" => args.tasks = value.parse()?,
                "--burst" => args.burst = value.parse()?,
                "--burst-connections" => args.burst_connections = list(&value)?,
                "--rounds" => args.rounds = value.parse()?,
                "--seconds" => args.seconds = value.parse()?,
                "--connections" => args.connections = list(&value)?,
                "--against" => {
                    let (name, url) = value.split_once('=').context("--against NAME=URL")?;
                    args.against.push((name.to_owned(), url.to_owned()));
                }
                "--body" => args.body = Some(value.into()),
                "--signature" => args.signature = value,
                _ => bail!("{name} is not known"),
            }
        }
        Ok(args)
    }
}

/// What is measured in turns.
struct Entrant {
    name: String,
    address: SocketAddr,
    requests: Requests,
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    if words.peek().is_some_and(|word| word == SERVE) {
        let (dir, tasks) = (words.nth(1).context("which folder?")?, words.next().context("how many tasks?")?);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
        return runtime.block_on(server::serve(dir.as_ref(), tasks.parse()?));
    }
    let args = Args::parse(words)?;
    // One thread: the load shares the cores with what it measures.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(&args))
}

async fn measure(args: &Args) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut host = Server::spawn(dir.path(), args.tasks).await?;
    let mut entrants =
        vec![Entrant { name: "host".to_owned(), address: host.address, requests: hooks(host.callbacks.clone()) }];
    for (name, url) in &args.against {
        entrants.push(reference(name, url, args)?);
    }
    let mut sent = 0;
    let mut accepted = 0;
    for connections in &args.burst_connections {
        let Some(entrant) = entrants.first() else { continue };
        let outcome =
            load::run(entrant.address, entrant.requests.clone(), *connections, Until::Sent(args.burst), sent).await?;
        let (left, ms) = host.idle().await?;
        print_one(&format!("burst of {} over {connections} connections", args.burst), &outcome);
        println!("  {left} webhooks were left to process; that took {ms} ms");
        sent += args.burst;
        accepted += outcome.accepted();
    }
    for connections in &args.connections {
        let mut rounds: Vec<Vec<Outcome>> = entrants.iter().map(|_| Vec::new()).collect();
        for _ in 0..args.rounds {
            for (entrant, outcomes) in entrants.iter().zip(&mut rounds) {
                let until = Until::Passed(Duration::from_secs(args.seconds));
                let outcome = load::run(entrant.address, entrant.requests.clone(), *connections, until, sent).await?;
                sent += u64::try_from(outcome.count())? + u64::try_from(*connections)?;
                print_one(&format!("{} at {connections}", entrant.name), &outcome);
                if entrant.name == "host" {
                    accepted += outcome.accepted();
                    let (left, ms) = host.idle().await?;
                    println!("  {left} webhooks were left to process; that took {ms} ms");
                }
                outcomes.push(outcome);
            }
        }
        print_medians(*connections, &entrants, &rounds);
    }
    host.kill().await?;
    let books = books::read(dir.path(), args.tasks).await?;
    println!("answered 2xx {accepted}; after a kill and a new start: {books:?}");
    if books.counted != accepted || books.in_events != accepted || books.kept + books.ignored != accepted {
        bail!("webhooks were lost or counted twice");
    }
    Ok(())
}

fn print_one(what: &str, outcome: &Outcome) {
    println!(
        "{what}: {:.0}/s, p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms, {:?}",
        outcome.rate(),
        outcome.latency_ms(500),
        outcome.latency_ms(990),
        outcome.latency_ms(1000),
        outcome.statuses
    );
}

/// Medians, and the medians of the ratios to the host within each round.
fn print_medians(connections: usize, entrants: &[Entrant], rounds: &[Vec<Outcome>]) {
    let Some(host) = rounds.first() else { return };
    for (entrant, outcomes) in entrants.iter().zip(rounds) {
        let of = |value: &dyn Fn(&Outcome) -> f64| median(outcomes.iter().map(value).collect());
        let ratio = |value: &dyn Fn(&Outcome) -> f64| {
            median(host.iter().zip(outcomes).map(|(host, other)| value(host) / value(other)).collect())
        };
        println!(
            "== {} at {connections}: {:.0}/s, p50 {:.1} ms, p99 {:.1} ms; host's rate {:.2} of it, p99 {:.2}",
            entrant.name,
            of(&Outcome::rate),
            of(&|outcome| outcome.latency_ms(500)),
            of(&|outcome| outcome.latency_ms(990)),
            ratio(&Outcome::rate),
            ratio(&|outcome| outcome.latency_ms(990)),
        );
    }
}

/// Webhooks as ComfyDeploy sends them, about 1 KB, no two alike, of each task in turn.
fn hooks(callbacks: Vec<Callback>) -> Requests {
    let count = u64::try_from(callbacks.len()).unwrap_or(1).max(1);
    Arc::new(move |nth| {
        let at = usize::try_from(nth % count).unwrap_or_default();
        let Some(Callback { path, run }) = callbacks.get(at) else { return Vec::new() };
        let step = nth / count;
        let output = |name: &str| {
            format!(
                r#"{{"id": "{run}-{name}", "output_id": "final", "run_id": "{run}", "data": {{"images": [{{"url": "https://assets.example.com/outputs/runs/{run}/{name}_00001_.png", "type": "output", "filename": "{name}_00001_.png", "is_public": true, "subfolder": "", "upload_duration": 0.6368604309998318}}]}}, "node_meta": {{"node_id": "4"}}, "created_at": "2026-11-23T22:11:04.800000Z", "type": null}}"#
            )
        };
        let body = format!(
            r#"{{"event_type": "run.updated", "status": "running", "live_status": "Executing KSampler {nth}", "progress": 0.{:04}, "run_id": "{run}", "outputs": [{}, {}]}}"#,
            step % 10_000,
            output("first"),
            output("second")
        );
        format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: */*\r\n\
             Accept-Encoding: gzip, deflate\r\nUser-Agent: Python/3.12 aiohttp/3.12.15\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    })
}

/// A server that takes one signed body at one path.
fn reference(name: &str, url: &str, args: &Args) -> Result<Entrant> {
    let rest = url.strip_prefix("http://").context("--against needs an http:// URL")?;
    let (address, path) = rest.split_once('/').context("--against needs a path")?;
    let body = std::fs::read_to_string(args.body.as_ref().context("--against needs --body")?)?;
    let request = format!(
        "POST /{path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nAccept: */*\r\n\
         x-webhook-signature: {}\r\nContent-Length: {}\r\n\r\n{body}",
        args.signature,
        body.len()
    )
    .into_bytes();
    Ok(Entrant { name: name.to_owned(), address: address.parse()?, requests: Arc::new(move |_| request.clone()) })
}
