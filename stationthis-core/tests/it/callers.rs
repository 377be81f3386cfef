//! What callers may and may not do.

use std::time::Duration;

use serde_json::{Value, json};
use stationthis_core::notify::NotifyTarget;
use stationthis_core::station::RunRequest;
use stationthis_core::store::TaskQuery;
use stationthis_core::task::report::RunStatus;
use stationthis_core::{Clock, ErrorKind, IdempotencyKey, TaskStatus};

use crate::bench::{Bench, caller, inputs, report, request, success};

#[tokio::test]
async fn a_caller_sees_and_touches_its_own_tasks_only() {
    let bench = Bench::new().await;
    let task = bench.run("x").await;
    let eve = bench.station.as_caller(caller("eve"));
    assert_eq!(eve.task(task.task_id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(eve.cancel(task.task_id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(eve.wait(task.task_id, Duration::ZERO).await.unwrap_err().kind(), ErrorKind::NotFound);
    let ada_s = TaskQuery { caller: Some(caller("ada")), ..query() };
    assert!(eve.list(ada_s).await.unwrap().tasks.is_empty(), "not even by asking for them");
    assert!(eve.events_after(Some(task.task_id), 0).await.unwrap().is_empty());
    let mut events = eve.events();
    bench.settle().await;
    assert!(tokio::time::timeout(Duration::from_millis(20), events.next()).await.is_err());
    assert_eq!(bench.station.admin().list(query()).await.unwrap().tasks.len(), 1);
}

fn query() -> TaskQuery {
    TaskQuery::default()
}

#[tokio::test]
async fn a_callers_own_targets_are_told_beside_the_policys_and_the_asked_ones() {
    let mut bench = Bench::new().await;
    let (ada, eve) = (bench.station.as_caller(caller("ada")), bench.station.as_caller(caller("eve")));
    let (own, asked) = (NotifyTarget::new("events", ""), NotifyTarget::new("desk", "3"));
    let set = ada.set_default_notify(&[own.clone(), own.clone()]).await.unwrap();
    assert_eq!(set, std::slice::from_ref(&own), "each once");
    assert_eq!(ada.default_notify().await.unwrap(), set);
    assert_eq!(eve.default_notify().await.unwrap(), [], "another caller's stay its own");
    let request = |prompt: &str| request(prompt).with_notify(vec![asked.clone()]);
    let task = ada.run(request("x")).await.unwrap();
    assert_eq!(task.notify, [NotifyTarget::new("log", ""), own.clone(), asked.clone()]);
    assert_eq!(eve.run(request("y")).await.unwrap().notify.len(), 2);
    bench.provider.script().polls = [success(bench.clock.now())].into();
    bench.pass(5).await;
    assert!(bench.told().iter().any(|notice| notice.target == own && notice.task.task_id == task.task_id));
    let many: Vec<_> = (0..17).map(|n| NotifyTarget::new("desk", n.to_string())).collect();
    for refused in [vec![NotifyTarget::new("pigeon", "loft")], vec![NotifyTarget::new("log", "nowhere")], many] {
        assert_eq!(ada.set_default_notify(&refused).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(ada.default_notify().await.unwrap(), [own], "what was refused changed nothing");
    ada.set_default_notify(&[]).await.unwrap();
    assert_eq!(ada.run(request("z")).await.unwrap().notify.len(), 2);
}

/// I12.
#[tokio::test]
async fn i12_the_same_key_is_the_same_task() {
    let bench = Bench::new().await;
    let ada = bench.station.as_caller(caller("ada"));
    let key = Some(IdempotencyKey::new("tap-1").unwrap());
    let first = ada.run(request("x").with_idempotency_key(key.clone())).await.unwrap();
    let second = ada.run(request("x").with_idempotency_key(key.clone())).await.unwrap();
    assert_eq!(first.task_id, second.task_id);
    let other = ada.run(request("y").with_idempotency_key(key.clone())).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Conflict);
    let eve = bench.station.as_caller(caller("eve"));
    assert_ne!(eve.run(request("x").with_idempotency_key(key)).await.unwrap().task_id, first.task_id);
    bench.settle().await;
    assert_eq!(bench.provider.script().calls.submit, 2);
}

async fn check_refused(inputs_given: Value, rules: &[&str]) {
    let bench = Bench::new().await;
    let ada = bench.station.as_caller(caller("ada"));
    let error = ada.run(RunRequest::new("echo", inputs(&inputs_given))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let mut found: Vec<_> = error.problems().iter().map(|p| p.rule.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, rules, "{inputs_given}: {error}");
    assert!(bench.station.admin().list(query()).await.unwrap().tasks.is_empty());
}

#[tokio::test]
async fn every_problem_of_the_inputs_is_named_at_once() {
    check_refused(json!({ "steps": 80, "promt": "x" }), &["maximum", "required", "unknownInput"]).await;
    check_refused(json!({ "prompt": 7 }), &["type"]).await;
    check_refused(json!({ "prompt": "a\u{0}b" }), &["nul"]).await;
}

#[tokio::test]
async fn an_unknown_tool_is_not_guessed_but_suggested() {
    let bench = Bench::new().await;
    let error = bench.station.admin().run(RunRequest::new("ecko", inputs(&json!({})))).await.unwrap_err();
    assert_eq!((error.kind(), error.suggestions()), (ErrorKind::NotFound, ["echo".to_owned()].as_slice()));
}

#[tokio::test]
async fn hostile_notes_are_refused() {
    let bench = Bench::new().await;
    let ada = bench.station.as_caller(caller("ada"));
    let nul = request("x").with_metadata(inputs(&json!({ "a": "\u{0}" })));
    assert_eq!(ada.run(nul).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    for nul in [json!({ "a\u{0}": 1 }), json!({ "a": [{ "b": ["\u{0}"] }] }), json!({ "a": { "\u{0}": null } })] {
        let error = ada.run(request("x").with_metadata(inputs(&nul))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{nul}");
    }
    // What spells it, as a source text may, is not it.
    let spelled = inputs(&json!({ "\\u0000": "a\\u0000b" }));
    assert_eq!(ada.run(request("x").with_metadata(spelled.clone())).await.unwrap().metadata, spelled);
    let large = request("x").with_metadata(inputs(&json!({ "a": "x".repeat(70_000) })));
    assert_eq!(ada.run(large).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let nobody = request("x").with_notify(vec![NotifyTarget::new("pigeon", "loft")]);
    assert!(ada.run(nobody).await.unwrap_err().message().unwrap().contains("no notifier"));
    for address in ["somewhere", &"x".repeat(2049)] {
        let misplaced = request("x").with_notify(vec![NotifyTarget::new("log", address)]);
        assert_eq!(ada.run(misplaced).await.unwrap_err().kind(), ErrorKind::InvalidInput, "asked of the notifier");
    }
    // I11: a caller's metadata cannot pose as a typed field.
    let posing = request("x").with_metadata(inputs(&json!({ "status": "completed", "costUsd": "0.000000000" })));
    assert_eq!(ada.run(posing).await.unwrap().state.status, TaskStatus::Accepted);
}

#[tokio::test]
async fn a_forged_webhook_changes_nothing() {
    let bench = Bench::new().await;
    let (task, other) = (bench.run("x").await, bench.run("y").await);
    bench.settle().await;
    let good = bench.hook_request(&task, &report(RunStatus::Failed));
    let mut forged = Vec::new();
    for query in ["", "t=k1.1.00", "t=k1.99999999999.abcd"] {
        let mut request = good.clone();
        query.clone_into(&mut request.query);
        forged.push(request);
    }
    let mut crossed = good.clone();
    crossed.path = bench.hook_request(&other, &report(RunStatus::Failed)).path;
    forged.push(crossed);
    let mut late = good.clone();
    late.received_at = task.state.deadline_at.plus(Duration::from_secs(7200));
    forged.push(late);
    for request in forged {
        assert_eq!(bench.station.receive_webhook(request).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    }
    bench.settle().await;
    assert_eq!(bench.task(task.task_id).await.state.counters.webhooks, 0);
    bench.station.receive_webhook(good).await.unwrap();
    bench.station.tick().await.unwrap();
    assert_eq!(bench.task(task.task_id).await.state.counters.webhooks, 1);
}

#[tokio::test]
async fn waiting_ends_with_the_task_and_updates_are_numbered() {
    let bench = Bench::new().await;
    let task = bench.run("x").await;
    bench.provider.script().polls = [success(bench.clock.now())].into();
    let ada = bench.station.as_caller(caller("ada"));
    let mut updates = ada.events();
    let (waited, ()) = tokio::join!(ada.wait(task.task_id, Duration::from_secs(20)), bench.pass(3));
    assert_eq!(waited.unwrap().state.status, TaskStatus::Completed);
    let mut last = 0;
    loop {
        let update = updates.next().await.unwrap().unwrap();
        assert!(update.seq > last);
        last = update.seq;
        assert!(update.task.inputs_asked.is_empty() && update.task.inputs_sent.is_empty());
        assert_eq!(update.task.task_id, task.task_id);
        if update.task.is_terminal() {
            break;
        }
    }
}
