//! The process ends between two steps; the store stays.

use std::time::Duration;

use stationthis_core::provider::Lookup;
use stationthis_core::task::report::RunStatus;
use stationthis_core::testkit::ScriptedProvider;
use stationthis_core::{Clock, RunId, TaskStatus};

use crate::bench::{Bench, caller, report, request, success};

/// I5, at the worst moment: the request is out, and the answer has nobody to come to.
#[tokio::test]
async fn i05_a_crash_during_the_submission_makes_no_second_run() {
    let bench = Bench::new().await;
    let task = bench.run("x").await;
    bench.provider.close_gate();
    let crashed = tokio::time::timeout(Duration::from_millis(50), bench.station.tick()).await;
    assert!(crashed.is_err() && bench.provider.script().calls.submit == 1);
    assert_eq!(bench.task(task.task_id).await.state.status, TaskStatus::Submitting);

    let mut bench = bench.restarted().await;
    // A second submission would be answered.
    bench.provider.open_gate();
    bench.provider.script().lookups = [Ok(Lookup::Found(RunId::new("run-1").unwrap()))].into();
    bench.provider.script().polls = [success(bench.clock.now())].into();
    bench.pass(12).await;
    let done = bench.task(task.task_id).await;
    assert_eq!(done.state.status, TaskStatus::Completed);
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.012500000");
    assert_eq!(bench.provider.script().calls.submit, 1);
    assert_eq!(bench.told().len(), 1);
}

#[tokio::test]
async fn without_its_lease_released_nobody_else_takes_a_submission_for_lost() {
    let bench = Bench::new().await;
    let task = bench.run("x").await;
    let submitting = submitting(&bench).await;
    bench.clock.advance(Duration::from_secs(120));
    assert_eq!(bench.station.tick().await.unwrap(), 0, "the lease outlasts the call");
    bench.provider.open_gate();
    submitting.await.unwrap().unwrap();
    assert_eq!(bench.task(task.task_id).await.state.status, TaskStatus::Queued);
}

/// I2: the provider calls back inside the submit call, before our commit.
#[tokio::test]
async fn i02_a_callback_before_the_run_id_is_known_is_not_lost() {
    let bench = Bench::new().await;
    let task = bench.run("x").await;
    let submitting = submitting(&bench).await;
    bench.hook(&task, &report(RunStatus::Running)).await;
    bench.station.tick().await.unwrap();
    let early = bench.task(task.task_id).await;
    assert_eq!((early.state.status, early.state.run_id.unwrap().as_str()), (TaskStatus::Running, "run-1"));
    bench.provider.open_gate();
    submitting.await.unwrap().unwrap();
    let after = bench.task(task.task_id).await;
    assert_eq!(after.state.status, TaskStatus::Running);
    assert!(after.state.flags.is_empty());
}

#[tokio::test]
async fn webhooks_and_notices_outlive_the_process() {
    let bench = Bench::new().await;
    let task = bench.run("x").await;
    bench.station.tick().await.unwrap();
    bench.provider.script().polls = [success(bench.clock.now())].into();
    bench.hook(&task, &report(RunStatus::Succeeded)).await;
    // Received, and nothing done with it yet.
    let mut bench = bench.restarted().await;
    bench.settle().await;
    assert_eq!(bench.task(task.task_id).await.state.status, TaskStatus::Completed);
    assert_eq!(bench.told().len(), 1);
}

#[tokio::test]
async fn a_started_station_works_by_itself_and_stops_when_told() {
    let bench = Bench::new().await;
    bench.provider.script().polls = [success(bench.clock.now())].into();
    let handle = bench.station.start().await.unwrap();
    let ada = bench.station.as_caller(caller("ada"));
    let task = ada.run(request("x")).await.unwrap();
    // The clock is moved by hand, so the first poll is due only when it is.
    let done = loop {
        bench.clock.advance(Duration::from_secs(1));
        let now = ada.wait(task.task_id, Duration::from_millis(50)).await.unwrap();
        if now.is_terminal() {
            break now;
        }
    };
    assert_eq!(done.state.status, TaskStatus::Completed);
    handle.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(ada.run(request("y")).await.unwrap_err().kind(), stationthis_core::ErrorKind::Closed);
}

/// A submission that is out and has no answer yet.
async fn submitting(bench: &Bench) -> tokio::task::JoinHandle<stationthis_core::Result<usize>> {
    bench.provider.close_gate();
    let station = bench.station.clone();
    let submitting = tokio::spawn(async move { station.tick().await });
    while bench.provider.script().calls.submit == 0 {
        tokio::task::yield_now().await;
    }
    submitting
}

#[tokio::test]
async fn a_task_whose_provider_was_taken_out_still_ends() {
    let bench = Bench::new().await;
    let task = bench.run("x").await;
    bench.station.tick().await.unwrap();
    let other = ScriptedProvider::named("other").unwrap();
    let bench = Bench::over(bench.store, other).await;
    bench.store.release_leases("bench").await.unwrap();
    bench.clock.set(task.state.deadline_at);
    bench.settle().await;
    let done = bench.task(task.task_id).await;
    assert_eq!((done.state.status, done.state.cost_usd), (TaskStatus::TimedOut, None));
}
