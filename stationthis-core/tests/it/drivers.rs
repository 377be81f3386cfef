//! Several drivers over one store: each task is brought forward by one of them at a time.

use std::sync::Arc;
use std::time::Duration;

use stationthis_core::notify::NotifyTarget;
use stationthis_core::station::Station;
use stationthis_core::store::{SqliteStore, TaskStore};
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::testkit::{ANY_RUN, ManualClock, ScriptedProvider};
use stationthis_core::{Clock, RunId, TaskId, TaskStatus};

use crate::bench::{caller, request, start, success};

const TASKS: usize = 60;

async fn driver(name: &str, path: &std::path::Path, provider: &ScriptedProvider, clock: &Arc<ManualClock>) -> Station {
    let store: Arc<dyn TaskStore> = Arc::new(SqliteStore::open(path).await.unwrap());
    let station = Station::builder()
        .provider(Arc::new(provider.clone()))
        .store(store)
        .clock(clock.clone())
        .instance(name)
        .build()
        .unwrap();
    station.refresh().await.unwrap();
    station
}

async fn open(station: &Station, ids: &[TaskId]) -> usize {
    let mut open = 0;
    for id in ids {
        open += usize::from(!station.admin().task(*id).await.unwrap().is_terminal());
    }
    open
}

#[tokio::test]
async fn three_drivers_share_the_work_and_do_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.sqlite3");
    let clock = Arc::new(ManualClock::starting_at(start()));
    let provider = ScriptedProvider::new().unwrap();
    let mut ends = success(clock.now());
    ends.run_id = RunId::new(ANY_RUN).unwrap();
    let runs = RunReport::new(RunId::new(ANY_RUN).unwrap(), RunStatus::Running, "running");
    provider.script().polls = std::iter::repeat_n(runs, TASKS).chain([ends]).collect();
    let one = driver("one", &path, &provider, &clock).await;
    let two = driver("two", &path, &provider, &clock).await;
    let three = driver("three", &path, &provider, &clock).await;
    let mut ids = Vec::new();
    for n in 0..TASKS {
        let request = request("x").with_notify(vec![NotifyTarget::new("events", n.to_string())]);
        ids.push(one.as_caller(caller("ada")).run(request).await.unwrap().task_id);
    }
    for _ in 0..60 {
        tokio::try_join!(one.tick(), two.tick(), three.tick()).unwrap();
        clock.advance(Duration::from_secs(1));
        if open(&one, &ids).await == 0 {
            break;
        }
    }
    let mut submitted = provider.script().submitted.clone();
    submitted.sort_unstable();
    assert_eq!(submitted, ids, "each was submitted once");
    for id in ids {
        let explained = two.admin().explain(id).await.unwrap();
        assert_eq!(explained.task.state.status, TaskStatus::Completed);
        assert!(explained.replays);
    }
}

#[tokio::test]
async fn a_driver_that_dies_loses_its_leases_and_not_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.sqlite3");
    let clock = Arc::new(ManualClock::starting_at(start()));
    let provider = ScriptedProvider::new().unwrap();
    let mut ends = success(clock.now());
    ends.run_id = RunId::new("run-9").unwrap();
    provider.script().polls = [ends].into();
    provider.script().lookups = [Ok(stationthis_core::provider::Lookup::Found(RunId::new("run-9").unwrap()))].into();
    provider.close_gate();
    let dying = driver("dying", &path, &provider, &clock).await;
    let id = dying.as_caller(caller("ada")).run(request("x")).await.unwrap().task_id;
    let call = tokio::spawn({
        let dying = dying.clone();
        async move { dying.tick().await }
    });
    while provider.script().calls.submit == 0 {
        tokio::task::yield_now().await;
    }
    call.abort();
    drop(dying);
    let other = driver("other", &path, &provider, &clock).await;
    clock.advance(Duration::from_secs(120));
    other.tick().await.unwrap();
    assert_eq!(other.admin().task(id).await.unwrap().state.status, TaskStatus::Submitting, "the lease still holds");
    clock.advance(Duration::from_secs(100));
    for _ in 0..8 {
        other.tick().await.unwrap();
        clock.advance(Duration::from_secs(2));
    }
    assert_eq!(other.admin().task(id).await.unwrap().state.status, TaskStatus::Completed);
    assert_eq!(provider.script().calls.submit, 1, "looked for, not sent again");
}
