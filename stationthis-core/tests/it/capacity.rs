//! A service that takes no more runs: its tasks wait, and it is not hammered.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stationthis_core::store::MemoryStore;
use stationthis_core::task::event::Event;
use stationthis_core::task::report::RunStatus;
use stationthis_core::testkit::{ANY_RUN, ScriptedProvider};
use stationthis_core::{Retry, RunId, RunRequest, TaskRecord, TaskStatus, ToolId};

use crate::bench::{Bench, caller, inputs, report};

fn echo() -> ToolId {
    ToolId::new("scripted:echo").unwrap()
}

/// A bench whose runs go on until somebody says otherwise, with the tool `other` beside `echo`.
async fn bench() -> Bench {
    let provider = ScriptedProvider::new().unwrap();
    let mut other = provider.tool().unwrap();
    (other.tool_id, other.display_name) = (ToolId::new("scripted:other").unwrap(), "Other".to_owned());
    let bench = Bench::over(Arc::new(MemoryStore::new()), provider.with_tool(other)).await;
    let mut running = report(RunStatus::Running);
    running.run_id = RunId::new(ANY_RUN).unwrap();
    bench.provider.script().polls = [running].into();
    bench
}

fn full(bench: &Bench, retry: Retry) {
    bench.provider.script().full = [(echo(), retry)].into();
}

fn submits(bench: &Bench) -> usize {
    bench.provider.script().calls.submit
}

async fn status(bench: &Bench, task: &TaskRecord) -> TaskStatus {
    bench.task(task.task_id).await.state.status
}

#[tokio::test]
async fn a_task_waits_for_room_until_its_deadline() {
    let bench = bench().await;
    full(&bench, Retry::Backoff);
    let task = bench.run("x").await;
    bench.pass(300).await;
    let waiting = bench.task(task.task_id).await;
    assert_eq!((waiting.state.status, waiting.state.run_id), (TaskStatus::Submitting, None));
    assert!(waiting.state.capacity_refusals > bench.policy.submit_attempts_max, "more than are allowed otherwise");
    assert!(waiting.state.capacity_refusals < 20, "{} in five minutes", waiting.state.capacity_refusals);
    bench.clock.set(task.state.deadline_at);
    bench.settle().await;
    let ended = bench.task(task.task_id).await;
    assert_eq!(ended.state.status, TaskStatus::Failed);
    let reason = ended.state.status_reason.unwrap();
    assert_eq!(
        (reason.code.as_str(), reason.message.as_str()),
        ("notSubmitted", "The service took no more runs until its deadline.")
    );
    assert_eq!(ended.state.cost_usd.unwrap().to_string(), "0.000000000");
}

#[tokio::test]
async fn when_there_is_room_again_those_that_waited_go_one_after_another() {
    let bench = bench().await;
    full(&bench, Retry::After(Duration::from_secs(20)));
    let mut waiting = Vec::new();
    for n in 0..10 {
        waiting.push(bench.run(&n.to_string()).await);
    }
    bench.settle().await;
    assert_eq!(submits(&bench), 10, "nothing was known of it");
    bench.pass(19).await;
    assert_eq!(submits(&bench), 10, "the service said when");
    bench.pass(1).await;
    assert_eq!(submits(&bench), 11, "one asks for all");
    assert_eq!(bench.provider.script().submitted[10], waiting[0].task_id, "the one whose turn it is");
    bench.pass(19).await;
    assert_eq!(submits(&bench), 11);
    // A newcomer waits like the others.
    waiting.push(bench.run("newcomer").await);
    bench.settle().await;
    assert_eq!(submits(&bench), 11);
    bench.provider.script().full.clear();
    bench.pass(1).await;
    assert_eq!(submits(&bench), 11 + waiting.len());
    for task in &waiting {
        assert_eq!(status(&bench, task).await, TaskStatus::Queued);
    }
    let order = bench.provider.script().submitted[11..].to_vec();
    assert_eq!(order, waiting.iter().map(|task| task.task_id).collect::<Vec<_>>(), "in their turns");
    let task = bench.task(waiting[0].task_id).await;
    assert_eq!((task.state.submit_attempts, task.state.capacity_refusals), (3, 2));
}

#[tokio::test]
async fn other_tools_of_the_same_service_go_on() {
    let bench = bench().await;
    full(&bench, Retry::After(Duration::from_secs(60)));
    let burst = [bench.run("a").await, bench.run("b").await, bench.run("c").await];
    bench.settle().await;
    let ada = bench.station.as_caller(caller("ada"));
    let other = ada.run(RunRequest::new("other", inputs(&json!({ "prompt": "x" })))).await.unwrap();
    bench.settle().await;
    assert_eq!(status(&bench, &other).await, TaskStatus::Queued);
    assert_eq!((submits(&bench), status(&bench, &burst[0]).await), (4, TaskStatus::Submitting));
}

#[tokio::test]
async fn a_restart_forgets_the_pause_and_no_task() {
    let bench = bench().await;
    full(&bench, Retry::After(Duration::from_secs(60)));
    let task = bench.run("x").await;
    bench.settle().await;
    let bench = bench.restarted().await;
    bench.settle().await;
    assert_eq!(submits(&bench), 1, "the task itself knows when");
    bench.provider.script().full.clear();
    bench.pass(60).await;
    assert_eq!(status(&bench, &task).await, TaskStatus::Queued);
    let events = bench.station.admin().explain(task.task_id).await.unwrap().events;
    let deferred =
        events.iter().filter(|event| matches!(event.event.what, Event::SubmitDeferred { at_capacity: true, .. }));
    assert_eq!(deferred.count(), 1);
}
