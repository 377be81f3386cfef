//! A simulated service, a folder, and a client that sees hosts come and go at one address.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use futures_util::future::OptionFuture;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{Books, Misbehaviour, Sim, SimConfig, SimMachine, SimServer, SimTiming};
use stationthis_core::store::{Claim, EventQuery, SqliteStore, TaskQuery, TaskStore};
use stationthis_core::task::event::TaskEvent;
use stationthis_core::{TaskRecord, Timestamp};
use tempfile::TempDir;

use crate::host::{Host, LOOK};

/// What the operator of the scene charges for a second on the machine that tells no GPU.
pub const CLASSIC_PRICE: &str = "0.0005";

/// The tool that takes a file, in the GPU cloud.
const WITH_FILE: &str = "image-restyle";

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000";

/// The waits of a search for a lost run, in milliseconds: some lookups of a simulator long, and not minutes.
const LOOKUP_INTERVAL_MS: u64 = 200;
const ABSENT_AFTER_MS: u64 = 600;

/// Far beyond what any scene needs: a host that hangs is a failure with its log, not a test that never ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where tools run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// In the service's GPU cloud: it tells the times of its runs.
    Serverless,
    /// Somebody's own computer: no start is ever told, and no run is cancelled.
    Classic,
}

impl Machine {
    const fn tool(self) -> &'static str {
        match self {
            Self::Serverless => "sdxl-portrait",
            Self::Classic => "workshop-sketch",
        }
    }
}

pub struct Scene {
    pub machine: Machine,
    /// Is a file one of the request's inputs?
    pub file: bool,
    sim: SimServer,
    folder: TempDir,
    http: reqwest::Client,
    base: String,
    env: Vec<(&'static str, String)>,
}

/// What one store holds after everything.
pub struct Kept {
    pub tasks: Vec<TaskRecord>,
    pub events: Vec<TaskEvent>,
    /// Notices that are neither delivered nor given up.
    pub untold: usize,
}

/// A run long enough to be seen running by polls, with every step.
pub fn timing() -> SimTiming {
    SimTiming { per_node: Duration::from_millis(60), ..SimTiming::fast() }
}

impl Scene {
    pub async fn new(machine: Machine, timing: SimTiming, misbehaviour: Misbehaviour) -> Self {
        let sim = Sim::serve(SimConfig { timing, misbehaviour, ..SimConfig::default() }).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let classic = SimMachine::Classic.id();
        let rates = format!(
            "source = \"test\"\n[rates]\n\"machine:{classic}\" = {{ amount = \"{CLASSIC_PRICE}\", unit = \"second\" }}\n"
        );
        std::fs::write(folder.path().join("rates.toml"), rates).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let base = format!("http://{address}");
        let env = vec![
            ("STATIONTHIS_LISTEN", address),
            ("STATIONTHIS_PUBLIC_URL", base.clone()),
            ("STATIONTHIS_RATES", "rates.toml".to_owned()),
            ("STATIONTHIS_POLL_INTERVAL_MS", "100".to_owned()),
            ("STATIONTHIS_LOOKUP_INTERVAL_MS", LOOKUP_INTERVAL_MS.to_string()),
            ("STATIONTHIS_ABSENT_AFTER_MS", ABSENT_AFTER_MS.to_string()),
            ("COMFY_DEPLOY_API_KEY", "any-key".to_owned()),
            ("COMFY_DEPLOY_API_URL", sim.base_url()),
        ];
        // Connections of a host that was killed are of no use with the next one.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Self { machine, file: false, sim, folder, http, base, env }
    }

    /// Sets a variable for every host from now on.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.env.push((name, value.to_owned()));
    }

    /// What is done in it, within reason.
    pub async fn play<T>(&self, what: &str, acts: impl Future<Output = T>) -> T {
        let Ok(done) = tokio::time::timeout(PATIENCE, acts).await else {
            panic!("{what} did not come to an end:\n{}", self.log());
        };
        done
    }

