//! A host that is killed by SIGKILL again and again under load, and what must be true after it.
//!
//! The simulated service is a process of its own, which outlives every host, as do the client and the receiver of
//! outgoing webhooks, which are in this one. Hooks are lost, doubled and reordered, answers to submissions are lost or
//! are a 500 although the run goes on. In the end the simulator's own books are held against the store.

mod account;
mod client;
mod host;
mod receiver;
mod simulator;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use stationthis_core::store::{SqliteStore, TaskStore};

pub use account::Account;
pub use simulator::{SIMULATE, simulate};

use client::Client;
use host::Host;
use receiver::Receiver;
use simulator::Simulator;

/// The tool that is run: on the service's GPU cloud, which tells the times of its runs.
const TOOL: &str = "sdxl-portrait";

/// Who asks: the operator of the host on this machine.
const CALLER: &str = "local";

/// How long the last host may take to bring everything to its end: some lookups and retries, on a busy machine.
const END_WAIT: Duration = Duration::from_secs(180);

/// The lives of a host, in milliseconds: the shortest end before it listens, the longest serve some dozen tasks.
const LIFE_MS: std::ops::Range<u64> = 60..2_200;

/// What is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// SIGKILLs.
    pub kills: u32,
    /// Requests.
    pub tasks: u32,
    /// Where the moments come from.
    pub seed: u64,
    /// The host.
    pub program: PathBuf,
}

impl Plan {
    /// Plays it.
    ///
    /// # Errors
    /// When a process cannot be started, or does not come to its end in time; what is wrong with tasks is in the
    /// [`Account`].
    pub async fn play(&self) -> Result<Account> {
        let began = Instant::now();
        let folder = tempfile::tempdir()?;
        let simulator = Simulator::spawn(self.seed).await?;
        let receiver = Receiver::serve().await?;
        let address = host::free_address()?;
        let client = Arc::new(Client::new(&address, &receiver.url())?);
        let env = host::environment(&address, &simulator.base_url);

        let pace = Duration::from_millis(u64::from(self.kills) * LIFE_MS.end / 2) / self.tasks.max(1);
        let load = tokio::spawn(client.clone().load(self.tasks, pace));
        let mut moments = Moments(self.seed);
        for _ in 0..self.kills {
            let host = Host::start(&self.program, folder.path(), &env)?;
            tokio::time::sleep(moments.life()).await;
            host.kill().await?;
        }
        let host = Host::start(&self.program, folder.path(), &env)?;
        let end = async {
            let asked = load.await??;
            client.all_ended(&asked).await?;
            receiver.all_told(&asked).await;
            anyhow::Ok(asked)
        };
        let asked = match tokio::time::timeout(END_WAIT, end).await {
            Ok(asked) => asked?,
            Err(_) => bail!("the last host does not come to an end:\n{}", log_of(folder.path())),
        };
        let killed = began.elapsed();
        host.terminate().await?;
        let unsigned = receiver.unsigned(&host::webhook_keys(&self.program, folder.path(), CALLER).await?);
        let path = folder.path().join("stationthis-data/stationthis.sqlite3");
        let store: Arc<dyn TaskStore> = Arc::new(SqliteStore::open(path).await?);
        let books = simulator.books().await?;
        let mut account = Account::of(self, store.as_ref(), &books, &receiver.told(), &asked, killed)
            .await
            .with_context(|| log_of(folder.path()))?;
        account
            .wrong
            .extend(unsigned.into_iter().map(|task| format!("{task}: a webhook is not signed as it should be")));
        Ok(account)
    }
}

/// The last of the hosts' log.
fn log_of(folder: &Path) -> String {
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().rev().take(40).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// How long each host lives.
struct Moments(u64);

impl Moments {
    fn life(&mut self) -> Duration {
        // A linear congruential generator is random enough for a moment.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(LIFE_MS.start + (self.0 >> 33) % (LIFE_MS.end - LIFE_MS.start))
    }
}
