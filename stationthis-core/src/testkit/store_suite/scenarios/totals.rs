//! Scenarios of sums, and of forgetting.

use crate::id::{CallerId, IdempotencyKey, ProviderId, RunId, TaskId, ToolId};
use crate::money::Usd;
use crate::store::{
    Change, EventQuery, NoticeOutcome, NoticeQuery, PAGE_MAX, StoreStats, TaskQuery, TaskStore, Total, TotalsQuery,
};
use crate::task::TaskRecord;
use crate::task::state::{Flag, TaskStatus};
use crate::testkit::store_suite::StoreFixture;
use crate::testkit::store_suite::fixtures::{
    at, claim, commit, ended, event, full_task, hook, insert, kept, notice_id, task, with_notices,
};
use crate::time::Timestamp;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn totals(store: &dyn TaskStore) -> Vec<Total> {
    store.totals(&TotalsQuery::default()).await.unwrap()
}

/// Month or day, caller, tool, tasks, nano-dollars, unknown.
fn row(total: &Total) -> (&str, &str, &str, u64, i64, u64) {
    let Total { month, day, caller, tool_id, tasks, cost_usd, unknown } = total;
    (day.as_ref().unwrap_or(month), caller.as_str(), tool_id.as_str(), *tasks, cost_usd.nanos(), *unknown)
}

pub async fn stats_count_what_is_to_be_done(fixture: &StoreFixture) {
    let store = fixture.store();
    assert_eq!(store.stats().await.unwrap(), StoreStats::default());
    let (here, elsewhere) = (task("anna").provider_id, ProviderId::new("elsewhere").unwrap());
    let mut running = task("anna");
    running.state.status = TaskStatus::Running;
    let there = TaskRecord { provider_id: elsewhere.clone(), ..running.clone() };
    let mut odd = ended("bert", at(1), None);
    odd.state.flags.insert(Flag::NeedsReview);
    for record in [running, TaskRecord { task_id: TaskId::generate(), ..there }, task("anna"), task("bert"), odd] {
        insert(store, &record).await;
    }
    let told = ended("anna", at(1), None);
    insert(store, &told).await;
    let told = commit(store, with_notices(told, &[("a", at(1)), ("b", at(1)), ("c", at(1)), ("d", at(1))])).await;
    for (channel, outcome) in [("a", NoticeOutcome::Delivered), ("b", NoticeOutcome::Dead("gone".to_owned()))] {
        store.finish_notice(notice_id(&told, channel), &outcome, None).await.unwrap();
    }
    kept(store, &hook(None, "1")).await;
    kept(store, &hook(None, "2")).await;
    // What is leased is still to be done.
    let everything = claim("a", at(9));
    store.claim_notices(&everything).await.unwrap();
    store.claim_inbox(&everything).await.unwrap();
    let stats = store.stats().await.unwrap();
    let tasks =
        [(here.clone(), TaskStatus::Accepted, 2), (here, TaskStatus::Running, 1), (elsewhere, TaskStatus::Running, 1)];
    assert_eq!(stats.tasks, tasks);
    assert_eq!((stats.notices_pending, stats.notices_dead, stats.oldest_notice_at), (2, 1, Some(at(5))));
    assert_eq!((stats.inbox, stats.oldest_webhook_at, stats.needs_review), (2, Some(at(3)), 1));
    let events = store.events(&EventQuery::default()).await.unwrap();
    assert_eq!(Some(stats.last_event), events.last().map(|event| event.seq));
}

/// Tasks that ended in two months, for two callers, with two tools.
async fn a_history(store: &dyn TaskStore) {
    let last = time("2026-10-31T23:59:59.999999Z");
    let first = time("2026-11-01T00:00:00Z");
    let mut other = ended("bert", first, Some(Usd::from_nanos(5)));
    other.tool_id = ToolId::new("comfydeploy:other").unwrap();
    let history = [
        ended("bert", last, Some(Usd::from_nanos(1_000_000_007))),
        ended("anna", first, Some(Usd::from_nanos(3))),
        ended("anna", time("2026-11-30T12:00:00Z"), Some(Usd::from_nanos(4))),
        ended("anna", first, None),
        other,
        task("anna"),
    ];
    for record in history {
        insert(store, &record).await;
    }
}

