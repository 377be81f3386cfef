//! Scenarios of notices.

use crate::error::{ErrorKind, Retry};
use crate::id::CallerId;
use crate::notify::{NoticeKind, NotifyTarget};
use crate::store::{
    Claim, Claimed, EventQuery, NoticeOutcome, NoticeQuery, NoticeRecord, NoticeState, OutboxItem, TaskStore,
};
use crate::task::TaskRecord;
use crate::testkit::store_suite::StoreFixture;
use crate::testkit::store_suite::fixtures::{at, claim, commit, event, insert, notice_id, task, with_notices};
use crate::time::Timestamp;

/// A stored task with notices.
async fn noticed(store: &dyn TaskStore, caller: &str, notices: &[(&str, Timestamp)]) -> TaskRecord {
    let record = TaskRecord { due_at: None, ..task(caller) };
    insert(store, &record).await;
    commit(store, with_notices(record, notices)).await
}

async fn notices(store: &dyn TaskStore, now: Timestamp) -> Claimed<OutboxItem> {
    store.claim_notices(&claim("a", now)).await.unwrap()
}

async fn finish(store: &dyn TaskStore, task: &TaskRecord, channel: &str, outcome: NoticeOutcome, seconds: i64) {
    store.finish_notice(notice_id(task, channel), &outcome, Some(&event(seconds))).await.unwrap();
}

pub async fn a_notice_is_added_once(fixture: &StoreFixture) {
    let store = fixture.store();
    let record = noticed(store, "anna", &[("log", at(20)), ("events", at(19))]).await;
    let three = [("log", at(20)), ("events", at(19)), ("webhook", at(18))];
    let record = commit(store, with_notices(record, &three)).await;
    let claimed = notices(store, at(20)).await;
    let channels: Vec<_> = claimed.items.iter().map(|item| item.target.channel.as_str()).collect();
    assert_eq!(channels, ["webhook", "events", "log"], "the longest due first");
    let expected = OutboxItem {
        id: notice_id(&record, "events"),
        task_id: record.task_id,
        kind: NoticeKind::Finished,
        target: NotifyTarget::new("events", "somewhere"),
        attempts: 0,
        created_at: at(5),
    };
    assert_eq!(claimed.items[1], expected);
    // Delivered, it is still known.
    finish(store, &record, "events", NoticeOutcome::Delivered, 21).await;
    commit(store, with_notices(record, &[("events", at(0)), ("events", at(0))])).await;
    assert!(notices(store, at(21)).await.items.is_empty());
}

pub async fn a_notice_is_tried_until_it_arrives_or_dies(fixture: &StoreFixture) {
    let store = fixture.store();
    let record = noticed(store, "anna", &[("a", at(20)), ("b", at(19))]).await;
    let claimed = store.claim_notices(&Claim { limit: 1, ..claim("a", at(20)) }).await.unwrap();
    assert_eq!((claimed.items[0].id, claimed.next_at), (notice_id(&record, "b"), Some(at(20))));
    assert_eq!(notices(store, at(20)).await.items[0].id, notice_id(&record, "a"));
    assert_eq!(notices(store, at(79)).await.next_at, Some(at(80)), "both are leased");
    finish(store, &record, "a", NoticeOutcome::RetryAt(at(40)), 30).await;
    finish(store, &record, "b", NoticeOutcome::Dead("gone".to_owned()), 31).await;
    assert_eq!(notices(store, at(39)).await, Claimed { items: vec![], next_at: Some(at(40)) });
    let again = notices(store, at(40)).await;
    let tried: Vec<_> = again.items.iter().map(|item| (item.id, item.attempts)).collect();
    assert_eq!(tried, [(notice_id(&record, "a"), 1)]);
    finish(store, &record, "a", NoticeOutcome::Delivered, 41).await;
    assert_eq!(notices(store, at(9999)).await, Claimed { items: vec![], next_at: None });
    let since = EventQuery { task: Some(record.task_id), after: 2, ..EventQuery::default() };
    let events: Vec<_> = store.events(&since).await.unwrap().into_iter().map(|e| e.event).collect();
    assert_eq!(events, [event(30), event(31), event(41)]);
    let unknown = notice_id(&record, "never");
    let error = store.finish_notice(unknown, &NoticeOutcome::Delivered, Some(&event(50))).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::NotFound, Retry::Never));
}

pub async fn what_is_over_stays_over(fixture: &StoreFixture) {
    let store = fixture.store();
    let record = noticed(store, "anna", &[("log", at(0)), ("webhook", at(0))]).await;
    let state = async |channel: &str| {
        let page = store.list_notices(&NoticeQuery::default()).await.unwrap();
        let notice = page.notices.into_iter().find(|notice| notice.target.channel == channel).unwrap();
        (notice.state, notice.reason)
    };
    let slower = [NoticeOutcome::RetryAt(at(62)), NoticeOutcome::PutOff(at(63)), NoticeOutcome::Dead("no".to_owned())];
    finish(store, &record, "log", NoticeOutcome::Delivered, 61).await;
    finish(store, &record, "webhook", NoticeOutcome::Dead("gone".to_owned()), 61).await;
    for outcome in slower {
        finish(store, &record, "log", outcome.clone(), 62).await;
        finish(store, &record, "webhook", outcome, 62).await;
    }
    assert_eq!(notices(store, at(9999)).await, Claimed { items: vec![], next_at: None });
    assert_eq!(state("log").await, (NoticeState::Delivered, None));
    assert_eq!(state("webhook").await, (NoticeState::Dead, Some("gone".to_owned())));
    finish(store, &record, "webhook", NoticeOutcome::Delivered, 64).await;
    assert_eq!(state("webhook").await, (NoticeState::Delivered, None), "it arrived after all");
    assert_eq!(store.events(&EventQuery::default()).await.unwrap().len(), 11, "every attempt is on record");
}

