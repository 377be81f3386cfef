//! Scenarios of leases, the outbox and the inbox.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;

use super::fixtures::{at, claim, commit, event, insert, task};
use crate::error::{ErrorKind, Retry};
use crate::id::{NoticeId, TaskId};
use crate::notify::{NoticeKind, NotifyTarget};
use crate::store::{
    Change, Claim, Claimed, EventQuery, InboxItem, LeaseChange, NewNotice, NoticeOutcome, OutboxItem, TaskStore,
};
use crate::task::TaskRecord;
use crate::time::Timestamp;

type Store = Arc<dyn TaskStore>;

/// A stored task that is due then.
async fn due(store: &Store, due_at: Option<Timestamp>) -> TaskRecord {
    let record = TaskRecord { due_at, ..task("anna") };
    insert(&**store, &record).await;
    record
}

fn ids(claimed: &Claimed<TaskRecord>) -> Vec<TaskId> {
    claimed.items.iter().map(|task| task.task_id).collect()
}

pub(crate) async fn the_longest_due_task_is_claimed_first(store: Store) {
    let late = due(&store, Some(at(30))).await;
    let future = due(&store, Some(at(51))).await;
    let early = due(&store, Some(at(10))).await;
    due(&store, None).await;
    let now = due(&store, Some(at(50))).await;
    let two = Claim { limit: 2, ..claim("a", at(50)) };
    let claimed = store.claim_due(&two).await.unwrap();
    assert_eq!(claimed.items, [early, late]);
    assert_eq!(claimed.next_at, Some(at(50)), "there is more");
    let claimed = store.claim_due(&two).await.unwrap();
    assert_eq!(ids(&claimed), [now.task_id]);
    assert_eq!(claimed.next_at, Some(at(51)));
    assert_eq!(ids(&store.claim_due(&claim("a", at(51))).await.unwrap()), [future.task_id]);
}

pub(crate) async fn a_lease_excludes_everybody_until_it_ends(store: Store) {
    let record = due(&store, Some(at(0))).await;
    assert_eq!(ids(&store.claim_due(&claim("a", at(0))).await.unwrap()), [record.task_id]);
    for owner in ["a", "b"] {
        let claimed = store.claim_due(&claim(owner, at(59))).await.unwrap();
        assert_eq!(claimed, Claimed { items: vec![], next_at: Some(at(60)) }, "{owner}");
    }
    assert_eq!(ids(&store.claim_due(&claim("b", at(60))).await.unwrap()), [record.task_id]);
    assert_eq!(ids(&store.claim_due(&claim("a", at(61))).await.unwrap()), []);
}

pub(crate) async fn claims_at_the_same_time_share_nothing(store: Store) {
    for _ in 0..12 {
        due(&store, Some(at(0))).await;
    }
    let claims: Vec<_> = (0..4).map(|i| Claim { limit: 4, ..claim(&format!("worker-{i}"), at(0)) }).collect();
    let claimed = join_all(claims.iter().map(|claim| store.claim_due(claim))).await;
    let mut all: Vec<_> = claimed.iter().flat_map(|claimed| ids(claimed.as_ref().unwrap())).collect();
    assert_eq!(all.len(), 12);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 12, "none twice");
}

pub(crate) async fn commits_keep_release_and_extend_leases(store: Store) {
    let record = due(&store, Some(at(0))).await;
    let change = |task: TaskRecord, lease| Change { lease, ..Change::new(task, vec![]) };
    // Without a lease there is nothing to extend.
    let record = commit(&*store, change(record, LeaseChange::Extend(at(500)))).await;
    assert_eq!(store.claim_due(&claim("a", at(0))).await.unwrap().items.len(), 1);
    // A webhook's commit leaves the lease alone, even when it makes the task due again.
    let record = commit(&*store, change(TaskRecord { due_at: Some(at(1)), ..record }, LeaseChange::Keep)).await;
    assert_eq!(store.claim_due(&claim("b", at(59))).await.unwrap().next_at, Some(at(60)));
    let record = commit(&*store, change(record, LeaseChange::Extend(at(90)))).await;
    let claimed = store.claim_due(&claim("b", at(89))).await.unwrap();
    assert_eq!(claimed, Claimed { items: vec![], next_at: Some(at(90)) });
    let record = commit(&*store, change(TaskRecord { due_at: Some(at(80)), ..record }, LeaseChange::Release)).await;
    assert_eq!(store.claim_due(&claim("b", at(79))).await.unwrap().next_at, Some(at(80)));
    let claimed = store.claim_due(&claim("b", at(80))).await.unwrap();
    assert_eq!(claimed, Claimed { items: vec![record.clone()], next_at: None });
    // What has nothing left to do is never claimed again.
    commit(&*store, change(TaskRecord { due_at: None, ..record }, LeaseChange::Release)).await;
    let claimed = store.claim_due(&claim("b", at(9999))).await.unwrap();
    assert_eq!(claimed, Claimed { items: vec![], next_at: None });
}

