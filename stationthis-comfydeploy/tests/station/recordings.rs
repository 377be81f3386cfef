//! Every recorded run, played through the whole station with a restart in the middle, against a table of what must come
//! out (`recordings.json` beside this file).
//!
//! The clock is moved by hand to the recorded times, so what is measured by receipt is exact as well. The rate is one of
//! this machine's own, 0.0005 USD a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stationthis_comfydeploy::{ComfyDeploy, EndpointDetails};
use stationthis_core::cost::{RateCard, RateKey, Unit};
use stationthis_core::notify::NotifyTarget;
use stationthis_core::provider::ServiceProvider;
use stationthis_core::station::{RunRequest, Station};
use stationthis_core::store::{SqliteStore, TaskStore};
use stationthis_core::task::event::Event;
use stationthis_core::testkit::ManualClock;
use stationthis_core::webhook::{CallbackKeys, WebhookRequest};
use stationthis_core::{Clock, Secret, TaskId, TaskRecord, Timestamp};

use crate::replay::{Recording, Replay};
use crate::rig::delivered;

/// One row of the table.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    outputs: Vec<String>,
    basis: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost_usd: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bound_usd: Option<String>,
    /// Received, kept, ignored.
    hooks: [u32; 3],
    /// Why this end is right, where it is not the recorded run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

struct Player {
    replay: Replay,
    provider: ComfyDeploy,
    machine: String,
    clock: Arc<ManualClock>,
    keys: CallbackKeys,
    folder: tempfile::TempDir,
    t0: Timestamp,
}

fn seconds(value: f64) -> Timestamp {
    #[allow(clippy::cast_possible_truncation)]
    Timestamp::from_micros((value * 1e6).round() as i64)
}

impl Player {
    async fn new(name: &str) -> Self {
        let replay = Replay::start(Recording::load(name)).await;
        let provider = ComfyDeploy::builder(Secret::new("key")).base_url(replay.base_url()).build().unwrap();
        let tool = provider.discover().await.unwrap().tools.remove(0);
        let machine = tool.endpoint_details.parse::<EndpointDetails>().unwrap().machine_id.unwrap();
        let t0 = seconds(replay.recording().t0);
        let before = t0.minus(Duration::from_secs_f64(replay.recording().queue().seconds));
        let clock = Arc::new(ManualClock::starting_at(before));
        let (keys, _) = CallbackKeys::generate().unwrap();
        Self { replay, provider, machine, clock, keys, folder: tempfile::tempdir().unwrap(), t0 }
    }

    /// A station over what the one before left on disk.
    async fn station(&self) -> Station {
        let store = SqliteStore::open(self.folder.path().join("tasks.db")).await.unwrap();
        store.release_leases("player").await.unwrap();
        let rates =
            RateCard::new("test").with(RateKey::Machine(self.machine.clone()), "0.0005".parse().unwrap(), Unit::Second);
        let station = Station::builder()
            .provider(Arc::new(self.provider.clone()))
            .store(Arc::new(store))
            .clock(self.clock.clone())
            .callback_keys(self.keys.clone())
            .public_url(Some("https://host.example".to_owned()))
            .rate_override(rates)
            .instance("player")
            .build()
            .unwrap();
        station.refresh().await.unwrap();
        station
    }

    /// Moves the clock and the recording to `at`, a second at a time, doing what becomes due.
    async fn advance_to(&self, station: &Station, at: Timestamp) {
        loop {
            let next = self.clock.now().plus(Duration::from_secs(1)).min(at);
            self.clock.set(next);
            #[allow(clippy::cast_precision_loss)]
            self.replay.advance_to(next.micros_since(self.t0) as f64 / 1e6);
            while station.tick().await.unwrap() > 0 {}
            if next >= at {
                return;
            }
        }
    }

