//! The bot as it is served, over a fake Bot API on HTTP and the simulator.

#[path = "telegram/answers.rs"]
mod answers;
#[path = "telegram/chats.rs"]
mod chats;
#[path = "telegram/contract.rs"]
mod contract;
#[path = "telegram/conversation.rs"]
mod conversation;
#[path = "telegram/fake.rs"]
pub mod fake;
#[path = "telegram/limits.rs"]
mod limits;
#[path = "telegram/menus.rs"]
mod menus;
#[path = "telegram/once.rs"]
mod once;
#[path = "telegram/pictures.rs"]
mod pictures;
#[path = "telegram/pushed.rs"]
mod pushed;
#[path = "telegram/rules.rs"]
pub mod rules;
#[path = "telegram/world.rs"]
pub mod world;

use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{Sim, SimConfig, SimServer, SimTiming};
use stationthis_core::station::Caller;
use stationthis_core::store::TaskQuery;
use stationthis_core::task::TaskRecord;
use stationthis_core::{Secret, Timestamp};
use stationthis_host::app::Service;
use stationthis_host::config::Config;
use stationthis_host::files::{FileLimits, Files};
use stationthis_host::outgoing::{Guard, GuardedClient};
use stationthis_host::outputs::Outputs;
use stationthis_host::telegram::Limits;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bench::Bench;
use fake::{Fake, TOKEN};
use world::{FASTER, Said};

/// Ana's own chat has her id.
pub const ANA: (i64, &str) = (77, "Ana");
pub const BEN: (i64, &str) = (78, "Ben");
/// Who is not let in.
pub const EVE: (i64, &str) = (79, "Eve");
/// A group with a topic.
pub const GROUP: i64 = -1_001_234_567_890;
pub const TOPIC: i64 = 7;

/// A host with a bot, a service, and a Telegram. The latter two outlive the host.
pub struct Scene {
    pub fake: Fake,
    pub sim: SimServer,
    pub bench: Bench,
    stop: CancellationToken,
    serving: JoinHandle<stationthis_core::Result<()>>,
}

pub fn slow() -> SimTiming {
    SimTiming { cold_start: std::time::Duration::from_secs(600), ..SimTiming::instant() }
}

impl Scene {
    pub async fn new(timing: SimTiming) -> Self {
        let sim = Sim::serve(SimConfig { timing, ..SimConfig::default() }).await.unwrap();
        Self::with(sim).await
    }

    pub async fn with(sim: SimServer) -> Self {
        let fake = Fake::start().await;
        fake.change(|state| {
            for (id, _) in [ANA, BEN, EVE] {
                state.world.open(id, "private");
            }
            state.world.open(GROUP, "supergroup").topics.push(TOPIC);
        });
        Self::over(tempfile::tempdir().unwrap(), fake, sim).await
    }

    async fn over(dir: TempDir, fake: Fake, sim: SimServer) -> Self {
        let bench = Bench::over(config(&dir, &fake, &sim), dir, Service::Configured, None).await;
        bench.app.station().refresh().await.unwrap();
        let stop = CancellationToken::new();
        let (bot, station) = (bench.app.telegram().unwrap().clone(), bench.app.station().clone());
        let serving = tokio::spawn({
            let stop = stop.clone();
            async move { bot.serve(station, stop).await }
        });
        Self { fake, sim, bench, stop, serving }
    }

    /// Stops the host as a signal does.
    async fn stop(self) -> (TempDir, Fake, SimServer) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
        (self.bench.close().await, self.fake, self.sim)
    }

    pub async fn restart(self) -> Self {
        let (dir, fake, sim) = self.stop().await;
        Self::over(dir, fake, sim).await
    }

    pub async fn end(self) {
        let fake = self.fake.clone();
        self.stop().await;
        fake.check();
    }

    /// Somebody writes; the number of the message.
    pub fn write(&self, chat: i64, who: (i64, &str), text: &str) -> i64 {
        self.write_more(chat, who, text, json!({}))
    }

    pub fn write_more(&self, chat: i64, who: (i64, &str), text: &str, more: Value) -> i64 {
        self.fake.change(|state| state.world.write(chat, who, text, more))
    }

    /// What the bot says in answer to a message, the `nth` of it.
    pub async fn said(&self, chat: i64, to: i64, nth: usize) -> Said {
        let what = format!("answer {nth} to message {to}");
        self.fake
            .until(&what, |state| state.world.of_bot(chat).filter(|said| said.reply_to == Some(to)).nth(nth).cloned())
            .await
    }

    /// Writes, and gives what is said to it.
    pub async fn ask(&self, chat: i64, who: (i64, &str), text: &str) -> String {
        let message = self.write(chat, who, text);
        self.said(chat, message, 0).await.text
    }

    /// What the bot says in a message, once that contains something.
    pub async fn reads(&self, chat: i64, message: i64, part: &str) -> Said {
        self.fake
            .until(part, |state| {
                state.world.of_bot(chat).find(|said| said.id == message && said.text.contains(part)).cloned()
            })
            .await
    }

    pub fn caller(&self, who: (i64, &str)) -> Caller {
        let name = format!("telegram-{}", who.0);
        self.bench.app.station().as_caller(stationthis_core::CallerId::new(name).unwrap())
    }

    pub async fn tasks(&self, who: (i64, &str)) -> Vec<TaskRecord> {
        self.caller(who).list(TaskQuery::default()).await.unwrap().tasks
    }

    /// Every update so far was seen through.
    pub async fn caught_up(&self) {
        self.fake.until("the last update to be confirmed", |state| state.world.updates.is_empty().then_some(())).await;
    }
}

/// Where the bot keeps what people send.
pub fn files(dir: &TempDir) -> Files {
    let limits = FileLimits::new(50 << 20, 1 << 30, std::time::Duration::from_secs(86_400));
    Files::open(dir.path().join("files"), limits, Timestamp::now()).unwrap()
}

/// What fetches outputs for it.
pub fn outputs(guard: Guard) -> Outputs {
    Outputs::new(GuardedClient::new(guard).unwrap())
}

fn config(dir: &TempDir, fake: &Fake, sim: &SimServer) -> Config {
    let mut config = crate::bench::config(dir);
    config.comfydeploy.api_url = sim.base_url();
    config.comfydeploy.api_key = Some(Secret::new("any"));
    config.poll_interval_ms = Some(100);
    config.telegram.token = Some(Secret::new(TOKEN));
    config.telegram.api_url.clone_from(&fake.url);
    config.telegram.allowed = vec![ANA.0, BEN.0, GROUP];
    config.telegram.limits = Limits::default().faster(FASTER);
    config
}
