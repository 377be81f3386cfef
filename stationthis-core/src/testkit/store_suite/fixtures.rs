//! Records, events and claims for the scenarios.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::cost::{PinnedRate, Quote, RateKey, Receipts, Settlement, Unit, Usage, UsageBasis};
use crate::custody::{KeepOutlook, Kept};
use crate::error::FailureRecord;
use crate::id::{CallerId, IdempotencyKey, NoticeId, ProviderId, RunId, TaskId, ToolId};
use crate::json_doc::JsonDoc;
use crate::media::SentFile;
use crate::money::{Price, Usd};
use crate::notify::{NoticeKind, NotifyTarget};
use crate::store::{
    Appended, Change, Claim, Claimed, Committed, InboxItem, Inserted, NewNotice, ProviderFilter, TaskStore,
};
use crate::task::TaskRecord;
use crate::task::event::{Event, TaskEvent};
use crate::task::output::{Output, OutputKind};
use crate::task::policy::Policy;
use crate::task::report::{NodeTime, Progress, RunStatus, RunTimes};
use crate::task::state::{
    CancelOutcome, CancelState, CancelledBy, Counters, Doubt, Ending, Flag, Keeping, Reconciled, Renewal, StepTimes,
    TaskState, TaskStatus,
};
use crate::task::terms::{Rules, Terms};
use crate::time::Timestamp;
use crate::tool::ExactlyOnce;

/// A moment, so many seconds and some microseconds into the test's day.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_795_000_000_000_000 + seconds * 1_000_000 + 318_007)
}

/// A new task, due at once.
pub(crate) fn task(caller: &str) -> TaskRecord {
    TaskRecord {
        idempotency_key: None,
        due_at: Some(at(0)),
        submit_at: None,
        state: TaskState::accepted(at(0), &Terms::new(at(3600), ExactlyOnce::Lookup)),
        caller: CallerId::new(caller).unwrap(),
        ..full_task()
    }
}

/// A new task that waits for a run slot from then on.
pub(crate) fn waiting(caller: &str, submit_at: Timestamp) -> TaskRecord {
    TaskRecord { due_at: Some(at(3600)), submit_at: Some(submit_at), ..task(caller) }
}

/// A task that ended then, with nothing left to do.
pub(crate) fn ended(caller: &str, ended_at: Timestamp, cost: Option<Usd>) -> TaskRecord {
    let mut record = TaskRecord { due_at: None, ..task(caller) };
    record.state.status = TaskStatus::Completed;
    record.state.times.ended_at = Some(ended_at);
    record.state.cost_usd = cost;
    record
}

/// A record in which every field says something. Written out in full, so that a new field must be added here.
pub(crate) fn full_task() -> TaskRecord {
    TaskRecord {
        task_id: TaskId::generate(),
        revision: 1,
        caller: CallerId::new("user:Zoë").unwrap(),
        idempotency_key: Some(IdempotencyKey::new("chat-17").unwrap()),
        request_hash: "6d1f".to_owned(),
        initiating_event_id: Some("event-4".to_owned()),
        tool_id: ToolId::new("comfydeploy:dep_1").unwrap(),
        tool_revision: "r7".to_owned(),
        tool_name: "portrait".to_owned(),
        provider_id: ProviderId::new("comfydeploy").unwrap(),
        service_name: "comfydeploy".to_owned(),
        endpoint_details: JsonDoc::from_value(&json!({"deploymentId": "d", "nodes": [1, 2.5, null]})),
        inputs_asked: object(json!({"prompt": "a \"cat\" \u{1f431}", "seed": u64::MAX})),
        inputs_sent: object(json!({"prompt": "a cat", "seed": -1, "strength": 0.1, "tags": [], "nested": {"a": {}}})),
        file_inputs: vec!["/image".to_owned(), "/extras/1".to_owned()],
        cost_rate: Some(PinnedRate::new(
            Price::new(Decimal::new(337, 6)).unwrap(),
            Unit::Second,
            Some("A10G".to_owned()),
            RateKey::Resource("A10G".to_owned()),
            "price list of 2026-11".to_owned(),
            "cafe".to_owned(),
        )),
        quote: Quote::new(Some(Usd::from_nanos(1)), Some(Usd::from_nanos(2_000_000_003)), "12 earlier runs"),
        notify: vec![NotifyTarget::new("webhook", "https://caller.example/hook"), NotifyTarget::new("log", "")],
        metadata: object(json!({"taskId": "hostile", "status": "completed", "chat": 9})),
        due_at: Some(at(1)),
        submit_at: Some(at(2)),
        state: full_state(),
    }
}

