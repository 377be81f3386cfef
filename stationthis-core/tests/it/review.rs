//! What a person can do about a task, and what a restored store does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stationthis_core::provider::{CancelAnswer, Lookup};
use stationthis_core::store::{MemoryStore, RESTORED_DOCUMENT, TaskQuery};
use stationthis_core::task::event::Resolution;
use stationthis_core::task::report::RunStatus;
use stationthis_core::task::state::{CancelOutcome, CancelledBy};
use stationthis_core::testkit::ScriptedProvider;
use stationthis_core::tool::ExactlyOnce;
use stationthis_core::{Clock, Effect, Error, ErrorKind, RunId, TaskRecord, TaskStatus};

use crate::bench::{Bench, report, success};

fn lost() -> Error {
    Error::new(ErrorKind::Timeout, "submit run").with_effect(Effect::Unknown)
}

/// A task in doubt at a provider that promises nothing and can look up nothing.
async fn in_doubt() -> (Bench, TaskRecord) {
    let provider = ScriptedProvider::new().unwrap().with_exactly_once(ExactlyOnce::None);
    let bench = Bench::over(Arc::new(MemoryStore::new()), provider).await;
    bench.provider.script().submits = [Err(lost())].into();
    let task = bench.run("x").await;
    bench.pass(120).await;
    assert_eq!(bench.task(task.task_id).await.state.status, TaskStatus::InDoubt);
    (bench, task)
}

fn found() -> Resolution {
    Resolution::Found { run_id: RunId::new("run-1").unwrap() }
}

async fn for_review(bench: &Bench) -> usize {
    let query = TaskQuery { needs_review: true, ..TaskQuery::default() };
    bench.station.admin().list(query).await.unwrap().tasks.len()
}

async fn explained(bench: &Bench, task: &TaskRecord) {
    assert!(bench.station.admin().explain(task.task_id).await.unwrap().replays, "the events give the state");
}

#[tokio::test]
async fn who_knows_the_run_resolves_a_doubt() {
    let (bench, task) = in_doubt().await;
    bench.provider.script().polls = [success(bench.clock.now())].into();
    bench.station.admin().resolve_task(task.task_id, found()).await.unwrap();
    bench.pass(2).await;
    let done = bench.task(task.task_id).await;
    assert_eq!(done.state.status, TaskStatus::Completed);
    assert_eq!(bench.provider.script().calls.submit, 1, "never sent again");
    let again = bench.station.admin().resolve_task(task.task_id, Resolution::NotSent).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    explained(&bench, &task).await;
}

#[tokio::test]
async fn who_knows_that_it_was_not_sent_resolves_a_doubt() {
    let (mut bench, task) = in_doubt().await;
    let ended = bench.station.admin().resolve_task(task.task_id, Resolution::NotSent).await.unwrap();
    assert_eq!(ended.state.status, TaskStatus::Failed);
    assert_eq!(ended.state.cost_usd.unwrap().to_string(), "0.000000000");
    bench.settle().await;
    assert_eq!((bench.told().len(), bench.provider.script().calls.submit), (1, 1));
    explained(&bench, &task).await;
}

#[tokio::test]
async fn after_the_deadline_a_review_finds_the_cost() {
    let (mut bench, task) = in_doubt().await;
    bench.pass(1).await;
    bench.clock.advance(Duration::from_secs(3_900));
    bench.settle().await;
    let ended = bench.task(task.task_id).await;
    assert_eq!((ended.state.status, ended.state.charged_usd()), (TaskStatus::TimedOut, None));
    assert_eq!(for_review(&bench).await, 1);
    bench.provider.script().polls = [report(RunStatus::Running), success(bench.clock.now())].into();
    let early = bench.station.admin().resolve_task(task.task_id, found()).await.unwrap_err();
    assert_eq!(early.kind(), ErrorKind::Conflict, "the run has not ended yet");
    assert_eq!(for_review(&bench).await, 1);
    let done = bench.station.admin().reconcile(task.task_id).await.unwrap();
    assert_eq!(done.state.status, TaskStatus::TimedOut, "an end stays an end");
    assert_eq!(done.state.cost_usd, None, "and so does its settlement");
    assert_eq!(done.state.charged_usd().unwrap().to_string(), "0.012500000");
    assert_eq!((done.state.outputs.len(), for_review(&bench).await), (1, 0));
    assert_eq!(bench.told().len(), 1);
    explained(&bench, &task).await;
}

#[tokio::test]
async fn after_the_deadline_nobody_may_ever_know() {
    for (resolution, charged) in [(Resolution::NotSent, Some("0.000000000")), (Resolution::GiveUp, None)] {
        let (bench, task) = in_doubt().await;
        bench.clock.advance(Duration::from_secs(3_900));
        bench.settle().await;
        let done = bench.station.admin().resolve_task(task.task_id, resolution).await.unwrap();
        assert_eq!(done.state.charged_usd().map(|usd| usd.to_string()).as_deref(), charged);
        assert_eq!((done.state.status, for_review(&bench).await), (TaskStatus::TimedOut, 0));
        explained(&bench, &task).await;
    }
}

#[tokio::test]
async fn a_run_that_outlasts_the_deadline_is_cancelled_and_reviewed() {
    let bench = Bench::new().await;
    bench.provider.script().polls = [report(RunStatus::Running)].into();
    bench.provider.script().cancel = Some(CancelAnswer::Accepted);
    let task = bench.run("x").await;
    bench.settle().await;
    bench.clock.advance(Duration::from_secs(3_900));
    bench.settle().await;
    let ended = bench.task(task.task_id).await.state;
    assert_eq!(ended.status, TaskStatus::TimedOut);
    let cancel = ended.cancel.unwrap();
    assert_eq!((cancel.by, cancel.outcome), (CancelledBy::Deadline, CancelOutcome::Accepted));
    assert_eq!(bench.provider.script().calls.cancel, 1);
    bench.hook(&task, &success(bench.clock.now())).await;
    bench.settle().await;
    assert_eq!(for_review(&bench).await, 1, "it made something all the same");
    bench.provider.script().polls = [success(bench.clock.now())].into();
    let done = bench.station.admin().reconcile(task.task_id).await.unwrap();
    assert_eq!((done.state.outputs.len(), for_review(&bench).await), (1, 0));
    explained(&bench, &task).await;
}

#[tokio::test]
async fn a_restored_store_submits_nothing_again() {
    let bench = Bench::new().await;
    let task = bench.run("x").await;
    // The backup is of this moment; its host submitted the task after it.
    let (namespace, key) = RESTORED_DOCUMENT;
    let mark = Bytes::from(serde_json::to_vec(&bench.clock.now()).unwrap());
    bench.store.put_document(namespace, key, None, mark).await.unwrap();
    bench.provider.script().lookups = [Ok(Lookup::Found(RunId::new("run-7").unwrap()))].into();
    let handle = bench.station.start().await.unwrap();
    handle.shutdown(Duration::from_secs(5)).await.unwrap();
    let bench = bench.restarted().await;
    bench.settle().await;
    let state = bench.task(task.task_id).await.state;
    assert_eq!(state.run_id, Some(RunId::new("run-7").unwrap()));
    assert_eq!(bench.provider.script().calls.submit, 0);
    // The mark is off: what comes after is submitted as ever.
    bench.run("y").await;
    bench.settle().await;
    assert_eq!(bench.provider.script().calls.submit, 1);
    explained(&bench, &task).await;
}
