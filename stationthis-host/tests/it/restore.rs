//! A backup goes back in the place of a store that has moved on: nothing is submitted again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Misbehaviour, Sim, SimConfig, SimServer, SimTiming};
use stationthis_core::station::{Caller, RunRequest, Station};
use stationthis_core::store::{SqliteStore, TaskQuery};
use stationthis_core::task::event::Event;
use stationthis_core::task::state::TaskStatus;
use stationthis_core::{Policy, Secret, TaskId, TaskRecord, Timestamp};
use stationthis_host::app::{Service, caller_id};
use stationthis_host::data_dir::DataDir;
use stationthis_host::housekeeping::{Backups, restore};

use crate::bench::{Bench, config};

/// Runs at a time: so some of the tasks wait.
const RUNS_MAX: usize = 3;

/// The waits of a search for a lost run: some searches of a simulator long, and not minutes.
const LOOKUP_INTERVAL: Duration = Duration::from_millis(100);
const ABSENT_AFTER: Duration = Duration::from_millis(300);

/// A station whose every step is one call of [`Station::tick`].
async fn by_hand(sim: &SimServer, data: &DataDir) -> (Station, Backups) {
    let store = Arc::new(SqliteStore::open(data.database()).await.unwrap());
    let provider = ComfyDeploy::builder(Secret::new("any")).base_url(sim.base_url());
    let provider = provider.http_client(crate::bench::client()).build().unwrap();
    let mut policy = Policy::default();
    policy.runs_max = RUNS_MAX;
    // A task keeps the rules under which it was accepted.
    (policy.lookup_interval, policy.absent_without_answer) = (LOOKUP_INTERVAL, ABSENT_AFTER);
    let station = Station::builder()
        .provider(Arc::new(provider))
        .store(store.clone())
        .policy(policy)
        // The name of the host that takes over: it takes back what this one holds.
        .instance("host")
        .build()
        .unwrap();
    station.refresh().await.unwrap();
    (station, Backups::new(store, data.backups()))
}

async fn all(caller: &Caller) -> BTreeMap<TaskId, TaskRecord> {
    let page = caller.list(TaskQuery::default()).await.unwrap();
    page.tasks.into_iter().map(|task| (task.task_id, task)).collect()
}

async fn settlements(caller: &Caller, id: TaskId) -> usize {
    let events = caller.explain(id).await.unwrap();
    assert!(events.replays);
    events.events.iter().filter(|stored| matches!(stored.event.what, Event::Settled { .. })).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_submits_nothing_again_and_settles_each_run_once() {
    let sim = Sim::serve(SimConfig { timing: SimTiming::instant(), ..SimConfig::default() }).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let data = DataDir::open(dir.path()).unwrap();
    let (station, backups) = by_hand(&sim, &data).await;
    let caller = station.as_caller(caller_id().unwrap());
    let mut ids = Vec::new();
    let run = async |steps: u32| {
        let inputs = json!({ "steps": steps }).as_object().unwrap().clone();
        caller.run(RunRequest::new("sdxl-portrait", inputs)).await.unwrap().task_id
    };
    // Two are with the service, one is being submitted, and two wait for a slot when the backup is made.
    for steps in 1..=2 {
        ids.push(run(steps).await);
    }
    station.tick().await.unwrap();
    let slow = Misbehaviour { queue_slow: Some(Duration::from_secs(3)), ..Misbehaviour::default() };
    sim.sim.set_misbehaviour(slow);
    for steps in 3..=5 {
        ids.push(run(steps).await);
    }
    let ticking = tokio::spawn({
        let station = station.clone();
        async move { station.tick().await.unwrap() }
    });
    let status = |tasks: &BTreeMap<TaskId, TaskRecord>, n: usize| tasks[&ids[n]].state.status;
    while status(&all(&caller).await, 2) != TaskStatus::Submitting {
        tokio::task::yield_now().await;
    }
    let backup = backups.make("the-one.sqlite3").await.unwrap();
    let then = all(&caller).await;
    assert_eq!((status(&then, 2), status(&then, 3)), (TaskStatus::Submitting, TaskStatus::Accepted), "and not later");

    // The original goes on: every task but the last, which is cancelled before it was ever sent.
    caller.cancel(ids[4]).await.unwrap();
    ticking.await.unwrap();
    sim.sim.set_misbehaviour(Misbehaviour::default());
    while !all(&caller).await.values().all(TaskRecord::is_terminal) {
        station.tick().await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let original = all(&caller).await;
    assert_eq!(status(&original, 4), TaskStatus::Cancelled);
    let runs: Vec<String> = sim.sim.books().runs.iter().map(|run| run.id.clone()).collect();
    assert_eq!(runs.len(), 4, "one for each but the cancelled one");
    drop((caller, station, backups));

    let restored = restore(&data, &backup.path, true, Timestamp::now()).await.unwrap();
    assert!(restored.moved_aside.unwrap().exists());
    drop(data);
    let mut config = config(&dir);
    config.comfydeploy.api_url = sim.base_url();
    config.comfydeploy.api_key = Some(Secret::new("any"));
    let bench = Bench::over(config, dir, Service::Configured, None).await;
    let caller = bench.app.caller().unwrap();
    for id in &ids {
        caller.wait(*id, Duration::from_secs(30)).await.unwrap();
    }
    let again = all(&caller).await;
    assert!(again.values().all(TaskRecord::is_terminal), "{again:?}");
    let now: Vec<String> = sim.sim.books().runs.iter().map(|run| run.id.clone()).collect();
    assert_eq!(now, runs, "nothing was submitted again");
    for id in &ids[..4] {
        let (before, after) = (&original[id].state, &again[id].state);
        assert_eq!((after.status, &after.run_id), (TaskStatus::Completed, &before.run_id));
        assert_eq!(after.cost_usd, before.cost_usd, "and costs what it did");
        assert_eq!(settlements(&caller, *id).await, 1);
    }
    let never = &again[&ids[4]].state;
    let code = never.status_reason.as_ref().map(|reason| reason.code.as_str());
    assert_eq!((never.status, code), (TaskStatus::Failed, Some("notSubmitted")), "it was looked for, and is not there");
    assert_eq!(never.cost_usd.map(|cost| cost.nanos()), Some(0));
    bench.close().await;
    sim.shutdown().await;
}