fn sent_file() -> SentFile {
    SentFile {
        pointer: "/image".to_owned(),
        url: "https://b.example/in.png?sig=1".to_owned(),
        expires_at: Some(at(60)),
        mime: "image/png".to_owned(),
        bytes: 4,
        sha256: "cafe".to_owned(),
    }
}

fn keeping() -> Keeping {
    Keeping {
        attempts: 2,
        failure: Some(FailureRecord::new("keepFailed", "The disk is full.")),
        outlook: KeepOutlook::NewUrl,
        renewal: Renewal::Answered,
    }
}

fn full_state() -> TaskState {
    let failure = FailureRecord { http_status: Some(502), ..FailureRecord::new("x", "It broke.").with_detail("so") };
    TaskState {
        status: TaskStatus::TimedOut,
        status_reason: Some(failure.clone()),
        run_id: Some(RunId::new("run-1").unwrap()),
        run_heard: false,
        rival: None,
        progress: Progress::from_fraction(0.12),
        live_status: Some("sampling".to_owned()),
        times: StepTimes {
            accepted_at: at(0),
            submitting_at: Some(at(1)),
            in_doubt_at: Some(at(2)),
            queued_at: Some(at(3)),
            running_at: Some(at(4)),
            finalizing_at: Some(at(5)),
            ended_at: Some(at(6)),
        },
        deadline_at: at(3600),
        exactly_once: ExactlyOnce::Lookup,
        can_diagnose: true,
        can_cancel: true,
        immediate: true,
        custody: true,
        expected_ms: Some(25_000),
        rules: Rules::of(&Policy::default()),
        submit_attempts: 2,
        capacity_refusals: 1,
        submit_retry_at: Some(at(7)),
        sent_files: vec![sent_file()],
        doubt: Some(Doubt {
            since: at(2),
            answered: true,
            failure: failure.clone(),
            absent_since: Some(at(3)),
            absent_count: 1,
            lookups: 3,
        }),
        ending: Some(Ending {
            status: RunStatus::TimedOut,
            confirmed_at: Some(at(6)),
            empty_confirmations: 1,
            unconfirmed_polls: 2,
            diagnose_attempts: 1,
            failure: Some(failure),
            diagnosed: true,
        }),
        keeping: Some(keeping()),
        cancel: Some(CancelState {
            asked_at: at(5),
            by: CancelledBy::Deadline,
            outcome: CancelOutcome::Refused,
            reason: Some("too late".to_owned()),
            attempts: 3,
        }),
        provider_times: RunTimes {
            created_at: Some(at(1)),
            queued_at: Some(at(2)),
            started_at: Some(at(4)),
            ended_at: Some(at(6)),
        },
        receipts: Receipts {
            webhook_running_at: Some(at(4)),
            webhook_ended_at: Some(at(6)),
            poll_running_at: Some(at(5)),
            poll_ended_at: Some(at(7)),
        },
        resource: Some("A10G".to_owned()),
        reported_usage: Some(Usage {
            amounts: BTreeMap::from([(Unit::Credit, Decimal::new(15, 1)), (Unit::InputToken, Decimal::from(7))]),
            resource: Some("A10G".to_owned()),
            basis: UsageBasis::Reported,
            bound_seconds: Some(Decimal::from(9)),
        }),
        nodes: vec![NodeTime { node_id: "3".to_owned(), class_type: "KSampler".to_owned(), micros: 1_500_000 }],
        outputs: outputs(),
        usage: Some(Usage::of(Unit::Second, Decimal::new(2_000_001, 6), UsageBasis::ProviderRun)),
        settlement: Some(Settlement {
            amount: Some(Decimal::new(2_000_001, 6)),
            unit: Some(Unit::Second),
            rate: Some(Price::new(Decimal::new(337, 6)).unwrap()),
            resource: Some("A10G".to_owned()),
            bound_usd: Some(Usd::from_nanos(5)),
            resource_changed: true,
            ..Settlement::known(Usd::from_nanos(674_000), UsageBasis::ProviderRun)
        }),
        cost_usd: Some(Usd::from_nanos(674_000)),
        reconciled: Some(Reconciled {
            at: at(9),
            run_status: Some(RunStatus::Succeeded),
            usage: Usage::of(Unit::Second, Decimal::from(3), UsageBasis::ProviderRun),
            settlement: Settlement::known(Usd::from_nanos(1_011_000), UsageBasis::ProviderRun),
        }),
        flags: BTreeSet::from([Flag::NeedsReview, Flag::LateOutputs]),
        counters: counters(),
    }
}

