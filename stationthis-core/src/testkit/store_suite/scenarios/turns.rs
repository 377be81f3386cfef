//! Scenarios of run slots and the callers' turns.

use futures_util::future::join_all;

use crate::id::{CallerId, ProviderId, TaskId, ToolId};
use crate::store::{Change, Claim, Claimed, LeaseChange, TaskStore};
use crate::task::TaskRecord;
use crate::task::state::TaskStatus;
use crate::testkit::store_suite::StoreFixture;
use crate::testkit::store_suite::fixtures::{any, at, claim, commit, event, ids, insert, waiting};
use crate::time::Timestamp;

/// More slots than there are tasks.
const MANY: usize = 10_000;

async fn queued(store: &dyn TaskStore, caller: &str, submit_at: Timestamp) -> TaskRecord {
    let record = waiting(caller, submit_at);
    insert(store, &record).await;
    record
}

async fn submissions(store: &dyn TaskStore, now: Timestamp, limit: usize, runs_max: usize) -> Claimed<TaskRecord> {
    let provider = ProviderId::new("comfydeploy").unwrap();
    store.claim_submissions(&Claim { limit, ..claim("a", now) }, &provider, runs_max, &[]).await.unwrap()
}

/// Puts a claimed task into a state, in which it no longer waits; its lease is given back.
async fn moved(store: &dyn TaskStore, mut task: TaskRecord, status: TaskStatus) -> TaskRecord {
    task.state.status = status;
    task.submit_at = None;
    commit(store, Change { lease: LeaseChange::Release, ..Change::new(task, vec![event(1)]) }).await
}

/// Submits the task whose turn it is.
async fn submit_next(store: &dyn TaskStore) -> TaskRecord {
    let task = submissions(store, at(9), 1, MANY).await.items.remove(0);
    moved(store, task, TaskStatus::Submitting).await
}

pub async fn a_burst_delays_another_caller_by_one_task(fixture: &StoreFixture) {
    let store = fixture.store();
    let burst: Vec<_> = (0..588).map(|_| waiting("anna", at(0))).collect();
    let events = [event(0)];
    for inserted in join_all(burst.iter().map(|task| store.insert(task, &events))).await {
        inserted.unwrap();
    }
    let anna = CallerId::new("anna").unwrap();
    for _ in 0..3 {
        assert_eq!(submit_next(store).await.caller, anna);
    }
    let single = queued(store, "bert", at(1)).await;
    let next = [submit_next(store).await.task_id, submit_next(store).await.task_id];
    assert!(next.contains(&single.task_id), "at most one of anna's comes first");
    let rest = submissions(store, at(9), usize::MAX, MANY).await;
    assert!(rest.items.iter().all(|task| task.caller == anna));
    assert_eq!(rest.items.len(), 500, "a claim is bounded");
    assert_eq!(submissions(store, at(9), usize::MAX, MANY).await.items.len(), 588 - 500 - 4);
}

pub async fn callers_alternate(fixture: &StoreFixture) {
    let store = fixture.store();
    for (second, caller) in (0..).zip(["anna", "anna", "anna", "bert", "bert", "cleo", "anna", "cleo"]) {
        queued(store, caller, at(second)).await;
    }
    let order = async |count: usize| {
        let mut callers = Vec::new();
        for _ in 0..count {
            callers.push(submit_next(store).await.caller.as_str().to_owned());
        }
        callers
    };
    assert_eq!(order(4).await, ["anna", "bert", "cleo", "anna"]);
    // Who comes new comes in at the turn that is now; who waits already, after their own last one.
    queued(store, "dora", at(8)).await;
    queued(store, "cleo", at(8)).await;
    assert_eq!(order(6).await, ["bert", "cleo", "dora", "anna", "cleo", "anna"]);
    assert_eq!(submissions(store, at(9), 1, MANY).await, Claimed { items: vec![], next_at: None });
}

pub async fn no_more_runs_than_slots(fixture: &StoreFixture) {
    let store = fixture.store();
    for _ in 0..5 {
        queued(store, "anna", at(0)).await;
    }
    let claimed = submissions(store, at(0), 10, 2).await;
    assert_eq!((claimed.items.len(), claimed.next_at), (2, None), "no slot is free until something changes");
    let [mut first, second] = claimed.items.try_into().unwrap();
    let nothing = Claimed { items: vec![], next_at: None };
    moved(store, second, TaskStatus::Running).await;
    for status in [TaskStatus::Submitting, TaskStatus::Queued, TaskStatus::Running] {
        first = moved(store, first, status).await;
        assert_eq!(submissions(store, at(0), 10, 2).await, nothing, "{status} holds a slot");
    }
    for status in [TaskStatus::InDoubt, TaskStatus::Finalizing, TaskStatus::Completed] {
        first = moved(store, first, status).await;
        let free = Claim { lease: std::time::Duration::ZERO, ..claim("a", at(0)) };
        let claimed = store.claim_submissions(&free, &first.provider_id, 2, &[]).await.unwrap();
        assert_eq!((claimed.items.len(), claimed.next_at), (1, None), "{status} holds no slot");
    }
    let mut deferred = first;
    deferred.state.submit_retry_at = Some(at(30));
    moved(store, deferred, TaskStatus::Submitting).await;
    assert_eq!(submissions(store, at(0), 10, 2).await.items.len(), 1, "nothing is being submitted before the next try");
    assert_eq!(submissions(store, at(0), 10, 0).await, nothing);
}

