//! Scenarios of tasks and their events.

use bytes::Bytes;
use futures_util::future::join_all;

use crate::error::{ErrorKind, Retry};
use crate::id::{CallerId, IdempotencyKey, NoticeId, ProviderId, RunId, TaskId, ToolId};
use crate::notify::{NoticeKind, NotifyTarget, Receipt};
use crate::store::{Change, Committed, EventQuery, InboxItem, Inserted, NewNotice, StoredEvent, TaskQuery};
use crate::task::TaskRecord;
use crate::task::event::{Event, TaskEvent, Witness};
use crate::task::report::{RunReport, RunStatus};
use crate::task::state::{Flag, TaskStatus};
use crate::testkit::store_suite::StoreFixture;
use crate::testkit::store_suite::fixtures::{at, claim, commit, event, full_task, insert, kept, task};

pub async fn a_full_record_survives_the_round_trip(fixture: &StoreFixture) {
    let store = fixture.store();
    let full = full_task();
    let events = [
        TaskEvent::new(at(1), Event::Submitted { run_id: RunId::new("run-1").unwrap() }),
        TaskEvent::new(
            at(2),
            Event::Reported {
                witness: Witness::Webhook,
                report: Box::new(RunReport {
                    outputs: full.state.outputs.clone(),
                    times: full.state.provider_times,
                    usage: full.state.usage.clone(),
                    failure: full.state.status_reason.clone(),
                    ..RunReport::new(RunId::new("run-1").unwrap(), RunStatus::Unknown, "warming-up")
                }),
            },
        ),
        TaskEvent::new(
            at(3),
            Event::NoticeTried {
                notice_id: NoticeId::derive(full.task_id, "finished", "log"),
                target: NotifyTarget::new("log", ""),
                attempt: 1,
                receipt: Receipt::Retry { after: Some(std::time::Duration::from_millis(1500)), reason: "b".to_owned() },
            },
        ),
    ];
    assert_eq!(store.insert(&full, &events).await.unwrap(), Inserted::New(3));
    assert_eq!(store.get(full.task_id).await.unwrap().as_ref(), Some(&full));
    assert_eq!(store.get(TaskId::generate()).await.unwrap(), None);
    let back: Vec<_> = store.events(&EventQuery::default()).await.unwrap().into_iter().map(|e| e.event).collect();
    assert_eq!(back, events);
}

pub async fn a_repeated_key_finds_the_first_task(fixture: &StoreFixture) {
    let store = fixture.store();
    let key = Some(IdempotencyKey::new("tap").unwrap());
    let first = TaskRecord { idempotency_key: key.clone(), ..task("anna") };
    let again = TaskRecord { idempotency_key: key.clone(), ..task("anna") };
    let other = TaskRecord { idempotency_key: key, ..task("bert") };
    insert(store, &first).await;
    let second = store.insert(&again, &[event(1)]).await.unwrap();
    assert_eq!(second, Inserted::Duplicate(Box::new(first.clone())));
    assert_eq!(store.get(again.task_id).await.unwrap(), None);
    let key = first.idempotency_key.clone().unwrap();
    assert_eq!(store.find_by_key(&first.caller, &key).await.unwrap(), Some(first.clone()));
    assert_eq!(store.find_by_key(&other.caller, &key).await.unwrap(), None, "a key is its caller's");
    assert_eq!(insert(store, &other).await, 2, "the refused one wrote no event");
    // Without a key, nothing is a repetition.
    insert(store, &task("anna")).await;
    insert(store, &task("anna")).await;
}

pub async fn a_double_tap_makes_one_task(fixture: &StoreFixture) {
    let store = fixture.store();
    let key = Some(IdempotencyKey::new("tap").unwrap());
    let taps: Vec<_> = (0..8).map(|_| TaskRecord { idempotency_key: key.clone(), ..task("anna") }).collect();
    let answers = join_all(taps.iter().map(|tap| store.insert(tap, &[]))).await;
    let new: Vec<_> = taps.iter().zip(&answers).filter(|(_, answer)| matches!(answer, Ok(Inserted::New(_)))).collect();
    assert_eq!(new.len(), 1, "{answers:?}");
    let first = Inserted::Duplicate(Box::new(new[0].0.clone()));
    assert_eq!(answers.iter().filter(|answer| answer.as_ref().is_ok_and(|a| *a == first)).count(), 7);
}

pub async fn a_repeated_id_finds_the_first_task(fixture: &StoreFixture) {
    let store = fixture.store();
    let first = task("anna");
    insert(store, &first).await;
    let again =
        store.insert(&TaskRecord { caller: CallerId::new("bert").unwrap(), ..first.clone() }, &[event(1)]).await;
    assert_eq!(again.unwrap(), Inserted::Duplicate(Box::new(first)));
    assert_eq!(store.events(&EventQuery::default()).await.unwrap().len(), 1);
}

