//! The life of a task, without accidents.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stationthis_core::cost::{CostModel, UsageBasis};
use stationthis_core::provider::{CancelAnswer, Diagnosis, Lookup};
use stationthis_core::store::MemoryStore;
use stationthis_core::task::event::{Event, Witness};
use stationthis_core::task::report::RunStatus;
use stationthis_core::task::state::{CancelOutcome, Flag};
use stationthis_core::testkit::ScriptedProvider;
use stationthis_core::tool::TimeoutRow;
use stationthis_core::{Clock, Effect, Error, ErrorKind, FailureRecord, Policy, Retry, RunId, RunRequest, TaskStatus};

use crate::bench::{Bench, caller, inputs, report, success};

#[tokio::test]
async fn a_task_is_submitted_followed_settled_and_told() {
    let mut bench = Bench::new().await;
    let start = bench.clock.now();
    let task = bench.run("a red fox").await;
    assert_eq!(task.state.status, TaskStatus::Accepted);
    assert_eq!(task.inputs_asked.len(), 1);
    assert_eq!(task.inputs_sent["steps"], 20, "defaults are filled in");
    bench.provider.script().polls = [success(start)].into();
    bench.station.tick().await.unwrap();
    bench.hook(&task, &report(RunStatus::Running)).await;
    bench.station.tick().await.unwrap();
    assert_eq!(bench.task(task.task_id).await.state.status, TaskStatus::Running);
    bench.clock.advance(Duration::from_secs(36));
    bench.hook(&task, &report(RunStatus::Succeeded)).await;
    bench.settle().await;

    let done = bench.task(task.task_id).await;
    assert_eq!(done.state.status, TaskStatus::Completed);
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.012500000", "25 s at 0.0005 USD");
    assert_eq!(done.state.usage.as_ref().unwrap().basis, UsageBasis::ProviderRun);
    assert_eq!(done.state.outputs.len(), 1);
    assert_eq!(done.quote.ceiling_usd.unwrap().to_string(), "0.150000000");
    let told = bench.told();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].task.task_id, told[0].attempt), (task.task_id, 1));
    let calls = bench.provider.script().calls;
    assert_eq!((calls.submit, calls.poll), (1, 1), "completed by a poll, not by the hook alone");
    let events = bench.station.admin().events_after(Some(task.task_id), 0).await.unwrap();
    let polled = events.iter().any(|e| matches!(e.event.what, Event::Reported { witness: Witness::Poll, .. }));
    assert!(polled && events.windows(2).all(|pair| pair[0].seq < pair[1].seq));
}

#[tokio::test]
async fn with_every_webhook_lost_polls_bring_the_end() {
    let mut bench = Bench::new().await;
    let task = bench.run("a red fox").await;
    let start = bench.clock.now();
    bench.provider.script().polls = [report(RunStatus::Queued), report(RunStatus::Running), success(start)].into();
    bench.pass(5).await;
    let done = bench.task(task.task_id).await;
    assert_eq!((done.state.status, done.state.counters.polls), (TaskStatus::Completed, 3));
    assert_eq!(bench.told().len(), 1);
}

#[tokio::test]
async fn a_refused_submission_ends_the_task_at_no_cost() {
    let bench = Bench::new().await;
    let refused = Error::new(ErrorKind::Forbidden, "submit run").with_message("No credit.").with_http(403, "{}");
    bench.provider.script().submits = [Err(refused)].into();
    let task = bench.run("x").await;
    bench.settle().await;
    let done = bench.task(task.task_id).await;
    assert_eq!(done.state.status, TaskStatus::Failed);
    let reason = done.state.status_reason.unwrap();
    assert_eq!(
        (reason.code.as_str(), reason.message.as_str(), reason.http_status),
        ("refused", "No credit.", Some(403))
    );
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.000000000");
    assert_eq!(done.state.settlement.unwrap().basis, UsageBasis::NotRun);
}

#[tokio::test]
async fn a_submission_without_effect_is_tried_again() {
    let bench = Bench::new().await;
    let down = || Err(Error::new(ErrorKind::Unavailable, "submit run").with_retry(Retry::Backoff));
    bench.provider.script().submits = [down(), down()].into();
    let task = bench.run("x").await;
    bench.pass(10).await;
    let now = bench.task(task.task_id).await;
    assert_eq!(now.state.submit_attempts, 3);
    assert_eq!(now.state.run_id.unwrap().as_str(), "run-3");
}

