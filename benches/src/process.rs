//! Child processes of the measuring programs: a simulator and a host, so that their memory is not counted with ours.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use stationthis_comfydeploy::sim::{Sim, SimCatalogue, SimConfig};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// The longest wait for a child's first line: a debug build on a busy machine takes some seconds.
const FIRST_LINE_WAIT: Duration = Duration::from_secs(60);

/// The longest wait for a host to stop: more than its own grace.
const STOP_WAIT: Duration = Duration::from_secs(15);

/// The argument that makes a measuring program a simulator.
pub const SERVE: &str = "serve";

/// A simulator in a process of its own; ends when it is dropped, and with this process.
#[derive(Debug)]
pub struct SimProcess {
    /// What a client takes as its base URL.
    pub base_url: String,
    _child: Child,
}

impl SimProcess {
    /// Starts this program again as a simulator of `count` workflows; its `main` hands the argument [`SERVE`] to
    /// [`serve`].
    ///
    /// # Errors
    /// When the child cannot be started or says nothing.
    pub async fn spawn(count: u32) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([SERVE, &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (base_url, _) = first_line(&mut child).await?;
        Ok(Self { base_url, _child: child })
    }
}

/// Is the simulator: prints its base URL and serves until standard input ends.
///
/// # Errors
/// When no port can be bound or `count` is no number.
pub async fn serve(count: Option<String>) -> Result<()> {
    let count = count.context("how many workflows?")?.parse()?;
    let server = Sim::serve(SimConfig { catalogue: SimCatalogue::sized(count), ..SimConfig::default() }).await?;
    // The parent reads it.
    #[allow(clippy::print_stdout)]
    {
        println!("{}", server.base_url());
    }
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// A running host.
#[derive(Debug)]
pub struct HostProcess {
    /// `http://ADDRESS:PORT`.
    pub url: String,
    /// Its process id.
    pub pid: u32,
    /// When it was started.
    pub started: Instant,
    child: Child,
    /// Kept open: the host would fail to print.
    _output: BufReader<ChildStdout>,
}

impl HostProcess {
    /// Starts `stationthis serve` on a free port and waits until it says where it listens.
    ///
    /// # Errors
    /// When the host does not come up.
    pub async fn spawn(program: &Path, data_dir: &Path, provider_url: &str) -> Result<Self> {
        let started = Instant::now();
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .env("COMFY_DEPLOY_API_URL", provider_url)
            .env("COMFY_DEPLOY_API_KEY", "simulated")
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!("{}: build it with cargo build --release -p stationthis-host", program.display())
            })?;
        let pid = child.id().context("the host ended at once")?;
        let (line, output) = first_line(&mut child).await?;
        let url = line.strip_prefix("listening on ").with_context(|| format!("the host said {line:?}"))?.to_owned();
        Ok(Self { url, pid, started, child, _output: output })
    }

    /// Asks it to end, as a service manager does, and waits until it has.
    ///
    /// # Errors
    /// When it does not end in time or fails.
    pub async fn stop(mut self) -> Result<()> {
        // There is no safe call for this in the standard library.
        Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await?;
        let status = tokio::time::timeout(STOP_WAIT, self.child.wait()).await.context("the host does not stop")??;
        if !status.success() {
            bail!("the host ended with {status}");
        }
        Ok(())
    }
}

async fn first_line(child: &mut Child) -> Result<(String, BufReader<ChildStdout>)> {
    let mut output = BufReader::new(child.stdout.take().context("no output to read")?);
    let mut line = String::new();
    tokio::time::timeout(FIRST_LINE_WAIT, output.read_line(&mut line)).await.context("the child says nothing")??;
    Ok((line.trim().to_owned(), output))
}