pub async fn commits_are_done_stale_or_missing(fixture: &StoreFixture) {
    let store = fixture.store();
    let first = task("anna");
    insert(store, &first).await;
    let mut next = first.clone();
    next.state.status = TaskStatus::Submitting;
    next.revision = 77;
    let done = store.commit(1, &Change::new(next.clone(), vec![event(1), event(2)])).await.unwrap();
    assert_eq!(done, Committed::Done { revision: 2, seq: 3 });
    next.revision = 2;
    assert_eq!(store.get(first.task_id).await.unwrap().as_ref(), Some(&next));
    let stale = store.commit(1, &Change::new(first, vec![event(3)])).await.unwrap();
    assert_eq!(stale, Committed::Stale(Box::new(next.clone())));
    let quiet = store.commit(2, &Change::new(next, Vec::new())).await.unwrap();
    assert_eq!(quiet, Committed::Done { revision: 3, seq: 3 });
    let missing = store.commit(1, &Change::new(task("anna"), vec![event(3)])).await.unwrap();
    assert_eq!(missing, Committed::Missing);
}

pub async fn a_stale_commit_writes_nothing(fixture: &StoreFixture) {
    let store = fixture.store();
    let first = task("anna");
    insert(store, &first).await;
    let hook =
        InboxItem::new(first.provider_id.clone(), Some(first.task_id), "POST", Bytes::from_static(b"{}"), None, at(0));
    let number = kept(store, &hook).await;
    let mut change = Change::new(first.clone(), vec![event(1)]);
    change.notices.push(NewNotice {
        id: NoticeId::derive(first.task_id, "finished", "log"),
        kind: NoticeKind::Finished,
        target: NotifyTarget::new("log", ""),
        due_at: at(0),
    });
    change.inbox_done.push(number);
    assert!(matches!(store.commit(5, &change).await.unwrap(), Committed::Stale(_)));
    assert_eq!(store.events(&EventQuery::default()).await.unwrap().len(), 1);
    assert!(store.claim_notices(&claim("a", at(9))).await.unwrap().items.is_empty());
    assert_eq!(store.claim_inbox(&claim("a", at(9))).await.unwrap().items, [(number, hook)]);
}

pub async fn events_are_numbered_without_gaps_and_filtered(fixture: &StoreFixture) {
    let store = fixture.store();
    let (a, b) = (task("anna"), task("bert"));
    insert(store, &a).await;
    insert(store, &b).await;
    commit(store, Change::new(a.clone(), vec![event(10), event(11)])).await;
    commit(store, Change::new(b.clone(), vec![event(12)])).await;
    let all = EventQuery::default();
    let read = store.events(&all).await.unwrap();
    assert_eq!(seqs(&read), [1, 2, 3, 4, 5]);
    assert_eq!(read[2], StoredEvent { seq: 3, task_id: a.task_id, event: event(10) });
    let of_a = EventQuery { task: Some(a.task_id), ..all.clone() };
    let of_bert = EventQuery { caller: Some(b.caller.clone()), ..all.clone() };
    let cases = [
        (EventQuery { after: 3, ..all.clone() }, vec![4, 5]),
        (EventQuery { limit: 2, ..all.clone() }, vec![1, 2]),
        (EventQuery { after: 99, ..all.clone() }, vec![]),
        (EventQuery { after: u64::MAX, ..all }, vec![]),
        (of_a.clone(), vec![1, 3, 4]),
        (EventQuery { after: 1, limit: 1, ..of_a.clone() }, vec![3]),
        (EventQuery { after: 1, ..of_bert.clone() }, vec![2, 5]),
        (EventQuery { limit: 1, ..of_bert }, vec![2]),
        (EventQuery { caller: Some(b.caller), ..of_a }, vec![]),
        (EventQuery { task: Some(TaskId::generate()), ..EventQuery::default() }, vec![]),
    ];
    for (query, expected) in cases {
        assert_eq!(seqs(&store.events(&query).await.unwrap()), expected, "{query:?}");
    }
}