pub async fn a_notice_that_is_put_off_was_not_tried(fixture: &StoreFixture) {
    let store = fixture.store();
    let record = noticed(store, "anna", &[("webhook", at(0))]).await;
    assert_eq!(notices(store, at(0)).await.items.len(), 1);
    store.finish_notice(notice_id(&record, "webhook"), &NoticeOutcome::PutOff(at(50)), None).await.unwrap();
    assert_eq!(notices(store, at(49)).await, Claimed { items: vec![], next_at: Some(at(50)) }, "before the lease ends");
    assert_eq!(notices(store, at(50)).await.items[0].attempts, 0);
    assert_eq!(store.events(&EventQuery::default()).await.unwrap().len(), 2, "and nothing is told");
}

pub async fn notices_are_filtered_and_paged(fixture: &StoreFixture) {
    let store = fixture.store();
    let anna = noticed(store, "anna", &[("a", at(0)), ("b", at(1)), ("c", at(2))]).await;
    let bert = noticed(store, "bert", &[("a", at(3)), ("d", at(4))]).await;
    finish(store, &anna, "a", NoticeOutcome::Delivered, 9).await;
    finish(store, &anna, "b", NoticeOutcome::Dead("gone".to_owned()), 9).await;
    finish(store, &bert, "a", NoticeOutcome::Dead("gone".to_owned()), 9).await;
    let all = NoticeQuery::default();
    let of_anna = NoticeQuery { caller: Some(anna.caller.clone()), ..all.clone() };
    let dead = NoticeQuery { state: Some(NoticeState::Dead), ..all.clone() };
    let of_task = NoticeQuery { task: Some(anna.task_id), ..all.clone() };
    let cases = [
        (all.clone(), vec![(&bert, "d"), (&bert, "a"), (&anna, "c"), (&anna, "b"), (&anna, "a")]),
        (of_anna.clone(), vec![(&anna, "c"), (&anna, "b"), (&anna, "a")]),
        (dead.clone(), vec![(&bert, "a"), (&anna, "b")]),
        (NoticeQuery { caller: Some(bert.caller.clone()), ..dead.clone() }, vec![(&bert, "a")]),
        (NoticeQuery { state: Some(NoticeState::Delivered), ..of_anna.clone() }, vec![(&anna, "a")]),
        (of_task.clone(), vec![(&anna, "c"), (&anna, "b"), (&anna, "a")]),
        (NoticeQuery { state: Some(NoticeState::Pending), ..of_task.clone() }, vec![(&anna, "c")]),
        (NoticeQuery { state: Some(NoticeState::Dead), ..of_task.clone() }, vec![(&anna, "b")]),
        (NoticeQuery { caller: Some(bert.caller.clone()), ..of_task }, vec![]),
        (NoticeQuery { caller: Some(CallerId::new("nobody").unwrap()), ..all }, vec![]),
    ];
    for (query, expected) in cases {
        let page = store.list_notices(&query).await.unwrap();
        let found: Vec<_> = page.notices.iter().map(|notice| notice.id).collect();
        let expected: Vec<_> = expected.into_iter().map(|(task, channel)| notice_id(task, channel)).collect();
        assert_eq!((found, page.next), (expected, None), "{query:?}");
    }
    let mut paged = NoticeQuery { limit: 2, ..of_anna };
    let first = store.list_notices(&paged).await.unwrap();
    paged.before = first.next;
    let second = store.list_notices(&paged).await.unwrap();
    assert_eq!((first.notices.len(), second.notices.len(), second.next), (2, 1, None));
    assert_eq!(first.next, Some(first.notices[1].number));
    let expected = NoticeRecord {
        number: first.notices[1].number,
        id: notice_id(&anna, "b"),
        task_id: anna.task_id,
        kind: NoticeKind::Finished,
        target: NotifyTarget::new("b", "somewhere"),
        state: NoticeState::Dead,
        attempts: 1,
        created_at: at(5),
        due_at: None,
        reason: Some("gone".to_owned()),
    };
    assert_eq!(first.notices[1], expected);
    assert_eq!((first.notices[0].state, first.notices[0].due_at), (NoticeState::Pending, Some(at(2))));
}

pub async fn a_dead_letter_is_requeued(fixture: &StoreFixture) {
    let store = fixture.store();
    let record = noticed(store, "anna", &[("webhook", at(0))]).await;
    let id = notice_id(&record, "webhook");
    assert!(!store.requeue_notice(id, at(70), &event(60)).await.unwrap(), "it is not dead");
    finish(store, &record, "webhook", NoticeOutcome::Dead("gone".to_owned()), 1).await;
    assert!(store.requeue_notice(id, at(70), &event(61)).await.unwrap());
    assert!(!store.requeue_notice(id, at(99), &event(62)).await.unwrap(), "it is not dead any more");
    assert_eq!(notices(store, at(69)).await.next_at, Some(at(70)));
    assert_eq!(notices(store, at(70)).await.items[0].attempts, 0);
    finish(store, &record, "webhook", NoticeOutcome::Delivered, 71).await;
    assert!(!store.requeue_notice(id, at(99), &event(72)).await.unwrap(), "it arrived");
    let events: Vec<_> = store.events(&EventQuery::default()).await.unwrap().into_iter().map(|e| e.event).collect();
    assert_eq!(events, [event(0), event(5), event(1), event(61), event(71)]);
    let error = store.requeue_notice(notice_id(&record, "never"), at(0), &event(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
