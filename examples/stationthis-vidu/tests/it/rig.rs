//! Helpers: a provider over a scripted server, and a station whose door the server's callbacks come in by.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Map, Value};
use stationthis_core::station::{RunRequest, Station, StationHandle};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Policy, Secret, TaskRecord, Timestamp};
use stationthis_vidu::Vidu;
use stationthis_vidu::sim::Sim;

/// A canary: it must be in no error.
pub(crate) const KEY: &str = "vda_canary-key-4711";

pub(crate) fn provider(base_url: &str) -> Vidu {
    Vidu::builder(Secret::new(KEY)).base_url(base_url).build().unwrap()
}

pub(crate) fn inputs(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

pub(crate) struct Rig {
    pub(crate) sim: Sim,
    pub(crate) station: Station,
    handle: StationHandle,
    /// What the door answered to each callback.
    pub(crate) answers: Arc<std::sync::Mutex<Vec<u16>>>,
}

impl Rig {
    /// Under a path, as behind a proxy that takes `prefix` away.
    pub(crate) async fn new(prefix: &'static str) -> Self {
        let sim = Sim::serve(KEY).await.unwrap();
        let door: Arc<OnceLock<Station>> = Arc::default();
        let answers: Arc<std::sync::Mutex<Vec<u16>>> = Arc::default();
        let base = open_door(prefix, door.clone(), answers.clone()).await;
        let mut policy = Policy::default();
        policy.poll_interval_min = Duration::from_millis(20);
        policy.poll_interval_max = Duration::from_millis(100);
        // A refusal ends a task at once; a full account is none.
        policy.submit_attempts_max = 1;
        let station = Station::builder()
            .provider(Arc::new(provider(sim.base_url())))
            .public_url(Some(base))
            .policy(policy)
            .build()
            .unwrap();
        door.set(station.clone()).unwrap();
        station.refresh().await.unwrap();
        let handle = station.start().await.unwrap();
        Self { sim, station, handle, answers }
    }

    pub(crate) async fn run(&self, tool: &str, given: Value) -> TaskRecord {
        self.station.admin().run(RunRequest::new(tool, inputs(given))).await.unwrap()
    }

    pub(crate) async fn end_of(&self, task: &TaskRecord) -> TaskRecord {
        let done = self.station.admin().wait(task.task_id, Duration::from_secs(30)).await.unwrap();
        assert!(done.state.status.is_terminal(), "{}: {:?}", done.state.status, done.state);
        done
    }

    /// Waits until a task is so, or for half a minute.
    pub(crate) async fn until(&self, task: &TaskRecord, is_so: impl Fn(&TaskRecord) -> bool) -> TaskRecord {
        let admin = self.station.admin();
        let mut updates = admin.events();
        let reached = async {
            loop {
                let task = admin.task(task.task_id).await.unwrap();
                if is_so(&task) {
                    return task;
                }
                updates.next().await.unwrap().unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap()
    }

    pub(crate) async fn close(self) {
        self.handle.shutdown(Duration::from_secs(5)).await.unwrap();
    }
}

async fn open_door(
    prefix: &'static str,
    station: Arc<OnceLock<Station>>,
    answers: Arc<std::sync::Mutex<Vec<u16>>>,
) -> String {
    let take = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let (station, answers) = (station.clone(), answers.clone());
        async move {
            let headers = headers.iter().map(|(k, v)| (k.to_string(), v.to_str().unwrap_or("").to_owned())).collect();
            let path = uri.path().strip_prefix(prefix).unwrap().to_owned();
            let query = uri.query().unwrap_or_default();
            let request = WebhookRequest::new(method.as_str(), path, query, body, Timestamp::now());
            let status = match station.get().unwrap().receive_webhook(request.with_headers(headers)).await {
                Ok(()) => StatusCode::OK,
                Err(_) => StatusCode::UNAUTHORIZED,
            };
            answers.lock().unwrap().push(status.as_u16());
            status
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}{prefix}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await });
    base
}