    pub fn host(&self, halt: Option<&str>) -> Host {
        Host::start(self.folder.path(), &self.env, halt)
    }

    pub fn books(&self) -> Books {
        self.sim.sim.books()
    }

    /// Until the service itself has ended every run that it has.
    pub async fn runs_ended(&self) {
        while !self.books().runs.iter().all(|run| run.is_final()) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Sends the one request of the scene, as often as it takes to reach a host that knows the tool; its file before it,
    /// each time anew.
    pub async fn run(&self) -> Value {
        let path = format!("/api/internal/run/{}", if self.file { WITH_FILE } else { self.machine.tool() });
        loop {
            let inputs = if self.file { self.upload().await } else { Some(json!({ "prompt": "a red fox" })) };
            let request = self.http.post(format!("{}{path}", self.base)).header("idempotency-key", "the-one");
            let request = inputs.map(|inputs| request.json(&json!({ "inputs": inputs })));
            if let Some(Ok(answer)) = OptionFuture::from(request.map(reqwest::RequestBuilder::send)).await {
                let status = answer.status();
                let text = answer.text().await.unwrap();
                // The catalogue comes a moment after the port.
                if status.as_u16() != 404 {
                    assert!(status.is_success(), "{status} {text}");
                    return serde_json::from_str(&text).unwrap();
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Sends the file; the inputs that name it, or nothing while no host answers.
    async fn upload(&self) -> Option<Value> {
        let form = Form::new().part("file", Part::bytes(PNG).file_name("cat.png"));
        let answer = self.http.post(format!("{}/api/internal/files", self.base)).multipart(form).send().await.ok()?;
        assert!(answer.status().is_success(), "{}", answer.status());
        Some(json!({ "input_image": answer.json::<Value>().await.ok()?["uri"] }))
    }

    pub async fn cancel(&self, id: &str) {
        self.ask(Method::POST, &format!("{id}/cancel")).await;
    }

    /// Until the task is at `status`.
    pub async fn reached(&self, id: &str, status: &str) {
        loop {
            let task = self.ask(Method::GET, id).await;
            if task["status"] == status {
                return;
            }
            assert!(task["times"]["endedAt"].is_null(), "it ended before it was {status}: {task}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Until the task has ended and that was told.
    pub async fn ended(&self, id: &str) {
        while self.ask(Method::GET, &format!("{id}?wait=30")).await["times"]["endedAt"].is_null() {}
        while self.told(id).is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn ask(&self, method: Method, path: &str) -> Value {
        let answer =
            self.http.request(method, format!("{}/api/internal/tasks/{path}", self.base)).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.json().await.unwrap()
    }

    /// The ids of the notices that reached the log, in order.
    pub fn told(&self, id: &str) -> Vec<String> {
        let log = self.log();
        let lines = log.lines().filter(|line| line.contains("task ended") && line.contains(id));
        lines.map(|line| line.split_once("notice_id=").unwrap().1.split(' ').next().unwrap().to_owned()).collect()
    }

    /// The data folder of every host.
    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("stationthis-data")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// What the store holds; no host may be running.
    pub async fn kept(&self) -> Kept {
        let store = SqliteStore::open(self.data().join("stationthis.sqlite3")).await.unwrap();
        let tasks = store.list(&TaskQuery::default()).await.unwrap().tasks;
        let events = store.events(&EventQuery::default()).await.unwrap();
        let days = Duration::from_secs(3 * 24 * 3600);
        let claim = Claim { owner: "test".to_owned(), now: Timestamp::now().plus(days), lease: days, limit: 10 };
        let untold = store.claim_notices(&claim).await.unwrap().items.len();
        Kept { tasks, events: events.into_iter().map(|stored| stored.event).collect(), untold }
    }
}

/// A port of this machine that hosts can have one after the other: below those that the system hands out by itself,
/// which could go to somebody else between two lives. Each test process has a block of its own, wide enough for every
/// scene of this file.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 15_000 + u16::try_from(std::process::id() % 150).unwrap() * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::SeqCst);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
