//! One life of the host.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use stationthis_core::Secret;
use stationthis_core::notify::signing::SigningKeys;
use tokio::process::{Child, Command};

/// The longest wait for a host to stop: more than its own grace.
const STOP_WAIT: Duration = Duration::from_secs(30);

/// `stationthis serve` as a child; killed when dropped.
pub(super) struct Host(Child);

impl Host {
    /// Starts it in a folder; its log is appended to `log` there.
    pub(super) fn start(program: &Path, folder: &Path, env: &[(&str, String)]) -> Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log"))?;
        let child = Command::new(program)
            .arg("serve")
            .current_dir(folder)
            .env_clear()
            .envs(env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!("{}: build it with cargo build --release -p stationthis-host", program.display())
            })?;
        Ok(Self(child))
    }

    /// SIGKILL.
    pub(super) async fn kill(mut self) -> Result<()> {
        if let Some(status) = self.0.try_wait()? {
            bail!("the host ended by itself: {status}");
        }
        Ok(self.0.kill().await?)
    }

    /// SIGTERM.
    pub(super) async fn terminate(mut self) -> Result<()> {
        let id = self.0.id().context("the host has ended")?;
        // There is no safe call for this in the standard library.
        Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        let status = tokio::time::timeout(STOP_WAIT, self.0.wait()).await.context("the host does not stop")??;
        if status.success() { Ok(()) } else { bail!("the host ended with {status}") }
    }
}

/// The key that the host signs its webhooks to `caller` with, as it tells its operator.
pub(super) async fn webhook_keys(program: &Path, folder: &Path, caller: &str) -> Result<SigningKeys> {
    let told = Command::new(program)
        .args(["webhooks", "secret", "--caller", caller])
        .current_dir(folder)
        .env_clear()
        .output()
        .await?;
    if !told.status.success() {
        bail!("the secret is not told: {}", String::from_utf8_lossy(&told.stderr));
    }
    let secret = String::from_utf8(told.stdout)?;
    Ok(SigningKeys::new(Secret::new(secret.trim()))?)
}

/// What every life is told: short waits, so that it ends in minutes.
pub(super) fn environment(address: &str, provider_url: &str) -> Vec<(&'static str, String)> {
    [
        ("STATIONTHIS_LISTEN", address),
        ("STATIONTHIS_PUBLIC_URL", &format!("http://{address}")),
        ("STATIONTHIS_ALLOW_PRIVATE_TARGETS", "127.0.0.0/8"),
        ("STATIONTHIS_POLL_INTERVAL_MS", "100"),
        ("STATIONTHIS_LOOKUP_INTERVAL_MS", "300"),
        // The simulator makes its runs at once; a busy machine may take its time to hand over a request.
        ("STATIONTHIS_ABSENT_AFTER_MS", "6000"),
        ("COMFY_DEPLOY_API_KEY", "any-key"),
        ("COMFY_DEPLOY_API_URL", provider_url),
        ("RUST_LOG", "warn"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// An address of this machine that hosts can have one after the other: below the ports that the system hands out by
/// itself, which could go to somebody else between two lives.
pub(super) fn free_address() -> Result<String> {
    let first = 17_000 + u16::try_from(std::process::id() % 10_000)?;
    for port in first..first + 100 {
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(format!("127.0.0.1:{port}"));
        }
    }
    bail!("no port is free")
}