    async fn play(&self) -> (TaskRecord, Vec<Event>) {
        let mut station = self.station().await;
        let recording = self.replay.recording();
        let tool = station.admin().tools().tools()[0].clone();
        // Two of the recorded workflows take no input, and the recorder sent one all the same.
        let schema = tool.definition().input_schema.to_value();
        let mut inputs = recording.inputs();
        inputs.retain(|name, _| schema["properties"].get(name).is_some());
        let request = RunRequest::new(tool.definition().tool_id.to_string(), inputs)
            .with_notify(vec![NotifyTarget::new("events", "")]);
        let task = station.admin().run(request).await.unwrap();
        station.tick().await.unwrap();
        assert_eq!(self.replay.problems(), [] as [String; 0]);
        self.clock.set(self.t0);
        let callback = self.replay.queued()[0]["webhook"].as_str().unwrap().to_owned();
        let path_and_query = callback.strip_prefix("https://host.example").unwrap();
        let (path, query) = path_and_query.split_once('?').unwrap();
        let hooks = recording.hooks();
        for (nth, hook) in hooks.iter().enumerate() {
            if nth == hooks.len() / 2 {
                // The process dies and another goes on.
                drop(station);
                station = self.station().await;
            }
            let at = seconds(hook.t);
            self.advance_to(&station, at).await;
            let body = Bytes::from(hook.body.clone());
            station.receive_webhook(WebhookRequest::new(&hook.method, path, query, body, at)).await.unwrap();
            while station.tick().await.unwrap() > 0 {}
        }
        if let (Some(_), false) = (recording.cancel(), ended(&station, task.task_id).await) {
            station.admin().cancel(task.task_id).await.unwrap();
        }
        // Long enough for every step but the deadlines, then past those.
        self.advance_to(&station, self.clock.now().plus(Duration::from_secs(150))).await;
        while !ended(&station, task.task_id).await {
            let at = self.clock.now().plus(Duration::from_secs(1800));
            self.clock.set(at);
            self.advance_to(&station, at).await;
        }
        let events = station.admin().events_after(Some(task.task_id), 0).await.unwrap();
        let done = station.admin().task(task.task_id).await.unwrap();
        (done, events.into_iter().map(|e| e.event.what).collect())
    }
}

async fn ended(station: &Station, id: TaskId) -> bool {
    station.admin().task(id).await.unwrap().is_terminal()
}

fn row_of(task: &TaskRecord) -> Row {
    let state = &task.state;
    let settlement = state.settlement.as_ref().unwrap();
    let word = |value: serde_json::Value| value.as_str().unwrap().to_owned();
    Row {
        status: state.status.to_string(),
        reason: state.status_reason.as_ref().map(|r| r.code.clone()),
        outputs: state.outputs.iter().map(|o| o.url.clone().or(o.text.clone()).unwrap()).collect(),
        basis: word(serde_json::to_value(settlement.basis).unwrap()),
        seconds: settlement.amount.map(|a| a.to_string()),
        cost_usd: state.cost_usd.map(|c| c.to_string()),
        bound_usd: settlement.bound_usd.map(|c| c.to_string()),
        hooks: [state.counters.webhooks, state.counters.webhooks_kept, state.counters.webhooks_ignored],
        why: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recording_ends_as_the_table_says() {
    let table: BTreeMap<String, Row> = serde_json::from_str(include_str!("recordings.json")).unwrap();
    let names = Recording::names();
    assert!(names.iter().eq(table.keys()), "the table has a row for every recording: {names:?}");
    let mut wrong = BTreeMap::new();
    for (name, mut expected) in table {
        let player = Player::new(&name).await;
        let (done, events) = player.play().await;
        let why = expected.why.take();
        assert!(expected.status != "timedOut" || why.is_some(), "{name}: a time-out needs a reason in the table");
        assert_eq!(player.replay.queued().len(), 1, "{name}: submissions");
        let settled = events.iter().filter(|e| matches!(e, Event::Settled { .. })).count();
        assert_eq!(settled, 1, "{name}: settlements");
        assert_eq!(events.iter().filter(|e| delivered(e)).count(), 2, "{name}: notices");
        assert_eq!(done.state.counters.webhooks as usize, player.replay.recording().hooks().len(), "{name}");
        let row = row_of(&done);
        if row != expected {
            wrong.insert(name, row);
        }
    }
    assert!(wrong.is_empty(), "these differ:\n{}", serde_json::to_string_pretty(&wrong).unwrap());
}