fn seqs(events: &[StoredEvent]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

pub async fn lists_are_filtered_and_paged(fixture: &StoreFixture) {
    let store = fixture.store();
    let mut tasks = Vec::new();
    for (i, caller) in ["anna", "bert", "anna", "anna", "bert", "anna"].into_iter().enumerate() {
        let mut record = task(caller);
        record.state.status = [TaskStatus::Running, TaskStatus::Failed, TaskStatus::Completed][i % 3];
        if i >= 3 {
            record.tool_id = ToolId::new("comfydeploy:other").unwrap();
        }
        if i == 3 || i == 4 {
            record.state.flags.insert(Flag::NeedsReview);
        }
        insert(store, &record).await;
        tasks.push(record);
    }
    let anna = TaskQuery { caller: Some(CallerId::new("anna").unwrap()), ..TaskQuery::default() };
    let other = Some(ToolId::new("comfydeploy:other").unwrap());
    let ended = vec![TaskStatus::Failed, TaskStatus::Completed];
    let cases = [
        (TaskQuery::default(), vec![5, 4, 3, 2, 1, 0]),
        (anna.clone(), vec![5, 3, 2, 0]),
        (TaskQuery { statuses: ended.clone(), ..TaskQuery::default() }, vec![5, 4, 2, 1]),
        (TaskQuery { tool: other.clone(), ..TaskQuery::default() }, vec![5, 4, 3]),
        (TaskQuery { tool: other, statuses: ended, before: Some(tasks[5].task_id), ..TaskQuery::default() }, vec![4]),
        (TaskQuery { statuses: vec![TaskStatus::Running], ..anna.clone() }, vec![3, 0]),
        (TaskQuery { before: Some(tasks[3].task_id), ..anna.clone() }, vec![2, 0]),
        (TaskQuery { since: Some(tasks[3].task_id), ..TaskQuery::default() }, vec![5, 4, 3]),
        (TaskQuery { since: Some(tasks[2].task_id), before: Some(tasks[5].task_id), ..anna.clone() }, vec![3, 2]),
        (TaskQuery { since: Some(tasks[2].task_id), needs_review: true, ..anna.clone() }, vec![3]),
        (TaskQuery { since: Some(tasks[4].task_id), before: Some(tasks[2].task_id), ..TaskQuery::default() }, vec![]),
        (TaskQuery { statuses: vec![TaskStatus::InDoubt], ..TaskQuery::default() }, vec![]),
        (TaskQuery { needs_review: true, ..TaskQuery::default() }, vec![4, 3]),
        (TaskQuery { needs_review: true, ..anna.clone() }, vec![3]),
        (TaskQuery { needs_review: true, statuses: vec![TaskStatus::Failed], ..TaskQuery::default() }, vec![4]),
    ];
    for (query, expected) in cases {
        let page = store.list(&query).await.unwrap();
        let expected: Vec<_> = expected.into_iter().map(|i: usize| tasks[i].clone()).collect();
        assert_eq!(page.tasks, expected, "{query:?}");
        assert_eq!(page.next, None, "{query:?}");
    }
    let mut query = TaskQuery { limit: 2, ..anna };
    let first = store.list(&query).await.unwrap();
    assert_eq!(first.tasks, [tasks[5].clone(), tasks[3].clone()]);
    assert_eq!(first.next, Some(tasks[3].task_id));
    query.before = first.next;
    let second = store.list(&query).await.unwrap();
    assert_eq!(second.tasks, [tasks[2].clone(), tasks[0].clone()]);
    assert_eq!(second.next, None, "a full last page has no next one");
}

pub async fn a_run_finds_its_task(fixture: &StoreFixture) {
    let store = fixture.store();
    let (first, run) = (task("anna"), RunId::new("run-9").unwrap());
    insert(store, &first).await;
    assert_eq!(store.find_by_run(&first.provider_id, &run).await.unwrap(), None);
    let mut next = first.clone();
    next.state.run_id = Some(run.clone());
    let next = commit(store, Change::new(next, vec![])).await;
    assert_eq!(store.find_by_run(&first.provider_id, &run).await.unwrap(), Some(next.clone()));
    let elsewhere = ProviderId::new("elsewhere").unwrap();
    assert_eq!(store.find_by_run(&elsewhere, &run).await.unwrap(), None);
    // The same run id at another provider is another run.
    let mut foreign = TaskRecord { provider_id: elsewhere.clone(), ..task("bert") };
    foreign.state.run_id = Some(run.clone());
    insert(store, &foreign).await;
    assert_eq!(store.find_by_run(&elsewhere, &run).await.unwrap(), Some(foreign));
    // A second submission made another run: the first one is no longer the task's.
    let mut moved = next;
    moved.state.run_id = Some(RunId::new("run-10").unwrap());
    let moved = commit(store, Change::new(moved, vec![])).await;
    assert_eq!(store.find_by_run(&first.provider_id, &run).await.unwrap(), None);
    assert_eq!(store.find_by_run(&first.provider_id, &RunId::new("run-10").unwrap()).await.unwrap(), Some(moved));
}

pub async fn a_run_belongs_to_one_task(fixture: &StoreFixture) {
    let store = fixture.store();
    let mut first = task("anna");
    first.state.run_id = Some(RunId::new("run-9").unwrap());
    insert(store, &first).await;
    let second = task("bert");
    insert(store, &second).await;
    let mut thief = second.clone();
    thief.state.run_id.clone_from(&first.state.run_id);
    let error = store.commit(1, &Change::new(thief.clone(), vec![event(1)])).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Conflict, Retry::Never));
    assert_eq!(store.get(second.task_id).await.unwrap(), Some(second));
    let late = TaskRecord { task_id: TaskId::generate(), ..thief };
    assert_eq!(store.insert(&late, &[event(1)]).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(store.get(late.task_id).await.unwrap(), None);
    assert_eq!(store.events(&EventQuery::default()).await.unwrap().len(), 2);
}
