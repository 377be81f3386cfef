use std::time::Duration;

use super::*;
use crate::cost::CostModel;
use crate::id::{NoticeId, RunId, TaskId};
use crate::json_doc::JsonDoc;
use crate::notify::{EventsNotifier, Notice, NoticeKind, Notifier, NotifyTarget, Receipt};
use crate::provider::{RunRef, ServiceProvider, SubmitRequest};
use crate::store::{Appended, MemoryStore, TaskStore};
use crate::testkit::ScriptedProvider;
use crate::testkit::store_suite::fixtures::{at, hook, task};
use crate::tool::ExactlyOnce;

fn store(plan: FaultPlan) -> Faulty<dyn TaskStore> {
    Faulty::new(Arc::new(MemoryStore::new()), plan)
}

fn first(fault: Fault) -> FaultPlan {
    FaultPlan::new(1).at("append_inbox", 1, fault)
}

async fn kept(store: &Faulty<dyn TaskStore>) -> u64 {
    store.inner().stats().await.unwrap().inbox
}

#[tokio::test(start_paused = true)]
async fn a_call_fails_on_the_side_that_was_planned() {
    for (fault, effect, written) in [(Fault::FailBefore, Effect::No, 0), (Fault::ReplyLost, Effect::Unknown, 1)] {
        let store = store(first(fault));
        let error = store.append_inbox(&hook(None, "a")).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry(), error.effect()),
            (ErrorKind::StoreUnavailable, Retry::Backoff, effect)
        );
        assert_eq!(kept(&store).await, written, "{fault:?}");
        assert_eq!(store.injected(fault), 1);
        store.append_inbox(&hook(None, "b")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_done_twice_and_answered_once() {
    let store = store(first(Fault::Duplicate));
    assert_eq!(store.append_inbox(&hook(None, "a")).await.unwrap(), Appended::New(1));
    assert_eq!(store.append_inbox(&hook(None, "a")).await.unwrap(), Appended::Copy(1));
    let claim = crate::testkit::store_suite::fixtures::claim("a", at(9));
    assert_eq!(store.claim_inbox(&claim).await.unwrap().items[0].1.copies, 3);
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_takes_a_while_and_a_reordered_one_is_overtaken() {
    let started = tokio::time::Instant::now();
    let slow = store(first(Fault::Slow).with_slow_max(Duration::from_millis(500)));
    slow.append_inbox(&hook(None, "a")).await.unwrap();
    assert!((Duration::from_millis(1)..=Duration::from_millis(502)).contains(&started.elapsed()));
    let reordered = store(first(Fault::Reorder));
    let (a, b) = (hook(None, "a"), hook(None, "b"));
    let (a, b) = tokio::join!(reordered.append_inbox(&a), reordered.append_inbox(&b));
    assert_eq!((a.unwrap(), b.unwrap()), (Appended::New(2), Appended::New(1)));
    let alone = store(first(Fault::Reorder));
    alone.append_inbox(&hook(None, "a")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_nothing_returns_until_it_is_started_again() {
    for (fault, written) in [(Fault::CrashBefore, 0), (Fault::CrashAfter, 1)] {
        let store = store(first(fault));
        let (a, b) = (hook(None, "a"), hook(None, "b"));
        let mut dying = std::pin::pin!(store.append_inbox(&a));
        let mut late = std::pin::pin!(async {
            store.until_crashed().await;
            store.append_inbox(&b).await
        });
        let hour = Duration::from_secs(3600);
        let both = async { tokio::join!(&mut dying, &mut late) };
        assert!(tokio::time::timeout(hour, both).await.is_err(), "{fault:?}");
        assert!(store.is_crashed());
        assert_eq!(kept(&store).await, written, "{fault:?}");
        store.restart();
        assert!(!store.is_crashed());
        assert!(store.get(task("anna").task_id).await.unwrap().is_none(), "a new call is answered");
        assert!(tokio::time::timeout(hour, dying).await.is_err(), "one of before is not");
        assert!(tokio::time::timeout(hour, late).await.is_err());
        assert_eq!(kept(&store).await, written, "and does nothing any more");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_of_a_dead_process_writes_nothing() {
    let store = store(first(Fault::Slow));
    let item = hook(None, "a");
    let mut slow = std::pin::pin!(store.append_inbox(&item));
    assert!(futures_util::poll!(&mut slow).is_pending());
    store.restart();
    assert!(tokio::time::timeout(Duration::from_secs(3600), slow).await.is_err());
    assert_eq!(kept(&store).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_submission_is_doubled_only_where_one_run_is_promised() {
    let request = {
        let tool = ScriptedProvider::new().unwrap().tool().unwrap();
        SubmitRequest::new(TaskId::generate(), tool.tool_id, JsonDoc::default(), serde_json::Map::new())
    };
    let plan = FaultPlan::new(1).with(Fault::Duplicate, 1000);
    for (class, calls) in [(ExactlyOnce::Lookup, 1), (ExactlyOnce::None, 1), (ExactlyOnce::IdempotencyKey, 2)] {
        let inner = ScriptedProvider::new().unwrap().with_exactly_once(class);
        let faulty: Faulty<dyn ServiceProvider> = Faulty::new(Arc::new(inner.clone()), plan.clone());
        assert_eq!(faulty.submit(&request).await.unwrap().run_id.as_str(), "run-1");
        assert_eq!(inner.script().calls.submit, calls, "{class:?}");
    }
    let inner = ScriptedProvider::new().unwrap();
    let plan = FaultPlan::new(1).at("submit", 1, Fault::ReplyLost).at("poll", 1, Fault::FailBefore);
    let faulty: Faulty<dyn ServiceProvider> = Faulty::new(Arc::new(inner.clone()), plan);
    let error = faulty.submit(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, Effect::Unknown));
    let run = RunRef::new(request.task_id, RunId::new("run-1").unwrap(), JsonDoc::default());
    assert_eq!(faulty.poll(&run).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let calls = inner.script().calls;
    assert_eq!((calls.submit, calls.poll), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn notifiers_and_prices_fail_as_well() {
    let events = EventsNotifier::new();
    let mut heard = events.subscribe();
    let plan = FaultPlan::new(1).at("deliver", 1, Fault::FailBefore).at("deliver", 2, Fault::ReplyLost);
    let faulty: Faulty<dyn Notifier> = Faulty::new(Arc::new(events), plan);
    assert_eq!((faulty.channel(), faulty.destination("a").as_str()), ("events", ""));
    let (task, target) = (task("anna"), NotifyTarget::new("events", ""));
    let id = NoticeId::derive(task.task_id, "finished", "events");
    let notice = Notice::new(id, target, NoticeKind::Finished, 1, task);
    assert!(matches!(faulty.deliver(&notice).await, Receipt::Retry { .. }));
    assert!(heard.try_recv().is_err());
    assert!(matches!(faulty.deliver(&notice).await, Receipt::Retry { .. }));
    assert_eq!(heard.try_recv().unwrap().id, id, "it arrived, and nobody knows");
    assert_eq!(faulty.deliver(&notice).await, Receipt::Delivered);
    let scripted = ScriptedProvider::new().unwrap();
    let (tool, card) = (scripted.tool().unwrap(), scripted.builtin_card());
    let prices: Faulty<dyn CostModel> =
        Faulty::new(Arc::new(scripted), FaultPlan::new(1).at("rate", 2, Fault::FailBefore));
    assert!(prices.rate(&tool, &card).is_ok());
    assert_eq!(prices.rate(&tool, &card).unwrap_err().kind(), ErrorKind::Unpriced);
}
