//! The simulated service, in a process of its own.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use stationthis_comfydeploy::sim::{Misbehaviour, Sim, SimConfig, SimTiming};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Mutex;

/// The argument that makes this program a simulator.
pub const SIMULATE: &str = "simulate";

/// How long each kind of misbehaviour lasts: every host meets several.
const MOOD: Duration = Duration::from_millis(250);

/// One run, as the simulator knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunTruth {
    pub(super) id: String,
    pub(super) webhook: Option<String>,
    pub(super) status: String,
    pub(super) is_final: bool,
    /// From start to end of the work.
    pub(super) running_micros: Option<u64>,
}

/// The simulator as its parent sees it; ends when it is dropped, and with this process.
pub(super) struct Simulator {
    pub(super) base_url: String,
    child: Mutex<(Child, Lines<BufReader<ChildStdout>>)>,
}

impl Simulator {
    /// Starts this program again as a simulator.
    pub(super) async fn spawn(seed: u64) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([SIMULATE, &seed.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().context("no output to read")?;
        let mut lines = BufReader::new(output).lines();
        let base_url = lines.next_line().await?.context("the simulator says nothing")?;
        Ok(Self { base_url, child: Mutex::new((child, lines)) })
    }

    /// Its books as of now.
    pub(super) async fn books(&self) -> Result<Vec<RunTruth>> {
        let mut guard = self.child.lock().await;
        let (child, lines) = &mut *guard;
        child.stdin.as_mut().context("the simulator has no input")?.write_all(b"books\n").await?;
        let line = lines.next_line().await?.context("the simulator says nothing of its books")?;
        Ok(serde_json::from_str(&line)?)
    }
}

/// Is the simulator: prints its base URL, and its books for every line of standard input, until that ends.
///
/// # Errors
/// When no port can be bound or `seed` is no number.
pub async fn simulate(seed: Option<String>) -> Result<()> {
    let seed = seed.context("which seed?")?.parse()?;
    let timing = SimTiming { per_node: Duration::from_millis(60), ..SimTiming::fast() };
    let server = Sim::serve(SimConfig { seed, timing, misbehaviour: mood(0), ..SimConfig::default() }).await?;
    say(&server.base_url());
    let sim = server.sim.clone();
    let moods = tokio::spawn(async move {
        for nth in 1_u64.. {
            tokio::time::sleep(MOOD).await;
            sim.set_misbehaviour(mood(nth));
        }
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while lines.next_line().await?.is_some() {
        let books = server.sim.books();
        let truths: Vec<RunTruth> = books
            .runs
            .iter()
            .map(|run| RunTruth {
                id: run.id.clone(),
                webhook: run.webhook.clone(),
                status: run.status.clone(),
                is_final: run.is_final(),
                running_micros: run.running.and_then(|time| u64::try_from(time.as_micros()).ok()),
            })
            .collect();
        say(&serde_json::to_string(&truths)?);
    }
    moods.abort();
    Ok(())
}

/// What is wrong with the service for a while: webhooks always, and something else in turn.
fn mood(nth: u64) -> Misbehaviour {
    let hooks =
        Misbehaviour { hooks_lost: 0.3, hooks_duplicated: 0.2, hooks_reordered: 0.2, ..Misbehaviour::default() };
    match nth % 8 {
        1 => Misbehaviour { queue_drop_answer: true, ..hooks },
        2 => Misbehaviour { early_hook: true, ..hooks },
        3 => Misbehaviour { queue_500_but_runs: true, ..hooks },
        4 => Misbehaviour { queue_slow: Some(Duration::from_millis(500)), ..hooks },
        5 => Misbehaviour { run_fails: true, duplicate_failed: true, ..hooks },
        6 => Misbehaviour { get_run_500: 2, ..hooks },
        7 => Misbehaviour { queue_drop_request: true, ..hooks },
        _ => hooks,
    }
}

/// The parent reads it.
#[allow(clippy::print_stdout)]
fn say(line: &str) {
    println!("{line}");
}
