//! A station, a scripted service, and the HTTP door that lets the service's webhooks in.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Map, Value};
use stationthis_core::custody::Custody;
use stationthis_core::station::{RunRequest, Station, StationHandle};
use stationthis_core::task::event::Event;
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Policy, Secret, TaskRecord, Timestamp};
use stationthis_tripo::Tripo;
use stationthis_tripo::sim::{Sim, SimConfig, SimServer, SimWebhook};

pub(crate) const SECRET: &str = "whsec_of_the_console";

pub(crate) struct Rig {
    pub(crate) sim: SimServer,
    pub(crate) provider: Arc<Tripo>,
    pub(crate) station: Station,
    handle: StationHandle,
}

/// Everything much faster than in life, so that every wait is met in a test. With `webhooks` the polls are so slow that
/// only a webhook brings an end in time.
fn policy(webhooks: bool) -> Policy {
    let mut policy = Policy::default();
    policy.task_deadline = Some(Duration::from_secs(60));
    policy.poll_interval_min = Duration::from_millis(if webhooks { 30_000 } else { 20 });
    policy.poll_interval_max = Duration::from_millis(if webhooks { 30_000 } else { 100 });
    policy
}

impl Rig {
    pub(crate) async fn new(config: SimConfig, webhooks: bool) -> Self {
        Self::with(config, webhooks, None).await
    }

    /// One that keeps outputs.
    pub(crate) async fn keeping(config: SimConfig, custody: Arc<dyn Custody>) -> Self {
        Self::with(config, false, Some(custody)).await
    }

    async fn with(config: SimConfig, webhooks: bool, custody: Option<Arc<dyn Custody>>) -> Self {
        let sim = Sim::serve(config).await.unwrap();
        let door: Arc<OnceLock<Station>> = Arc::default();
        let builder = Tripo::builder(Secret::new("tsk_any")).base_url(sim.base_url());
        let builder = if webhooks { builder.webhook_secret(Secret::new(SECRET)) } else { builder };
        let provider = Arc::new(builder.build().unwrap());
        if webhooks {
            let url = format!("{}/api/webhook/tripo", open_door(door.clone()).await);
            sim.sim.set_webhook(Some(SimWebhook { url, secrets: vec!["whsec_older".to_owned(), SECRET.to_owned()] }));
        }
        let mut builder = Station::builder().provider(provider.clone()).policy(policy(webhooks));
        if let Some(custody) = custody {
            builder = builder.custody(custody);
        }
        let station = builder.build().unwrap();
        door.set(station.clone()).unwrap();
        station.refresh().await.unwrap();
        let handle = station.start().await.unwrap();
        Self { sim, provider, station, handle }
    }

    pub(crate) async fn run(&self, tool: &str, inputs: Value) -> TaskRecord {
        let inputs: Map<String, Value> = inputs.as_object().unwrap().clone();
        self.station.admin().run(RunRequest::new(format!("tripo:{tool}"), inputs)).await.unwrap()
    }

    /// The task at its end.
    pub(crate) async fn end_of(&self, task: &TaskRecord) -> TaskRecord {
        let done = self.station.admin().wait(task.task_id, Duration::from_secs(20)).await.unwrap();
        assert!(done.state.status.is_terminal(), "it is {}", done.state.status);
        done
    }

    pub(crate) async fn events_of(&self, task: &TaskRecord) -> Vec<Event> {
        let events = self.station.admin().events_after(Some(task.task_id), 0).await.unwrap();
        events.into_iter().map(|event| event.event.what).collect()
    }

    pub(crate) async fn close(self) {
        self.handle.shutdown(Duration::from_secs(5)).await.unwrap();
        self.sim.shutdown().await;
    }
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
