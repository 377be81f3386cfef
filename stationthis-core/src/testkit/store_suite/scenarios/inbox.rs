//! Scenarios of raw webhooks.

use std::time::Duration;

use futures_util::future::join_all;

use crate::error::{ErrorKind, Retry};
use crate::id::{ProviderId, TaskId};
use crate::store::{Appended, Change, Claim, Claimed, InboxItem, InboxOutcome, TaskStore};
use crate::testkit::store_suite::StoreFixture;
use crate::testkit::store_suite::fixtures::{at, claim, commit, event, hook, insert, kept, task};
use crate::time::Timestamp;

const NOTHING: Claimed<(u64, InboxItem)> = Claimed { items: Vec::new(), next_at: None };

async fn claim_inbox(store: &dyn TaskStore, owner: &str, now: Timestamp) -> Claimed<(u64, InboxItem)> {
    store.claim_inbox(&claim(owner, now)).await.unwrap()
}

pub async fn webhooks_are_kept_until_they_are_settled(fixture: &StoreFixture) {
    let store = fixture.store();
    let record = task("anna");
    insert(store, &record).await;
    let id = Some(record.task_id);
    // A webhook for a task that is not (yet) known, or that names none, is kept like any other.
    let stray = InboxItem { key_id: None, method: "GET".to_owned(), ..hook(Some(TaskId::generate()), "") };
    let headers = vec![("x-signature".to_owned(), "v1,a\"b".to_owned()), ("x-id".to_owned(), String::new())];
    let unnamed = hook(None, "\u{0}\u{7f}").with_request("/api/webhook/x".to_owned(), "a=1&b".to_owned(), headers);
    let hooks = [hook(id, "{\"a\":1}"), stray, unnamed, hook(id, "4")];
    let mut numbers = Vec::new();
    for hook in &hooks {
        numbers.push(kept(store, hook).await);
    }
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let first = store.claim_inbox(&Claim { limit: 2, ..claim("a", at(4)) }).await.unwrap();
    assert_eq!(first.items, [(numbers[0], hooks[0].clone()), (numbers[1], hooks[1].clone())]);
    assert_eq!(first.next_at, Some(at(4)), "there is more");
    let second = claim_inbox(store, "b", at(5)).await;
    assert_eq!(second.items, [(numbers[2], hooks[2].clone()), (numbers[3], hooks[3].clone())]);
    assert_eq!(second.next_at, Some(at(64)), "a's lease ends");
    let change = Change { inbox_done: vec![numbers[0], numbers[2]], ..Change::new(record, vec![event(6)]) };
    commit(store, change).await;
    store.finish_inbox(&[numbers[3], 4711], InboxOutcome::Dropped).await.unwrap();
    let rest = store.claim_inbox(&Claim { lease: Duration::from_secs(1), ..claim("c", at(64)) }).await.unwrap();
    assert_eq!(rest, Claimed { items: vec![(numbers[1], hooks[1].clone())], next_at: None });
    store.finish_inbox(&[numbers[1]], InboxOutcome::Dropped).await.unwrap();
    assert_eq!(claim_inbox(store, "c", at(999)).await, NOTHING);
    assert!(kept(store, &hooks[0]).await > numbers[3], "a number is never given twice");
    // It is due when it is here, whatever the clock of the one who took it said.
    let ahead = InboxItem { received_at: at(500), ..hook(id, "ahead") };
    kept(store, &ahead).await;
    assert_eq!(claim_inbox(store, "c", at(100)).await.items.len(), 2);
}

pub async fn copies_are_counted_and_not_kept(fixture: &StoreFixture) {
    let store = fixture.store();
    let id = Some(TaskId::generate());
    let first = hook(id, "{}");
    let number = kept(store, &first).await;
    // What ComfyDeploy sends as POST and again as GET says the same.
    let again = InboxItem { method: "GET".to_owned(), received_at: at(9), key_id: None, ..first.clone() };
    let answers = join_all((0..6).map(|_| store.append_inbox(&again))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == Appended::Copy(number)));
    let elsewhere = InboxItem { provider_id: ProviderId::new("elsewhere").unwrap(), ..first.clone() };
    let others = [hook(id, "{} "), hook(Some(TaskId::generate()), "{}"), hook(None, "{}"), elsewhere];
    for other in &others {
        kept(store, other).await;
    }
    let claimed = claim_inbox(store, "a", at(10)).await;
    assert_eq!(claimed.items[0], (number, InboxItem { copies: 7, ..first.clone() }), "the first one, with its time");
    assert_eq!(claimed.items.len(), 1 + others.len());
    assert_eq!(store.append_inbox(&again).await.unwrap(), Appended::Copy(number), "while it is leased, too");
    store.finish_inbox(&[number], InboxOutcome::Dropped).await.unwrap();
    let new = kept(store, &again).await;
    assert!(new > number, "once it is gone, the same is new");
    assert_eq!(claim_inbox(store, "a", at(10)).await.items, [(new, again)]);
}

pub async fn a_parked_webhook_waits_for_its_time(fixture: &StoreFixture) {
    let store = fixture.store();
    let (parked, other) = (hook(None, "early"), hook(None, "other"));
    let number = kept(store, &parked).await;
    assert_eq!(claim_inbox(store, "a", at(4)).await.items.len(), 1);
    store.finish_inbox(&[number, 4711], InboxOutcome::ParkedUntil(at(30))).await.unwrap();
    assert_eq!(claim_inbox(store, "b", at(29)).await, Claimed { items: vec![], next_at: Some(at(30)) });
    store.release_leases("a").await.unwrap();
    store.release_leases("b").await.unwrap();
    assert_eq!(claim_inbox(store, "b", at(29)).await.next_at, Some(at(30)), "no lease holds it, so none can free it");
    assert_eq!(store.append_inbox(&parked).await.unwrap(), Appended::Copy(number));
    assert_eq!(claim_inbox(store, "b", at(29)).await.next_at, Some(at(30)), "a copy does not wake it");
    let fresh = kept(store, &other).await;
    let claimed = claim_inbox(store, "b", at(30)).await;
    let order: Vec<_> = claimed.items.iter().map(|(number, item)| (*number, item.copies)).collect();
    assert_eq!(order, [(fresh, 1), (number, 2)], "what nobody looked at yet comes first");
    store.finish_inbox(&[fresh, number], InboxOutcome::Dropped).await.unwrap();
    assert_eq!(claim_inbox(store, "b", at(9999)).await, NOTHING);
}

pub async fn a_full_inbox_refuses_all_but_copies(fixture: &StoreFixture) {
    let store = fixture.store();
    let item = |i: usize| hook(None, &i.to_string());
    let mut numbers = Vec::new();
    for chunk in (0..fixture.inbox_max()).collect::<Vec<_>>().chunks(256) {
        numbers.extend(join_all(chunk.iter().map(async |i| kept(store, &item(*i)).await)).await);
    }
    let one_more = item(usize::MAX);
    let error = store.append_inbox(&one_more).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::StoreUnavailable, Retry::Backoff));
    assert_eq!(store.append_inbox(&item(0)).await.unwrap(), Appended::Copy(numbers[0]));
    store.finish_inbox(&numbers[1..2], InboxOutcome::Dropped).await.unwrap();
    kept(store, &one_more).await;
    assert!(store.append_inbox(&item(1)).await.is_err(), "it is full again");
}