fn counters() -> Counters {
    Counters { webhooks: 4, webhooks_kept: 3, webhooks_ignored: 1, polls: 9, polls_failed: 1, unknown_statuses: 2 }
}

fn outputs() -> Vec<Output> {
    vec![
        Output {
            filename: Some("a.png".to_owned()),
            mime: Some("image/png".to_owned()),
            node_id: Some("9".to_owned()),
            output_id: Some("result".to_owned()),
            expires_at: Some(at(900)),
            custody: Some(Kept::new("host/caller/0.png", "cafe", 4, "image/png", at(6))),
            ..Output::file(OutputKind::Image, "https://files.example/a.png?sig=1")
        },
        Output { order: 1, ..Output::text("done") },
        Output { order: 2, ..Output::json(json!({"score": 0.5})) },
    ]
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

/// A small event.
pub(crate) fn event(seconds: i64) -> TaskEvent {
    TaskEvent::new(at(seconds), Event::CancelAsked)
}

/// Inserts a task with one event.
pub(crate) async fn insert(store: &dyn TaskStore, task: &TaskRecord) -> u64 {
    match store.insert(task, &[event(0)]).await.unwrap() {
        Inserted::New(seq) => seq,
        Inserted::Duplicate(old) => panic!("{} is there already", old.task_id),
    }
}

/// Commits a change that must succeed; gives the record as it is stored.
pub(crate) async fn commit(store: &dyn TaskStore, change: Change) -> TaskRecord {
    let expected = change.task.revision;
    let done = store.commit(expected, &change).await.unwrap();
    let Committed::Done { revision, .. } = done else { panic!("{done:?}") };
    TaskRecord { revision, ..change.task }
}

/// A claim of a minute by `owner`.
pub(crate) fn claim(owner: &str, now: Timestamp) -> Claim {
    Claim { owner: owner.to_owned(), now, lease: Duration::from_secs(60), limit: 10 }
}

/// Every provider.
pub(crate) fn any() -> ProviderFilter {
    ProviderFilter::AllBut(Vec::new())
}

/// The ids of claimed tasks.
pub(crate) fn ids(claimed: &Claimed<TaskRecord>) -> Vec<TaskId> {
    claimed.items.iter().map(|task| task.task_id).collect()
}

/// Keeps a webhook that must be new; gives its number.
pub(crate) async fn kept(store: &dyn TaskStore, item: &InboxItem) -> u64 {
    match store.append_inbox(item).await.unwrap() {
        Appended::New(number) => number,
        Appended::Copy(number) => panic!("webhook {number} says the same"),
    }
}

/// A webhook about a task.
pub(crate) fn hook(task: Option<TaskId>, body: &str) -> InboxItem {
    let provider = ProviderId::new("comfydeploy").unwrap();
    InboxItem::new(provider, task, "POST", Bytes::copy_from_slice(body.as_bytes()), Some("k1".to_owned()), at(3))
}

/// A change that adds a notice to each channel, due then.
pub(crate) fn with_notices(task: TaskRecord, notices: &[(&str, Timestamp)]) -> Change {
    let mut change = Change::new(task, vec![event(5)]);
    for (channel, due_at) in notices {
        change.notices.push(NewNotice {
            id: notice_id(&change.task, channel),
            kind: NoticeKind::Finished,
            target: NotifyTarget::new(*channel, "somewhere"),
            due_at: *due_at,
        });
    }
    change
}

/// The id of the notice that [`with_notices`] adds to a channel.
pub(crate) fn notice_id(task: &TaskRecord, channel: &str) -> NoticeId {
    NoticeId::derive(task.task_id, "finished", channel)
}
