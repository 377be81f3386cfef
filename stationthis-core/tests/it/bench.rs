//! A station on a workbench: scripted provider, clock moved by hand, a store that outlives the station.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use stationthis_core::Policy;
use stationthis_core::custody::Custody;
use stationthis_core::notify::{EventsNotifier, Notice, Notifier, NotifyTarget, Receipt};
use stationthis_core::station::{RunRequest, Station};
use stationthis_core::store::{MemoryStore, TaskStore};
use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::task::report::{RunReport, RunStatus, RunTimes};
use stationthis_core::testkit::{ManualClock, ScriptedProvider};
use stationthis_core::webhook::{CallbackKeys, WebhookRequest};
use stationthis_core::{CallerId, Clock, Error, RunId, TaskId, TaskRecord, Timestamp};
use tokio::sync::broadcast;

/// When it is, on every bench, at first.
pub(crate) fn start() -> Timestamp {
    Timestamp::from_micros(1_764_000_000_000_000)
}

pub(crate) struct Bench {
    pub(crate) provider: ScriptedProvider,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<dyn TaskStore>,
    pub(crate) keys: CallbackKeys,
    pub(crate) policy: Policy,
    pub(crate) custody: Option<Arc<dyn Custody>>,
    pub(crate) station: Station,
    pub(crate) notices: broadcast::Receiver<Arc<Notice>>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new()), ScriptedProvider::new().unwrap()).await
    }

    pub(crate) async fn over(store: Arc<dyn TaskStore>, provider: ScriptedProvider) -> Self {
        Self::with_policy(store, provider, Policy::default()).await
    }

    pub(crate) async fn with_policy(store: Arc<dyn TaskStore>, provider: ScriptedProvider, policy: Policy) -> Self {
        Self::built(store, provider, policy, None).await
    }

    pub(crate) async fn with_custody(custody: Arc<dyn Custody>) -> Self {
        let (store, provider) = (Arc::new(MemoryStore::new()), ScriptedProvider::new().unwrap());
        Self::built(store, provider, Policy::default(), Some(custody)).await
    }

    async fn built(
        store: Arc<dyn TaskStore>,
        provider: ScriptedProvider,
        policy: Policy,
        custody: Option<Arc<dyn Custody>>,
    ) -> Self {
        let clock = Arc::new(ManualClock::starting_at(start()));
        let (keys, _) = CallbackKeys::generate().unwrap();
        let events = EventsNotifier::new();
        let notices = events.subscribe();
        let station = build(&store, &provider, &clock, &keys, events, &policy, custody.clone());
        station.refresh().await.unwrap();
        Self { provider, clock, store, keys, policy, custody, station, notices }
    }

    /// The same station in a new process: everything in memory is gone.
    pub(crate) async fn restarted(self) -> Self {
        let events = EventsNotifier::new();
        let notices = events.subscribe();
        let custody = self.custody.clone();
        let station = build(&self.store, &self.provider, &self.clock, &self.keys, events, &self.policy, custody);
        self.store.release_leases("bench").await.unwrap();
        station.refresh().await.unwrap();
        Self { station, notices, ..self }
    }

    pub(crate) async fn run(&self, prompt: &str) -> TaskRecord {
        self.station.as_caller(caller("ada")).run(request(prompt)).await.unwrap()
    }

    /// A task; its events must give its state, whatever the test is about.
    pub(crate) async fn task(&self, id: TaskId) -> TaskRecord {
        let explained = self.station.admin().explain(id).await.unwrap();
        assert!(explained.replays, "folding its events gives another state: {:?}", explained.events);
        explained.task
    }

    /// Does what is due now until nothing is.
    pub(crate) async fn settle(&self) {
        for _ in 0..100 {
            if self.station.tick().await.unwrap() == 0 {
                return;
            }
        }
        panic!("the station finds something to do for ever");
    }

    /// Lets time pass, a second at a time, doing what is due.
    pub(crate) async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            self.settle().await;
        }
    }

    pub(crate) async fn hook(&self, task: &TaskRecord, report: &RunReport) {
        self.station.receive_webhook(self.hook_request(task, report)).await.unwrap();
    }

    pub(crate) fn hook_request(&self, task: &TaskRecord, report: &RunReport) -> WebhookRequest {
        let expires_at = task.state.deadline_at;
        let url = self.keys.url("https://host.example", &task.provider_id, task.task_id, expires_at).unwrap();
        let path_and_query = url.expose().strip_prefix("https://host.example").unwrap().to_owned();
        let (path, query) = path_and_query.split_once('?').unwrap();
        let body = Bytes::from(serde_json::to_vec(report).unwrap());
        WebhookRequest::new("POST", path, query, body, self.clock.now())
    }

    pub(crate) fn told(&mut self) -> Vec<Arc<Notice>> {
        std::iter::from_fn(|| self.notices.try_recv().ok()).collect()
    }
}

fn build(
    store: &Arc<dyn TaskStore>,
    provider: &ScriptedProvider,
    clock: &Arc<ManualClock>,
    keys: &CallbackKeys,
    events: EventsNotifier,
    policy: &Policy,
    custody: Option<Arc<dyn Custody>>,
) -> Station {
    let mut builder = Station::builder();
    if let Some(custody) = custody {
        builder = builder.custody(custody);
    }
    builder
        .provider(Arc::new(provider.clone()))
        .store(store.clone())
        .clock(clock.clone())
        .callback_keys(keys.clone())
        .public_url(Some("https://host.example".to_owned()))
        .notifier(Arc::new(events))
        .policy(policy.clone())
        .notifier(Arc::new(Desks))
        .instance("bench")
        .build()
        .unwrap()
}

/// Takes any address, and keeps nothing.
#[derive(Debug)]
struct Desks;

#[async_trait::async_trait]
impl Notifier for Desks {
    fn channel(&self) -> &str {
        "desk"
    }

    fn check(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    fn destination(&self, address: &str) -> String {
        address.to_owned()
    }

    async fn deliver(&self, _: &Notice) -> Receipt {
        Receipt::Delivered
    }
}

pub(crate) fn caller(name: &str) -> CallerId {
    CallerId::new(name).unwrap()
}

pub(crate) fn inputs(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

pub(crate) fn request(prompt: &str) -> RunRequest {
    RunRequest::new("echo", inputs(&json!({ "prompt": prompt }))).with_notify(vec![NotifyTarget::new("events", "")])
}

pub(crate) fn report(status: RunStatus) -> RunReport {
    RunReport::new(RunId::new("run-1").unwrap(), status, format!("{status:?}"))
}

/// A run of 25 s, ended well, with a picture.
pub(crate) fn success(start: Timestamp) -> RunReport {
    let mut report = report(RunStatus::Succeeded);
    report.outputs = vec![Output::file(OutputKind::Image, "https://b.example/a.png")];
    report.times = RunTimes {
        created_at: Some(start),
        queued_at: Some(start.plus(Duration::from_secs(5))),
        started_at: Some(start.plus(Duration::from_secs(10))),
        ended_at: Some(start.plus(Duration::from_secs(35))),
    };
    report.resource = Some("GPU".to_owned());
    report
}