fn lost() -> Error {
    Error::new(ErrorKind::Timeout, "submit run").with_effect(Effect::Unknown)
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_never_sent_again() {
    let bench = Bench::new().await;
    bench.provider.script().submits = [Err(lost())].into();
    bench.provider.script().lookups = [Ok(Lookup::Absent), Ok(Lookup::Found(RunId::new("run-1").unwrap()))].into();
    let task = bench.run("x").await;
    bench.provider.script().polls = [success(bench.clock.now())].into();
    bench.settle().await;
    assert_eq!(bench.task(task.task_id).await.state.status, TaskStatus::InDoubt);
    bench.pass(15).await;
    assert_eq!(bench.task(task.task_id).await.state.status, TaskStatus::Completed);
    assert_eq!(bench.provider.script().calls.submit, 1);
}

#[tokio::test]
async fn a_run_that_is_nowhere_was_not_submitted() {
    let bench = Bench::new().await;
    bench.provider.script().submits = [Err(lost())].into();
    let task = bench.run("x").await;
    bench.pass(119).await;
    assert_eq!(bench.task(task.task_id).await.state.status, TaskStatus::InDoubt, "no answer came: two minutes");
    bench.pass(15).await;
    let done = bench.task(task.task_id).await;
    assert_eq!(done.state.status_reason.unwrap().code, "notSubmitted");
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.000000000");
    assert_eq!(bench.provider.script().calls.submit, 1);
}

/// I4: terminal by the deadline with no callbacks, and an unknown cost is not zero.
#[tokio::test]
async fn i04_a_run_that_never_ends_times_out_with_a_bound() {
    let mut bench = Bench::new().await;
    let task = bench.run("x").await;
    bench.provider.script().polls = [report(RunStatus::Running)].into();
    bench.settle().await;
    bench.clock.set(task.state.deadline_at);
    bench.settle().await;
    let done = bench.task(task.task_id).await;
    assert_eq!(done.state.status, TaskStatus::TimedOut);
    assert_eq!(done.state.cost_usd, None);
    let bound = done.state.settlement.unwrap().bound_usd.unwrap();
    assert_eq!(bound.to_string(), "1.950000000", "3,900 s at 0.0005 USD");
    assert_eq!(bench.told().len(), 1);
}

#[tokio::test]
async fn the_reason_of_a_failure_is_found_and_told() {
    let mut bench = Bench::new().await;
    let task = bench.run("x").await;
    bench.provider.script().polls = [report(RunStatus::Failed)].into();
    let failure = FailureRecord::new("runFailed", "Out of memory.");
    bench.provider.script().diagnoses = [Diagnosis::new(failure, vec![])].into();
    bench.pass(3).await;
    let done = bench.task(task.task_id).await;
    assert_eq!(done.state.status_reason.unwrap().message, "Out of memory.");
    assert_eq!(bench.told()[0].task.state.status_reason.as_ref().unwrap().message, "Out of memory.");
}

#[tokio::test]
async fn a_cancel_is_a_wish() {
    let bench = Bench::new().await;
    let early = bench.run("x").await;
    let cancelled = bench.station.admin().cancel(early.task_id).await.unwrap();
    assert_eq!(cancelled.state.status, TaskStatus::Cancelled);
    assert_eq!(cancelled.state.cost_usd.unwrap().to_string(), "0.000000000");
    bench.settle().await;
    assert_eq!(bench.provider.script().calls.submit, 0, "it is not submitted after all");

    let task = bench.run("y").await;
    bench.provider.script().polls = [report(RunStatus::Running)].into();
    bench.settle().await;
    let wished = bench.station.admin().cancel(task.task_id).await.unwrap();
    assert_eq!(wished.state.cancel.unwrap().outcome, CancelOutcome::Pending);
    bench.settle().await;
    let refused = bench.task(task.task_id).await.state.cancel.unwrap();
    assert_eq!((refused.outcome, refused.reason.as_deref()), (CancelOutcome::Refused, Some("It cannot be cancelled.")));

    let other = bench.run("z").await;
    bench.provider.script().cancel = Some(CancelAnswer::Accepted);
    bench.settle().await;
    bench.station.admin().cancel(other.task_id).await.unwrap();
    let mut ended = report(RunStatus::Cancelled);
    ended.run_id = RunId::new("run-2").unwrap();
    bench.provider.script().polls = [ended].into();
    bench.pass(2).await;
    assert_eq!(bench.task(other.task_id).await.state.status, TaskStatus::Cancelled);
}

#[tokio::test]
async fn what_comes_late_is_flagged_and_changes_nothing() {
    let mut bench = Bench::new().await;
    let task = bench.run("x").await;
    bench.provider.script().polls = [success(bench.clock.now())].into();
    bench.pass(3).await;
    let done = bench.task(task.task_id).await;
    bench.told();
    bench.hook(&task, &report(RunStatus::Failed)).await;
    bench.settle().await;
    let after = bench.task(task.task_id).await;
    assert!(after.state.flags.contains(&Flag::LateReport));
    assert_eq!((after.state.cost_usd, after.state.outputs), (done.state.cost_usd, done.state.outputs));
    assert!(bench.told().is_empty());
}

#[tokio::test]
async fn a_record_is_one_flat_object() {
    let bench = Bench::new().await;
    let task = bench.run("x").await;
    bench.provider.script().polls = [success(bench.clock.now())].into();
    bench.pass(3).await;
    let done = bench.task(task.task_id).await;
    let json = serde_json::to_value(&done).unwrap();
    assert_eq!(json["taskId"], json!(task.task_id.to_string()));
    assert_eq!(json["status"], "completed");
    assert_eq!(json["costUsd"], "0.012500000");
    assert_eq!(json["costRate"]["amount"], "0.0005");
    assert_eq!(json["usage"]["amounts"]["second"], "25");
    assert_eq!(json["outputs"][0]["kind"], "image");
    assert_eq!(serde_json::from_value::<stationthis_core::TaskRecord>(json).unwrap(), done);
}

#[tokio::test]
async fn a_tool_has_an_estimate_and_a_typical_duration_before_its_inputs_are_known() {
    let bench = Bench::new().await;
    let admin = bench.station.admin();
    let tool = admin.resolve("echo").unwrap();
    assert_eq!((admin.estimate(&tool).unwrap().expected_usd, admin.typical_duration(&tool)), (None, None));
    bench.run("x").await;
    bench.provider.script().polls = [success(bench.clock.now())].into();
    bench.pass(3).await;
    // The prompt is required: a quote of no inputs is refused, an estimate is not.
    assert!(admin.quote("echo", &inputs(&json!({}))).is_err());
    assert_eq!(admin.estimate(&tool).unwrap().expected_usd.unwrap().to_string(), "0.012500000");
    assert_eq!(admin.typical_duration(&tool), Some(Duration::from_secs(1)));
}

#[tokio::test]
async fn a_quote_expects_what_earlier_runs_used_and_remembers_it() {
    let bench = Bench::new().await;
    let admin = |bench: &Bench| bench.station.admin().quote("echo", &inputs(&json!({ "prompt": "x" }))).unwrap().quote;
    assert_eq!(admin(&bench).expected_usd, None);
    bench.run("x").await;
    bench.provider.script().polls = [success(bench.clock.now())].into();
    bench.pass(3).await;
    assert_eq!(admin(&bench).expected_usd.unwrap().to_string(), "0.012500000");
    bench.station.refresh().await.unwrap();
    let bench = bench.restarted().await;
    let handle = bench.station.start().await.unwrap();
    assert_eq!(admin(&bench).expected_usd.unwrap().to_string(), "0.012500000", "after a restart too");
    handle.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_deadline_follows_the_run_timeout_of_the_inputs() {
    let provider = ScriptedProvider::new().unwrap();
    let mut tool = provider.tool().unwrap();
    tool.limits.run_timeout_when = vec![TimeoutRow::new(inputs(&json!({ "steps": 50 })), 172_800)];
    let card = provider.builtin_card();
    for (fixed, steps, expected_s) in [(None, 20, 3_900), (None, 50, 176_400), (Some(600), 50, 600)] {
        let mut policy = Policy::default();
        policy.task_deadline = fixed.map(Duration::from_secs);
        let provider = provider.clone().offering(tool.clone(), card.clone());
        let bench = Bench::with_policy(Arc::new(MemoryStore::new()), provider, policy).await;
        let wish = RunRequest::new("echo", inputs(&json!({ "prompt": "x", "steps": steps })));
        let task = bench.station.as_caller(caller("ada")).run(wish).await.unwrap();
        assert_eq!(
            task.state.deadline_at.since(bench.clock.now()),
            Duration::from_secs(expected_s),
            "{fixed:?} {steps}"
        );
    }
}