pub(crate) async fn a_claim_tells_when_to_come_back(store: Store) {
    assert_eq!(store.claim_due(&claim("a", at(0))).await.unwrap().next_at, None);
    due(&store, Some(at(0))).await;
    let claimed = store.claim_due(&claim("a", at(0))).await.unwrap();
    assert_eq!((claimed.items.len(), claimed.next_at), (1, None), "what it took itself does not count");
    due(&store, Some(at(100))).await;
    assert_eq!(store.claim_due(&claim("b", at(1))).await.unwrap().next_at, Some(at(60)), "a's lease ends");
    due(&store, Some(at(30))).await;
    assert_eq!(store.claim_due(&claim("b", at(1))).await.unwrap().next_at, Some(at(30)), "the next is due");
    let nothing = Claim { limit: 0, ..claim("b", at(31)) };
    assert_eq!(store.claim_due(&nothing).await.unwrap(), Claimed { items: vec![], next_at: Some(at(30)) });
}

pub(crate) async fn an_owner_frees_all_its_leases(store: Store) {
    let first = due(&store, Some(at(0))).await;
    let first = commit(&*store, with_notices(first, &["log"])).await;
    store.append_inbox(&hook(first.task_id, "POST", "{}")).await.unwrap();
    let (mine, theirs) = (claim("a", at(0)), claim("b", at(1)));
    assert_eq!(store.claim_due(&mine).await.unwrap().items.len(), 1);
    assert_eq!(store.claim_notices(&mine).await.unwrap().items.len(), 1);
    assert_eq!(store.claim_inbox(&mine).await.unwrap().items.len(), 1);
    let second = due(&store, Some(at(0))).await;
    assert_eq!(ids(&store.claim_due(&theirs).await.unwrap()), [second.task_id]);
    store.release_leases("a").await.unwrap();
    let again = claim("c", at(2));
    assert_eq!(ids(&store.claim_due(&again).await.unwrap()), [first.task_id], "b still holds the second");
    assert_eq!(store.claim_notices(&again).await.unwrap().items.len(), 1);
    assert_eq!(store.claim_inbox(&again).await.unwrap().items.len(), 1);
    store.release_leases("nobody").await.unwrap();
    assert_eq!(ids(&store.claim_due(&again).await.unwrap()), []);
}

/// A change that adds a notice to each channel: the first due at 20, each other a second earlier.
fn with_notices(task: TaskRecord, channels: &[&str]) -> Change {
    let mut change = Change::new(task, vec![event(5)]);
    for (channel, due) in channels.iter().zip((0..=20).rev()) {
        change.notices.push(NewNotice {
            id: NoticeId::derive(change.task.task_id, "finished", channel),
            kind: NoticeKind::Finished,
            target: NotifyTarget::new(*channel, "somewhere"),
            due_at: at(due),
        });
    }
    if channels.len() == 1 {
        change.notices[0].due_at = at(0);
    }
    change
}

pub(crate) async fn a_notice_is_added_once(store: Store) {
    let record = due(&store, None).await;
    let record = commit(&*store, with_notices(record, &["log", "events"])).await;
    let record = commit(&*store, with_notices(record, &["log", "events", "webhook"])).await;
    let claimed = store.claim_notices(&claim("a", at(20))).await.unwrap();
    let channels: Vec<_> = claimed.items.iter().map(|item| item.target.channel.as_str()).collect();
    assert_eq!(channels, ["webhook", "events", "log"], "the longest due first");
    let expected = OutboxItem {
        id: NoticeId::derive(record.task_id, "finished", "events"),
        task_id: record.task_id,
        kind: NoticeKind::Finished,
        target: NotifyTarget::new("events", "somewhere"),
        attempts: 0,
        created_at: at(5),
    };
    assert_eq!(claimed.items[1], expected);
    // Delivered, it is still known.
    store.finish_notice(expected.id, &NoticeOutcome::Delivered, &event(21)).await.unwrap();
    commit(&*store, with_notices(record, &["events", "events"])).await;
    assert!(store.claim_notices(&claim("b", at(21))).await.unwrap().items.is_empty());
}

