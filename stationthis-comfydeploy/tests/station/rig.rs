//! A station over a SQLite file, a simulated service, and the HTTP door that lets the service's webhooks in.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Map, Value, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Misbehaviour, RunBook, Sim, SimConfig, SimServer, SimTiming};
use stationthis_core::notify::{NotifyTarget, Receipt};
use stationthis_core::station::{RunRequest, Station, StationHandle};
use stationthis_core::store::SqliteStore;
use stationthis_core::task::event::Event;
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Policy, Secret, TaskRecord, Timestamp};

pub(crate) struct Rig {
    pub(crate) sim: SimServer,
    pub(crate) station: Station,
    handle: StationHandle,
    _folder: tempfile::TempDir,
}

/// Everything a hundred times faster than in life, so that every wait and deadline is met in a test.
fn policy() -> Policy {
    let ms = Duration::from_millis;
    let mut policy = Policy::default();
    policy.task_deadline = Some(Duration::from_secs(12));
    policy.poll_interval_min = ms(50);
    policy.poll_interval_max = ms(200);
    policy.lookup_interval = ms(150);
    policy.absent_without_answer = ms(2_500);
    policy.empty_confirm_pause = ms(100);
    policy.diagnose_wait = ms(2_500);
    policy
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let config = SimConfig { timing: SimTiming::instant(), ..SimConfig::default() };
        let sim = Sim::serve(config).await.unwrap();
        let door: Arc<OnceLock<Station>> = Arc::default();
        let base = open_door(door.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("tasks.db")).await.unwrap();
        let provider = ComfyDeploy::builder(Secret::new("any-key")).base_url(sim.base_url()).build().unwrap();
        let station = Station::builder()
            .provider(Arc::new(provider))
            .store(Arc::new(store))
            .public_url(Some(base))
            .policy(policy())
            .build()
            .unwrap();
        door.set(station.clone()).unwrap();
        station.refresh().await.unwrap();
        let handle = station.start().await.unwrap();
        Self { sim, station, handle, _folder: folder }
    }

    pub(crate) fn misbehave(&self, misbehaviour: Misbehaviour) {
        self.sim.sim.set_misbehaviour(misbehaviour);
    }

    pub(crate) async fn run(&self, tool: &str) -> TaskRecord {
        let inputs: Map<String, Value> = json!({ "prompt": "a red fox" }).as_object().unwrap().clone();
        let request = RunRequest::new(tool, inputs).with_notify(vec![NotifyTarget::new("events", "")]);
        self.station.admin().run(request).await.unwrap()
    }

    /// The task at its end, with everything that was to be told told.
    pub(crate) async fn end_of(&self, task: &TaskRecord) -> (TaskRecord, Vec<Event>) {
        let admin = self.station.admin();
        let done = admin.wait(task.task_id, Duration::from_secs(30)).await.unwrap();
        for _ in 0..200 {
            let events = admin.events_after(Some(task.task_id), 0).await.unwrap();
            let events: Vec<Event> = events.into_iter().map(|e| e.event.what).collect();
            if events.iter().filter(|e| delivered(e)).count() >= done.notify.len() {
                return (admin.task(task.task_id).await.unwrap(), events);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} is at {} and its notices were not delivered", task.task_id, done.state.status);
    }

    /// Asks to cancel a task as soon as the service has made a run of it.
    pub(crate) async fn cancel_once_submitted(&self, task: &TaskRecord) {
        let admin = self.station.admin();
        let mut updates = admin.events();
        while admin.task(task.task_id).await.unwrap().state.run_id.is_none() {
            updates.next().await.unwrap().unwrap();
        }
        admin.cancel(task.task_id).await.unwrap();
    }

    /// The runs that the service itself has of a task.
    pub(crate) fn books_of(&self, task: &TaskRecord) -> Vec<RunBook> {
        let books = self.sim.sim.books();
        books.runs_with_webhook(&task.task_id.to_string()).into_iter().cloned().collect()
    }

    pub(crate) async fn close(self) {
        self.handle.shutdown(Duration::from_secs(5)).await.unwrap();
        self.sim.shutdown().await;
    }
}

pub(crate) fn delivered(event: &Event) -> bool {
    matches!(event, Event::NoticeTried { receipt: Receipt::Delivered, .. })
}

async fn open_door(station: Arc<OnceLock<Station>>) -> String {
    let take = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let station = station.clone();
        async move {
            let headers = headers.iter().map(|(k, v)| (k.to_string(), v.to_str().unwrap_or("").to_owned())).collect();
            let query = uri.query().unwrap_or_default();
            let request = WebhookRequest::new(method.as_str(), uri.path(), query, body, Timestamp::now());
            match station.get().unwrap().receive_webhook(request.with_headers(headers)).await {
                Ok(()) => StatusCode::OK,
                Err(_) => StatusCode::UNAUTHORIZED,
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await });
    base
}