pub async fn totals_add_up_what_ended(fixture: &StoreFixture) {
    let store = fixture.store();
    assert_eq!(totals(store).await, []);
    a_history(store).await;
    let all = totals(store).await;
    let expected = [
        ("2026-10", "bert", "comfydeploy:dep_1", 1, 1_000_000_007, 0),
        ("2026-11", "anna", "comfydeploy:dep_1", 3, 7, 1),
        ("2026-11", "bert", "comfydeploy:other", 1, 5, 0),
    ];
    assert_eq!(all.iter().map(row).collect::<Vec<_>>(), expected);
    let of = async |caller: Option<&str>, month: Option<&str>| {
        let caller = caller.map(|caller| CallerId::new(caller).unwrap());
        store.totals(&TotalsQuery { caller, month: month.map(str::to_owned), by_day: false }).await.unwrap()
    };
    assert_eq!(of(Some("bert"), None).await, [all[0].clone(), all[2].clone()]);
    assert_eq!(of(None, Some("2026-11")).await, all[1..]);
    assert_eq!(of(Some("bert"), Some("2026-10")).await, all[..1]);
    for month in ["2026-12", "2026-1", "", "2026-11-01", "%"] {
        assert_eq!(of(None, Some(month)).await, [], "{month}");
    }
    // What a review finds takes the place of what was settled.
    let mut reviewed = full_task();
    insert(store, &reviewed).await;
    let settled = totals(store).await;
    reviewed.state.reconciled = None;
    commit(store, Change::new(reviewed, vec![event(9)])).await;
    let before = totals(store).await;
    assert_eq!((settled[3].cost_usd.nanos(), before[3].cost_usd.nanos()), (1_011_000, 674_000));
}

pub async fn totals_can_be_asked_for_by_day(fixture: &StoreFixture) {
    let store = fixture.store();
    a_history(store).await;
    let by_day = async |month: Option<&str>| {
        let query = TotalsQuery { month: month.map(str::to_owned), by_day: true, ..TotalsQuery::default() };
        store.totals(&query).await.unwrap()
    };
    let days = by_day(None).await;
    let expected = [
        ("2026-10-31", "bert", "comfydeploy:dep_1", 1, 1_000_000_007, 0),
        ("2026-11-01", "anna", "comfydeploy:dep_1", 2, 3, 1),
        ("2026-11-01", "bert", "comfydeploy:other", 1, 5, 0),
        ("2026-11-30", "anna", "comfydeploy:dep_1", 1, 4, 0),
    ];
    assert_eq!(days.iter().map(row).collect::<Vec<_>>(), expected);
    assert!(days.iter().all(|total| total.day.as_ref().unwrap().starts_with(&total.month)));
    assert_eq!(by_day(Some("2026-11")).await, days[1..]);
    assert_eq!(store.prune(time("2026-11-15T00:00:00Z"), PAGE_MAX).await.unwrap(), 4);
    assert_eq!(by_day(None).await, days, "the days outlive their tasks");
    assert!(totals(store).await.iter().all(|total| total.day.is_none()), "months have none");
}