pub async fn a_waiting_task_under_a_lease_holds_a_slot(fixture: &StoreFixture) {
    let store = fixture.store();
    let first = queued(store, "anna", at(0)).await;
    let second = queued(store, "anna", at(0)).await;
    assert_eq!(ids(&submissions(store, at(0), 10, 1).await), [first.task_id]);
    assert_eq!(submissions(store, at(59), 10, 1).await, Claimed { items: vec![], next_at: None });
    let more = submissions(store, at(1), 1, 3).await;
    assert_eq!((ids(&more), more.next_at), (vec![second.task_id], Some(at(60))), "a third slot is free for the first");
    assert_eq!(ids(&submissions(store, at(60), 10, 2).await), [first.task_id], "its lease has ended");
    store.release_leases("a").await.unwrap();
    assert_eq!(ids(&submissions(store, at(60), 10, 2).await), [first.task_id, second.task_id]);
    store.release_leases("a").await.unwrap();
    // Past its deadline it is taken by another claim: until that is done, no second one takes it.
    assert_eq!(store.claim_due(&claim("b", at(3600)), &any()).await.unwrap().items.len(), 2);
    assert_eq!(submissions(store, at(3600), 10, 5).await, Claimed { items: vec![], next_at: Some(at(3660)) });
    // Whatever becomes of its state, a task that is given back holds no slot.
    let change = Change { lease: LeaseChange::Release, ..Change::new(first.clone(), vec![]) };
    commit(store, change).await;
    assert_eq!(ids(&submissions(store, at(3600), 10, 2).await), [first.task_id]);
}

pub async fn what_may_not_be_submitted_yet_is_passed_over(fixture: &StoreFixture) {
    let store = fixture.store();
    let later = queued(store, "anna", at(30)).await;
    let latest = queued(store, "anna", at(40)).await;
    let now = queued(store, "anna", at(0)).await;
    let claimed = submissions(store, at(0), 10, MANY).await;
    assert_eq!((ids(&claimed), claimed.next_at), (vec![now.task_id], Some(at(30))));
    // It was tried and may be tried again: it keeps its turn.
    let change =
        Change { lease: LeaseChange::Release, ..Change::new(TaskRecord { submit_at: Some(at(20)), ..now }, vec![]) };
    let now = commit(store, change).await;
    assert_eq!(submissions(store, at(19), 10, MANY).await, Claimed { items: vec![], next_at: Some(at(20)) });
    let order: Vec<TaskId> = ids(&submissions(store, at(41), 10, MANY).await);
    assert_eq!(order, [later.task_id, latest.task_id, now.task_id]);
}

pub async fn tools_that_are_named_are_passed_over(fixture: &StoreFixture) {
    let store = fixture.store();
    let full = ToolId::new("comfydeploy:full").unwrap();
    let of_full = |submit_at| TaskRecord { tool_id: full.clone(), ..waiting("anna", submit_at) };
    let (first, later) = (of_full(at(0)), of_full(at(50)));
    insert(store, &first).await;
    insert(store, &later).await;
    let other = queued(store, "anna", at(0)).await;
    let claimed = async |now, limit, but: &[ToolId]| {
        let claim = Claim { limit, ..claim("a", now) };
        store.claim_submissions(&claim, &other.provider_id, MANY, but).await.unwrap()
    };
    let rest = claimed(at(0), 10, std::slice::from_ref(&full)).await;
    assert_eq!((ids(&rest), rest.next_at), (vec![other.task_id], None), "whatever else waits is not seen");
    let nothing = Claimed { items: vec![], next_at: Some(at(60)) };
    assert_eq!(claimed(at(9), 10, std::slice::from_ref(&full)).await, nothing, "but for the lease's end");
    // They kept their turns.
    store.release_leases("a").await.unwrap();
    let next = claimed(at(9), 1, &[ToolId::new("comfydeploy:another").unwrap()]).await;
    assert_eq!(ids(&next), [first.task_id]);
    assert_eq!(ids(&claimed(at(69), 10, &[]).await), [first.task_id, later.task_id, other.task_id]);
}

pub async fn each_provider_has_its_own_queue(fixture: &StoreFixture) {
    let store = fixture.store();
    let elsewhere = ProviderId::new("elsewhere").unwrap();
    let here = queued(store, "anna", at(0)).await;
    let there = TaskRecord { provider_id: elsewhere.clone(), ..waiting("anna", at(0)) };
    insert(store, &there).await;
    assert_eq!(ids(&submissions(store, at(0), 10, 1).await), [here.task_id]);
    let claimed = store.claim_submissions(&claim("a", at(0)), &elsewhere, 1, &[]).await.unwrap();
    assert_eq!(ids(&claimed), [there.task_id], "a slot that is taken there is free here");
    let nowhere = ProviderId::new("nowhere").unwrap();
    let nothing = Claimed { items: vec![], next_at: None };
    assert_eq!(store.claim_submissions(&claim("a", at(0)), &nowhere, 1, &[]).await.unwrap(), nothing);
}
