//! A station with custody in a folder, a storage, and a host in front.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stationthis_core::custody::{Custody, KeepRequest, Kept};
use stationthis_core::station::{RunRequest, Station};
use stationthis_core::task::output::Output;
use stationthis_core::task::report::{RunReport, RunStatus, RunTimes};
use stationthis_core::testkit::{ANY_RUN, ManualClock, ScriptedProvider};
use stationthis_core::{CallerId, Clock, Result, RunId, TaskId, TaskRecord, Timestamp};
use stationthis_host::custody::{CustodyPlace, ObjectCustody};
use stationthis_host::http::{self, HttpConfig};
use stationthis_host::outgoing::{Guard, GuardedClient};
use stationthis_host::outputs::Outputs;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::bucket::Bucket;
use crate::bench::client;

fn start() -> Timestamp {
    Timestamp::from_micros(1_764_000_000_000_000)
}

pub(crate) struct Stage {
    pub(crate) bucket: Bucket,
    pub(crate) station: Station,
    pub(crate) custody: ObjectCustody,
    provider: ScriptedProvider,
    clock: Arc<ManualClock>,
    /// Where they are kept.
    outputs: PathBuf,
    _folder: TempDir,
    hosts: Vec<(&'static str, String)>,
}

impl Stage {
    /// With outputs of so many MiB at most.
    pub(crate) async fn new(mib: u64) -> Self {
        let bucket = Bucket::serve().await;
        let folder = tempfile::tempdir().unwrap();
        let client = GuardedClient::new(Guard::new(Vec::new()).trusting(&bucket.base())).unwrap();
        let kept = folder.path().join("outputs");
        let place = CustodyPlace::Folder(kept.clone());
        let custody = ObjectCustody::open(&place, "host", client.clone(), mib << 20).unwrap();
        let (clock, provider) = (Arc::new(ManualClock::starting_at(start())), ScriptedProvider::new().unwrap());
        let station = Station::builder()
            .provider(Arc::new(provider.clone()))
            .clock(clock.clone())
            .custody(Arc::new(custody.clone()))
            .build()
            .unwrap();
        station.refresh().await.unwrap();
        let outputs = Outputs::new(client).with_custody(Some(custody.clone()));
        let mut hosts = Vec::new();
        for name in ["ada", "bob"] {
            let config = HttpConfig::new(CallerId::new(name).unwrap()).with_outputs(outputs.clone());
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            hosts.push((name, format!("http://{}", listener.local_addr().unwrap())));
            let router = http::router(station.clone(), &config);
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        Self { bucket, station, custody, provider, clock, outputs: kept, _folder: folder, hosts }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.outputs
    }

    /// What the service answers, one poll after the other.
    pub(crate) fn answers(&self, polls: Vec<Vec<Output>>) {
        self.provider.script().polls = polls.into_iter().map(report).collect();
    }

    /// A task of `ada` that gave these, after ten seconds.
    pub(crate) async fn run(&self, outputs: Vec<Output>) -> TaskRecord {
        self.answers(vec![outputs]);
        self.ended().await
    }

    pub(crate) async fn ended(&self) -> TaskRecord {
        let inputs = json!({ "prompt": "x" }).as_object().unwrap().clone();
        let ada = self.station.as_caller(CallerId::new("ada").unwrap());
        let task = ada.run(RunRequest::new("echo", inputs)).await.unwrap();
        self.pass(10).await;
        self.task(task.task_id).await
    }

    pub(crate) async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.set(self.clock.now().plus(Duration::from_secs(1)));
            while self.station.tick().await.unwrap() > 0 {}
        }
    }

    pub(crate) async fn task(&self, id: TaskId) -> TaskRecord {
        let explained = self.station.admin().explain(id).await.unwrap();
        assert!(explained.replays);
        explained.task
    }

    pub(crate) async fn keep(&self, request: &KeepRequest) -> Result<Kept> {
        self.custody.keep(request).await
    }

    pub(crate) async fn content(
        &self,
        caller: &str,
        task: &TaskRecord,
        n: usize,
        range: Option<&str>,
    ) -> reqwest::Response {
        let host = &self.hosts.iter().find(|(name, _)| *name == caller).unwrap().1;
        let request = client().get(format!("{host}/api/internal/tasks/{}/outputs/{n}", task.task_id));
        let request = range.into_iter().fold(request, |request, range| request.header("range", range));
        request.send().await.unwrap()
    }

    /// Until the folder holds nothing, half written things included.
    pub(crate) async fn until_empty(&self) {
        while !files_in(self.folder()).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Until the first part of something is written there.
    pub(crate) async fn until_written(&self) {
        let bytes = |name: &String| std::fs::metadata(self.folder().join(name)).map_or(0, |about| about.len());
        while files_in(self.folder()).iter().map(bytes).sum::<u64>() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) fn request(output: Output) -> KeepRequest {
    KeepRequest::new(TaskId::from_bytes([7; 16]), CallerId::new("ada").unwrap(), output, start())
}

/// A run of 25 s.
fn report(outputs: Vec<Output>) -> RunReport {
    let mut report = RunReport::new(RunId::new(ANY_RUN).unwrap(), RunStatus::Succeeded, "success");
    report.outputs = outputs;
    let (started_at, ended_at) = (Some(start()), Some(start().plus(Duration::from_secs(25))));
    report.times = RunTimes { started_at, ended_at, ..RunTimes::default() };
    report
}

/// The names of all files below a folder, in order.
pub(crate) fn files_in(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    names.sort();
    names
}
