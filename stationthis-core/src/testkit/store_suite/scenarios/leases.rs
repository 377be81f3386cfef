//! Scenarios of claims and leases of tasks.

use futures_util::future::join_all;

use crate::id::ProviderId;
use crate::store::{Change, Claim, Claimed, LeaseChange, ProviderFilter, TaskStore};
use crate::task::TaskRecord;
use crate::testkit::store_suite::StoreFixture;
use crate::testkit::store_suite::fixtures::{any, at, claim, commit, hook, ids, insert, kept, task, with_notices};
use crate::time::Timestamp;

/// A stored task that is due then.
async fn due(store: &dyn TaskStore, due_at: Option<Timestamp>) -> TaskRecord {
    let record = TaskRecord { due_at, ..task("anna") };
    insert(store, &record).await;
    record
}

async fn claim_due(store: &dyn TaskStore, claim: &Claim) -> Claimed<TaskRecord> {
    store.claim_due(claim, &any()).await.unwrap()
}

pub async fn the_longest_due_task_is_claimed_first(fixture: &StoreFixture) {
    let store = fixture.store();
    let late = due(store, Some(at(30))).await;
    let future = due(store, Some(at(51))).await;
    let early = due(store, Some(at(10))).await;
    due(store, None).await;
    let now = due(store, Some(at(50))).await;
    let two = Claim { limit: 2, ..claim("a", at(50)) };
    let claimed = claim_due(store, &two).await;
    assert_eq!(claimed.items, [early, late]);
    assert_eq!(claimed.next_at, Some(at(50)), "there is more");
    let claimed = claim_due(store, &two).await;
    assert_eq!(ids(&claimed), [now.task_id]);
    assert_eq!(claimed.next_at, Some(at(51)));
    assert_eq!(ids(&claim_due(store, &claim("a", at(51))).await), [future.task_id]);
}

pub async fn a_lease_excludes_everybody_until_it_ends(fixture: &StoreFixture) {
    let store = fixture.store();
    let record = due(store, Some(at(0))).await;
    assert_eq!(ids(&claim_due(store, &claim("a", at(0))).await), [record.task_id]);
    for owner in ["a", "b"] {
        let claimed = claim_due(store, &claim(owner, at(59))).await;
        assert_eq!(claimed, Claimed { items: vec![], next_at: Some(at(60)) }, "{owner}");
    }
    assert_eq!(ids(&claim_due(store, &claim("b", at(60))).await), [record.task_id]);
    assert_eq!(ids(&claim_due(store, &claim("a", at(61))).await), []);
}

pub async fn claims_at_the_same_time_share_nothing(fixture: &StoreFixture) {
    let store = fixture.store();
    for _ in 0..12 {
        due(store, Some(at(0))).await;
    }
    let claims: Vec<_> = (0..4).map(|i| Claim { limit: 4, ..claim(&format!("worker-{i}"), at(0)) }).collect();
    let claimed = join_all(claims.iter().map(|claim| claim_due(store, claim))).await;
    let mut all: Vec<_> = claimed.iter().flat_map(ids).collect();
    assert_eq!(all.len(), 12);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 12, "none twice");
}

pub async fn claims_keep_to_their_providers(fixture: &StoreFixture) {
    let store = fixture.store();
    let provider = |name: &str| ProviderId::new(name).unwrap();
    let mut tasks = Vec::new();
    for (name, due) in [("aaa", 40), ("bbb", 10), ("bbb", 20), ("ccc", 30), ("ccc", 90)] {
        let record = TaskRecord { due_at: Some(at(due)), provider_id: provider(name), ..task("anna") };
        insert(store, &record).await;
        tasks.push(record.task_id);
    }
    let one = Claim { limit: 1, ..claim("a", at(50)) };
    let only = ProviderFilter::Only(provider("bbb"));
    let claimed = store.claim_due(&one, &only).await.unwrap();
    assert_eq!((ids(&claimed), claimed.next_at), (vec![tasks[1]], Some(at(20))));
    let nowhere = store.claim_due(&one, &ProviderFilter::Only(provider("ddd"))).await.unwrap();
    assert_eq!(nowhere, Claimed { items: vec![], next_at: None });
    let but = ProviderFilter::AllBut(vec![provider("bbb"), provider("ddd")]);
    let claimed = store.claim_due(&one, &but).await.unwrap();
    assert_eq!((ids(&claimed), claimed.next_at), (vec![tasks[3]], Some(at(40))), "the longest due of all of them");
    let claimed = store.claim_due(&claim("a", at(50)), &but).await.unwrap();
    assert_eq!((ids(&claimed), claimed.next_at), (vec![tasks[0]], Some(at(90))), "its own next one comes first");
    let claimed = claim_due(store, &claim("a", at(50))).await;
    assert_eq!((ids(&claimed), claimed.next_at), (vec![tasks[2]], Some(at(90))));
}