pub async fn totals_outlive_their_tasks(fixture: &StoreFixture) {
    let store = fixture.store();
    a_history(store).await;
    let before = totals(store).await;
    let december = time("2026-12-01T00:00:00Z");
    assert_eq!(store.prune(time("2026-11-01T00:00:00Z"), PAGE_MAX).await.unwrap(), 1, "ended before, not at that time");
    assert_eq!(totals(store).await, before);
    assert_eq!(store.prune(december, 2).await.unwrap(), 2, "no more than were asked for");
    assert_eq!(totals(store).await, before, "part here, part gone");
    assert_eq!(store.prune(december, PAGE_MAX).await.unwrap(), 2);
    assert_eq!(totals(store).await, before);
    let anna = Some(CallerId::new("anna").unwrap());
    let query = TotalsQuery { caller: anna, month: Some("2026-11".to_owned()), by_day: false };
    assert_eq!(store.totals(&query).await.unwrap(), before[1..2]);
    assert_eq!(store.list(&TaskQuery::default()).await.unwrap().tasks.len(), 1, "the one that has not ended");
    insert(store, &ended("anna", time("2026-11-02T00:00:00Z"), Some(Usd::from_nanos(1)))).await;
    assert_eq!(row(&totals(store).await[1]), ("2026-11", "anna", "comfydeploy:dep_1", 4, 8, 1), "they go on");
}

pub async fn what_is_not_done_with_is_not_pruned(fixture: &StoreFixture) {
    let store = fixture.store();
    let later = at(1000);
    let mut review = ended("anna", at(1), None);
    review.state.flags.insert(Flag::NeedsReview);
    let at_work = TaskRecord { due_at: Some(at(2000)), ..ended("anna", at(1), None) };
    let told = ended("anna", at(1), None);
    for record in [&task("anna"), &review, &at_work, &told] {
        insert(store, record).await;
    }
    let told = commit(store, with_notices(told, &[("webhook", at(1))])).await;
    assert_eq!(store.prune(later, PAGE_MAX).await.unwrap(), 0);
    let id = notice_id(&told, "webhook");
    store.finish_notice(id, &NoticeOutcome::Dead("gone".to_owned()), Some(&event(9))).await.unwrap();
    assert_eq!(store.prune(later, PAGE_MAX).await.unwrap(), 1, "a dead letter keeps nothing");
    review.state.flags.clear();
    commit(store, Change::new(review, vec![])).await;
    commit(store, Change::new(TaskRecord { due_at: None, ..at_work }, vec![])).await;
    assert_eq!(store.prune(at(1), PAGE_MAX).await.unwrap(), 0);
    assert_eq!(store.prune(later, 0).await.unwrap(), 0);
    assert_eq!(store.prune(later, PAGE_MAX).await.unwrap(), 2);
}

pub async fn what_is_pruned_is_forgotten(fixture: &StoreFixture) {
    let store = fixture.store();
    let run = RunId::new("run-9").unwrap();
    let mut old = ended("anna", at(1), None);
    old.idempotency_key = Some(IdempotencyKey::new("tap").unwrap());
    old.state.run_id = Some(run.clone());
    insert(store, &old).await;
    let old = commit(store, with_notices(old, &[("webhook", at(1)), ("log", at(1))])).await;
    store.finish_notice(notice_id(&old, "webhook"), &NoticeOutcome::Delivered, Some(&event(9))).await.unwrap();
    store.finish_notice(notice_id(&old, "log"), &NoticeOutcome::Dead("gone".to_owned()), None).await.unwrap();
    assert_eq!(store.prune(at(2), PAGE_MAX).await.unwrap(), 1);
    assert_eq!(store.get(old.task_id).await.unwrap(), None);
    assert_eq!(store.find_by_run(&old.provider_id, &run).await.unwrap(), None);
    assert_eq!(store.events(&EventQuery::default()).await.unwrap(), []);
    assert_eq!(store.list_notices(&NoticeQuery::default()).await.unwrap().notices, []);
    assert!(store.finish_notice(notice_id(&old, "log"), &NoticeOutcome::Delivered, None).await.is_err());
    let counted = StoreStats { last_event: 3, ..StoreStats::default() };
    assert_eq!(store.stats().await.unwrap(), counted, "only the numbers of its events are remembered");
    // The key and the run are free again, and the numbers of events go on.
    let new = TaskRecord { task_id: TaskId::generate(), revision: 1, ..old };
    assert_eq!(insert(store, &new).await, 4);
    assert_eq!(store.find_by_run(&new.provider_id, &run).await.unwrap(), Some(new));
}