pub(crate) async fn a_notice_is_tried_until_it_arrives_or_dies(store: Store) {
    let record = due(&store, None).await;
    commit(&*store, with_notices(record.clone(), &["a", "b"])).await;
    let claimed = store.claim_notices(&Claim { limit: 1, ..claim("a", at(20)) }).await.unwrap();
    assert_eq!(claimed.next_at, Some(at(20)));
    let (b, a) = (claimed.items[0].id, NoticeId::derive(record.task_id, "finished", "a"));
    assert_ne!(a, b);
    assert_eq!(store.claim_notices(&claim("a", at(20))).await.unwrap().items[0].id, a);
    assert_eq!(store.claim_notices(&claim("b", at(79))).await.unwrap().next_at, Some(at(80)), "both are leased");
    store.finish_notice(a, &NoticeOutcome::RetryAt(at(40)), &event(30)).await.unwrap();
    store.finish_notice(b, &NoticeOutcome::Dead("gone".to_owned()), &event(31)).await.unwrap();
    assert_eq!(
        store.claim_notices(&claim("b", at(39))).await.unwrap(),
        Claimed { items: vec![], next_at: Some(at(40)) }
    );
    let again = store.claim_notices(&claim("b", at(40))).await.unwrap();
    assert_eq!(again.items.iter().map(|item| (item.id, item.attempts)).collect::<Vec<_>>(), [(a, 1)]);
    store.finish_notice(a, &NoticeOutcome::Delivered, &event(41)).await.unwrap();
    assert_eq!(store.claim_notices(&claim("b", at(9999))).await.unwrap(), Claimed { items: vec![], next_at: None });
    let events =
        store.events(&EventQuery { task: Some(record.task_id), after: 2, ..EventQuery::default() }).await.unwrap();
    assert_eq!(events.into_iter().map(|e| e.event).collect::<Vec<_>>(), [event(30), event(31), event(41)]);
    let unknown = NoticeId::derive(record.task_id, "finished", "never");
    let error = store.finish_notice(unknown, &NoticeOutcome::Delivered, &event(50)).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::NotFound, Retry::Never));
}

pub(crate) async fn a_delivered_notice_stays_delivered(store: Store) {
    let record = due(&store, None).await;
    commit(&*store, with_notices(record, &["log"])).await;
    let id = store.claim_notices(&claim("slow", at(0))).await.unwrap().items[0].id;
    assert_eq!(store.claim_notices(&claim("fast", at(60))).await.unwrap().items[0].id, id, "the lease ended");
    store.finish_notice(id, &NoticeOutcome::Delivered, &event(61)).await.unwrap();
    store.finish_notice(id, &NoticeOutcome::RetryAt(at(62)), &event(62)).await.unwrap();
    store.finish_notice(id, &NoticeOutcome::Dead("no".to_owned()), &event(63)).await.unwrap();
    assert_eq!(store.claim_notices(&claim("a", at(9999))).await.unwrap(), Claimed { items: vec![], next_at: None });
    assert_eq!(store.events(&EventQuery::default()).await.unwrap().len(), 5, "every attempt is on record");
}

fn hook(task: TaskId, method: &str, body: &'static str) -> InboxItem {
    let provider = crate::id::ProviderId::new("comfydeploy").unwrap();
    InboxItem::new(provider, task, method, Bytes::from_static(body.as_bytes()), Some("k1".to_owned()), at(3))
}

pub(crate) async fn webhooks_are_kept_until_they_are_settled(store: Store) {
    let record = due(&store, None).await;
    // A webhook for a task that is not (yet) known is kept like any other.
    let stray = InboxItem { key_id: None, ..hook(TaskId::generate(), "GET", "") };
    let hooks = [
        hook(record.task_id, "POST", "{\"a\":1}"),
        stray,
        hook(record.task_id, "POST", "\u{0}\u{7f}"),
        hook(record.task_id, "POST", "4"),
    ];
    let mut numbers = Vec::new();
    for hook in &hooks {
        numbers.push(store.append_inbox(hook).await.unwrap());
    }
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let first = store.claim_inbox(&Claim { limit: 2, ..claim("a", at(4)) }).await.unwrap();
    assert_eq!(first.items, [(numbers[0], hooks[0].clone()), (numbers[1], hooks[1].clone())]);
    assert_eq!(first.next_at, Some(at(3)), "there is more");
    let second = store.claim_inbox(&claim("b", at(5))).await.unwrap();
    assert_eq!(second.items, [(numbers[2], hooks[2].clone()), (numbers[3], hooks[3].clone())]);
    assert_eq!(second.next_at, Some(at(64)), "a's lease ends");
    let change = Change { inbox_done: vec![numbers[0], numbers[2]], ..Change::new(record, vec![event(6)]) };
    commit(&*store, change).await;
    store.finish_inbox(&[numbers[3], 4711]).await.unwrap();
    let rest = store.claim_inbox(&Claim { lease: Duration::from_secs(1), ..claim("c", at(64)) }).await.unwrap();
    assert_eq!(rest, Claimed { items: vec![(numbers[1], hooks[1].clone())], next_at: None });
    store.finish_inbox(&[numbers[1]]).await.unwrap();
    assert_eq!(store.claim_inbox(&claim("c", at(999))).await.unwrap(), Claimed { items: vec![], next_at: None });
    assert!(store.append_inbox(&hooks[0]).await.unwrap() > numbers[3], "a number is never given twice");
}
