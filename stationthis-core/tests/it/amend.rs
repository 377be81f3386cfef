//! What of a task its caller may change, and that the machine does not notice.

use serde_json::{Map, Value, json};
use stationthis_core::notify::NotifyTarget;
use stationthis_core::station::TaskAmendment;
use stationthis_core::task::event::{Event, OwnField};
use stationthis_core::task::report::RunStatus;
use stationthis_core::{Clock, ErrorKind, TaskId, TaskRecord, TaskStatus};

use crate::bench::{Bench, caller, inputs, report, success};

fn metadata(order: u64) -> Map<String, Value> {
    inputs(&json!({ "order": order }))
}

fn amendment(order: u64) -> TaskAmendment {
    TaskAmendment::default().with_metadata(Some(metadata(order)))
}

fn told(target: &str) -> TaskAmendment {
    TaskAmendment::default().with_notify(Some(vec![NotifyTarget::new("desk", target)]))
}

async fn amended(bench: &Bench, id: TaskId, amendment: TaskAmendment) -> TaskRecord {
    bench.station.as_caller(caller("ada")).amend(id, amendment).await.unwrap()
}

#[tokio::test]
async fn what_is_the_callers_changes_and_an_event_says_so() {
    let bench = Bench::new().await;
    let task = bench.run("x").await;
    let wish = amendment(1).with_initiating_event_id(Some("tap-2".to_owned()));
    let changed = amended(&bench, task.task_id, wish.clone()).await;
    assert_eq!((changed.revision, &changed.metadata), (task.revision + 1, &metadata(1)));
    assert_eq!((changed.initiating_event_id.as_deref(), &changed.notify), (Some("tap-2"), &task.notify));
    assert_eq!(bench.task(task.task_id).await, changed, "and its events still give its state");
    assert_eq!(amended(&bench, task.task_id, wish).await, changed, "what changes nothing writes nothing");
    let story = bench.station.admin().explain(task.task_id).await.unwrap().events;
    let fields = vec![OwnField::Metadata, OwnField::InitiatingEventId];
    let said: Vec<_> = story.into_iter().map(|stored| stored.event.what).skip(1).collect();
    assert_eq!(said, [Event::Amended { by: "ada".to_owned(), fields }]);
}

#[tokio::test]
async fn a_caller_who_amends_all_the_time_puts_nothing_off() {
    let bench = Bench::new().await;
    bench.provider.script().polls = [report(RunStatus::Running)].into();
    let task = bench.run("x").await;
    bench.pass(3).await;
    let before = bench.task(task.task_id).await;
    assert_eq!(before.state.status, TaskStatus::Running);
    for order in 0..60 {
        bench.clock.advance(std::time::Duration::from_secs(1));
        let due_at = bench.task(task.task_id).await.due_at;
        let changed = amended(&bench, task.task_id, amendment(order)).await;
        assert_eq!((changed.due_at, changed.submit_at), (due_at, None));
        bench.settle().await;
    }
    let polls = bench.task(task.task_id).await.state.counters.polls - before.state.counters.polls;
    assert!(polls > 5, "{polls} polls in a minute");
}

#[tokio::test]
async fn a_change_during_a_submission_is_kept_and_nothing_is_sent_twice() {
    let bench = Bench::new().await;
    bench.provider.script().polls = [report(RunStatus::Running)].into();
    let task = bench.run("x").await;
    bench.provider.close_gate();
    let station = bench.station.clone();
    let ticking = tokio::spawn(async move { station.tick().await.unwrap() });
    while bench.provider.script().calls.submit == 0 {
        tokio::task::yield_now().await;
    }
    let changed = amended(&bench, task.task_id, amendment(1)).await;
    assert_eq!(changed.state.status, TaskStatus::Submitting);
    bench.settle().await;
    let state = bench.task(task.task_id).await.state;
    assert_eq!((state.status, state.doubt), (TaskStatus::Submitting, None), "nobody else took it up");
    bench.provider.open_gate();
    ticking.await.unwrap();
    bench.pass(2).await;
    let task = bench.task(task.task_id).await;
    assert_eq!((task.state.status, &task.metadata), (TaskStatus::Running, &metadata(1)));
    assert_eq!(bench.provider.script().calls.submit, 1, "once");
}

#[tokio::test]
async fn who_is_told_may_be_changed_until_the_end() {
    let bench = Bench::new().await;
    let ada = bench.station.as_caller(caller("ada"));
    ada.set_default_notify(&[NotifyTarget::new("desk", "default")]).await.unwrap();
    let task = bench.run("x").await;
    let log = NotifyTarget::new("log", "");
    let desk = |name: &str| NotifyTarget::new("desk", name);
    // By the administrator too: the defaults are the caller's.
    let changed = bench.station.admin().amend(task.task_id, told("new")).await.unwrap();
    assert_eq!(changed.notify, [log.clone(), desk("default"), desk("new")]);
    bench.provider.script().polls = [success(bench.clock.now())].into();
    bench.pass(5).await;
    assert!(bench.task(task.task_id).await.is_terminal());
    let notices = ada.notices(Default::default()).await.unwrap().notices;
    let mut targets: Vec<_> = notices.into_iter().map(|notice| notice.target).collect();
    targets.sort();
    assert_eq!(targets, [desk("default"), desk("new"), log], "as it was at the end");

    let late = ada.amend(task.task_id, amendment(1).with_notify(told("late").notify)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict, "{late}");
    assert!(bench.task(task.task_id).await.metadata.is_empty(), "all of it or nothing");
    let changed = amended(&bench, task.task_id, amendment(1).with_notify(told("new").notify)).await;
    assert_eq!(changed.metadata, metadata(1), "the same targets again are no change");
}

#[tokio::test]
async fn what_may_not_be_is_refused_and_changes_nothing() {
    let bench = Bench::new().await;
    let task = bench.run("x").await;
    let ada = bench.station.as_caller(caller("ada"));
    let long = "x".repeat(64 * 1024);
    let event = |text: &str| TaskAmendment::default().with_initiating_event_id(Some(text.to_owned()));
    for bad in [
        TaskAmendment::default().with_metadata(Some(inputs(&json!({ "a": long })))),
        TaskAmendment::default().with_metadata(Some(inputs(&json!({ "a": "\u{0}" })))),
        event(&"x".repeat(257)),
        event("a\0"),
        amendment(7).with_notify(Some(vec![NotifyTarget::new("pigeon", "")])),
    ] {
        let refused = ada.amend(task.task_id, bad.clone()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{bad:?}");
    }
    assert_eq!(bench.task(task.task_id).await, task);
    let eve = bench.station.as_caller(caller("eve"));
    assert_eq!(eve.amend(task.task_id, amendment(9)).await.unwrap_err().kind(), ErrorKind::NotFound);
}