pub async fn commits_keep_release_and_extend_leases(fixture: &StoreFixture) {
    let store = fixture.store();
    let record = due(store, Some(at(0))).await;
    let change = |task: TaskRecord, lease| Change { lease, ..Change::new(task, vec![]) };
    // Without a lease there is nothing to extend.
    let record = commit(store, change(record, LeaseChange::Extend(at(500)))).await;
    assert_eq!(claim_due(store, &claim("a", at(0))).await.items.len(), 1);
    // A webhook's commit leaves the lease alone, even when it makes the task due again.
    let record = commit(store, change(TaskRecord { due_at: Some(at(1)), ..record }, LeaseChange::Keep)).await;
    assert_eq!(claim_due(store, &claim("b", at(59))).await.next_at, Some(at(60)));
    let record = commit(store, change(record, LeaseChange::Extend(at(90)))).await;
    let claimed = claim_due(store, &claim("b", at(89))).await;
    assert_eq!(claimed, Claimed { items: vec![], next_at: Some(at(90)) });
    let record = commit(store, change(TaskRecord { due_at: Some(at(80)), ..record }, LeaseChange::Release)).await;
    assert_eq!(claim_due(store, &claim("b", at(79))).await.next_at, Some(at(80)));
    let claimed = claim_due(store, &claim("b", at(80))).await;
    assert_eq!(claimed, Claimed { items: vec![record.clone()], next_at: None });
    // What has nothing left to do is never claimed again.
    commit(store, change(TaskRecord { due_at: None, ..record }, LeaseChange::Release)).await;
    let claimed = claim_due(store, &claim("b", at(9999))).await;
    assert_eq!(claimed, Claimed { items: vec![], next_at: None });
}

pub async fn a_claim_tells_when_to_come_back(fixture: &StoreFixture) {
    let store = fixture.store();
    assert_eq!(claim_due(store, &claim("a", at(0))).await.next_at, None);
    due(store, Some(at(0))).await;
    let claimed = claim_due(store, &claim("a", at(0))).await;
    assert_eq!((claimed.items.len(), claimed.next_at), (1, None), "what it took itself does not count");
    due(store, Some(at(100))).await;
    assert_eq!(claim_due(store, &claim("b", at(1))).await.next_at, Some(at(60)), "a's lease ends");
    due(store, Some(at(30))).await;
    assert_eq!(claim_due(store, &claim("b", at(1))).await.next_at, Some(at(30)), "the next is due");
    let nothing = Claim { limit: 0, ..claim("b", at(31)) };
    assert_eq!(claim_due(store, &nothing).await, Claimed { items: vec![], next_at: Some(at(30)) });
}

pub async fn an_owner_frees_all_its_leases(fixture: &StoreFixture) {
    let store = fixture.store();
    let first = due(store, Some(at(0))).await;
    let first = commit(store, with_notices(first, &[("log", at(0))])).await;
    kept(store, &hook(Some(first.task_id), "{}")).await;
    let (mine, theirs) = (claim("a", at(0)), claim("b", at(1)));
    assert_eq!(claim_due(store, &mine).await.items.len(), 1);
    assert_eq!(store.claim_notices(&mine).await.unwrap().items.len(), 1);
    assert_eq!(store.claim_inbox(&mine).await.unwrap().items.len(), 1);
    let second = due(store, Some(at(0))).await;
    assert_eq!(ids(&claim_due(store, &theirs).await), [second.task_id]);
    store.release_leases("a").await.unwrap();
    let again = claim("c", at(2));
    assert_eq!(ids(&claim_due(store, &again).await), [first.task_id], "b still holds the second");
    assert_eq!(store.claim_notices(&again).await.unwrap().items.len(), 1);
    assert_eq!(store.claim_inbox(&again).await.unwrap().items.len(), 1);
    store.release_leases("nobody").await.unwrap();
    assert_eq!(ids(&claim_due(store, &again).await), []);
}
