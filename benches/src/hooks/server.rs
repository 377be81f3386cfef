//! The host that is measured, in a process of its own: the real router and server over a station with SQLite.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Map, json};
use stationthis_core::store::SqliteStore;
use stationthis_core::task::report::RunStatus;
use stationthis_core::{CallerId, Policy, RunRequest, Secret, Station, StationHandle, TaskStatus};
use stationthis_host::http::{self, HttpConfig, server::ServerLimits};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_util::sync::CancellationToken;

use crate::provider::{AtOnce, Callback, TOOL};

/// The argument that makes a measuring program the host.
pub const SERVE: &str = "serve";

/// The question of the other process: answer when every webhook is processed.
const IDLE: &str = "idle";

/// The name of the station: it takes back what its former self held.
const INSTANCE: &str = "bench";

/// Runs that are older than a burst are polled this seldom; so are these, which are new.
const POLL_PAUSE: Duration = Duration::from_secs(30);

/// The longest wait for the host to have submitted its tasks, or to have processed its webhooks.
const WAIT: Duration = Duration::from_secs(120);

/// The pause between two looks at the store.
const PAUSE: Duration = Duration::from_millis(5);

/// A station over `dir`'s database, with room for `runs` runs.
///
/// # Errors
/// `StoreUnavailable`.
pub async fn station(dir: &Path, runs: usize, public_url: &str) -> Result<(Station, StationHandle, Arc<AtOnce>)> {
    let provider = Arc::new(AtOnce::new(RunStatus::Running, "running")?);
    let mut policy = Policy::default();
    policy.runs_max = runs;
    policy.poll_interval_min = POLL_PAUSE;
    policy.poll_interval_max = POLL_PAUSE;
    let station = Station::builder()
        .provider(provider.clone())
        .store(Arc::new(SqliteStore::open(dir.join("bench.db")).await?))
        .callback_keys(stationthis_core::webhook::CallbackKeys::new("k1", Secret::new("b".repeat(32)))?)
        .public_url(Some(public_url.to_owned()))
        .policy(policy)
        .instance(INSTANCE)
        .build()?;
    let handle = station.start().await?;
    Ok((station, handle, provider))
}

/// Is the host: prints its address and the callbacks of `tasks` running tasks, and answers `IDLE` until standard
/// input ends.
///
/// # Errors
/// When it cannot serve.
pub async fn serve(dir: &Path, tasks: usize) -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (station, _handle, provider) = station(dir, tasks, &format!("http://{address}")).await?;
    station.refresh().await?;
    let caller = CallerId::new("local")?;
    let mut inputs = Map::new();
    inputs.insert("prompt".to_owned(), json!("a lighthouse"));
    for _ in 0..tasks {
        station.as_caller(caller.clone()).run(RunRequest::new(TOOL, inputs.clone())).await?;
    }
    let at_service = |status: TaskStatus| matches!(status, TaskStatus::Queued | TaskStatus::Running);
    let waited = Instant::now();
    loop {
        let live = station.stats().await?.tasks;
        let count: u64 = live.iter().filter(|(_, status, _)| at_service(*status)).map(|(_, _, count)| count).sum();
        if usize::try_from(count)? == tasks {
            break;
        }
        if waited.elapsed() > WAIT {
            bail!("{count} tasks were submitted");
        }
        tokio::time::sleep(PAUSE).await;
    }
    let mut text = format!("{address}\n");
    for callback in provider.callbacks().iter() {
        text.push_str(&format!("{} {}\n", callback.path, callback.run));
    }
    text.push('\n');
    say(&text).await?;
    let router = http::router(station.clone(), &HttpConfig::new(caller));
    let stop = CancellationToken::new();
    tokio::spawn(http::server::serve(listener, router, ServerLimits::default(), stop, Duration::ZERO));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if line == IDLE {
            let (left, took) = idle(&station).await?;
            say(&format!("{left} {}\n", took.as_millis())).await?;
        }
    }
    Ok(())
}

/// Waits until every webhook is processed: how many were left, and how long it took.
///
/// # Errors
/// When it takes too long.
pub async fn idle(station: &Station) -> Result<(u64, Duration)> {
    let (began, first) = (Instant::now(), station.stats().await?.inbox);
    while station.stats().await?.inbox > 0 {
        if began.elapsed() > WAIT {
            bail!("webhooks are not processed");
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok((first, began.elapsed()))
}

async fn say(text: &str) -> Result<()> {
    let mut output = tokio::io::stdout();
    output.write_all(text.as_bytes()).await?;
    output.flush().await?;
    Ok(())
}

/// The host as the measuring process sees it. Dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its tasks.
    pub callbacks: Vec<Callback>,
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts this program again as the host.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn spawn(dir: &Path, tasks: usize) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .arg(dir)
            .arg(tasks.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (input, output) = (child.stdin.take().context("no input")?, child.stdout.take().context("no output")?);
        let mut output = BufReader::new(output).lines();
        let address = output.next_line().await?.context("the host ended")?.parse()?;
        let mut callbacks = Vec::with_capacity(tasks);
        while let Some(line) = output.next_line().await?.filter(|line| !line.is_empty()) {
            let (path, run) = line.split_once(' ').context("a callback has a path and a run")?;
            callbacks.push(Callback { path: path.to_owned(), run: run.to_owned() });
        }
        Ok(Self { address, callbacks, child, input, output })
    }

    /// Waits until it has processed every webhook: how many were left, and how many milliseconds it took.
    ///
    /// # Errors
    /// When the host is gone.
    pub async fn idle(&mut self) -> Result<(u64, u64)> {
        self.input.write_all(format!("{IDLE}\n").as_bytes()).await?;
        let line = self.output.next_line().await?.context("the host ended")?;
        let (left, ms) = line.split_once(' ').context("two numbers")?;
        Ok((left.parse()?, ms.parse()?))
    }

    /// Kills it, as a crash does.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await?;
        Ok(())
    }
}
