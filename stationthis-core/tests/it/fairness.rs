//! Run slots, and whose turn it is.

use std::sync::Arc;
use std::time::Duration;

use stationthis_core::store::MemoryStore;
use stationthis_core::task::report::RunStatus;
use stationthis_core::testkit::{ANY_RUN, ScriptedProvider};
use stationthis_core::{Clock, Policy, RunId, TaskStatus};

use crate::bench::{Bench, caller, report, request, success};

async fn bench(runs_max: usize) -> Bench {
    let mut policy = Policy::default();
    policy.runs_max = runs_max;
    let store = Arc::new(MemoryStore::new());
    Bench::with_policy(store, ScriptedProvider::new().unwrap(), policy).await
}

/// I18: 588 requests of one user, then one of another: it waits for one run slot at most.
#[tokio::test]
async fn i18_a_burst_of_one_caller_delays_anothers_task_by_one_slot() {
    let bench = bench(2).await;
    let mut ends = success(bench.clock.now());
    ends.run_id = RunId::new(ANY_RUN).unwrap();
    bench.provider.script().polls = [ends].into();
    let (ada, eve) = (bench.station.as_caller(caller("ada")), bench.station.as_caller(caller("eve")));
    for _ in 0..588 {
        ada.run(request("burst")).await.unwrap();
    }
    bench.settle().await;
    let at_work = bench.provider.script().submitted.len();
    assert_eq!(at_work, 2, "the others wait for a slot");
    let single = eve.run(request("one")).await.unwrap();
    bench.pass(4).await;
    let order = bench.provider.script().submitted.clone();
    let turn = order.iter().position(|task| *task == single.task_id).expect("it was submitted");
    assert!(turn <= at_work + 1, "behind {} tasks of the burst that came first", turn - at_work);
    assert_eq!(bench.task(single.task_id).await.state.status, TaskStatus::Completed);
    // And the burst goes on: nobody is starved by taking turns.
    bench.pass(40).await;
    assert!(bench.provider.script().submitted.len() > 20);
}

#[tokio::test]
async fn a_slot_is_free_again_when_its_run_ends_or_was_never_made() {
    let bench = bench(1).await;
    bench.provider.script().polls = [report(RunStatus::Running)].into();
    let (first, second) = (bench.run("a").await, bench.run("b").await);
    bench.pass(30).await;
    assert_eq!(bench.task(first.task_id).await.state.status, TaskStatus::Running);
    assert_eq!(bench.task(second.task_id).await.state.status, TaskStatus::Accepted, "no slot");
    bench.hook(&first, &report(RunStatus::Succeeded)).await;
    bench.settle().await;
    assert_eq!(bench.provider.script().submitted, [first.task_id, second.task_id], "its end was reported");
}

#[tokio::test]
async fn a_task_that_never_gets_a_slot_ends_at_its_deadline_at_no_cost() {
    let bench = bench(1).await;
    bench.provider.script().polls = [report(RunStatus::Running)].into();
    bench.provider.script().cancel = None;
    let (_, waiting) = (bench.run("a").await, bench.run("b").await);
    bench.settle().await;
    bench.clock.advance(Duration::from_secs(3_900));
    // The deadline of the first frees the slot at the same moment; the second one's has passed then too.
    bench.settle().await;
    let ended = bench.task(waiting.task_id).await;
    assert_eq!(ended.state.status, TaskStatus::Failed);
    assert_eq!(ended.state.status_reason.unwrap().code, "notSubmitted");
    assert_eq!(ended.state.cost_usd.unwrap().to_string(), "0.000000000");
    assert_eq!(bench.provider.script().calls.submit, 1);
}
