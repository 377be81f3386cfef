//! What must be true of a task after everything, by the store, the log and the service's own books.

use std::time::Duration;

use stationthis_comfydeploy::sim::RunBook;
use stationthis_core::cost::UsageBasis;
use stationthis_core::notify::Receipt;
use stationthis_core::task::event::{Event, TaskEvent};
use stationthis_core::task::replay::{canonical, replay};
use stationthis_core::{TaskRecord, TaskStatus, Timestamp};

use crate::case::{Case, End};
use crate::scene::{CLASSIC_PRICE, Machine, Scene};

/// The basis of the cost, when all is right.
pub async fn all(case: &Case, scene: &Scene, id: &str) -> UsageBasis {
    let kept = scene.kept().await;
    let [task] = kept.tasks.as_slice() else { panic!("{case:?}: {} tasks", kept.tasks.len()) };
    assert_eq!(task.task_id.to_string(), id, "{case:?}");
    let state = &task.state;
    let status = match case.end {
        End::Completed => TaskStatus::Completed,
        End::Cancelled => TaskStatus::Cancelled,
        End::NeverSubmitted | End::Refused | End::RunFailed => TaskStatus::Failed,
        End::TimedOut => TaskStatus::TimedOut,
    };
    assert_eq!(state.status, status, "{case:?}: {:?}\n{}", state.status_reason, scene.log());
    assert_eq!(state.outputs.is_empty(), case.end != End::Completed, "{case:?}");
    assert!(state.flags.is_empty(), "{case:?}: {:?}", state.flags);
    assert_eq!(task.due_at, None, "{case:?}: nothing is left to do");
    if case.dies_at("after:inbox") {
        assert!(state.counters.webhooks > 0, "{case:?}: a webhook was answered and is lost");
    }

    if case.custody {
        in_custody(case, scene, task);
    }
    if case.end == End::RunFailed {
        let reason = state.status_reason.as_ref().unwrap();
        assert!(reason.message.contains(") failed: "), "{case:?}: the engine's own reason is missing: {reason:?}");
    }

    let settlements = kept.events.iter().filter(|event| matches!(event.what, Event::Settled { .. })).count();
    assert_eq!(settlements, 1, "{case:?}: settled once");
    assert_eq!(replay(&kept.events).unwrap(), canonical(state), "{case:?}: the events do not lead to the state");
    told(case, scene, id, &kept.events);
    assert_eq!(kept.untold, 0, "{case:?}: a notice is still on its way");

    let books = scene.books();
    let submissions = usize::from(case.end != End::NeverSubmitted);
    let runs = submissions - usize::from(case.end == End::Refused);
    assert_eq!(books.count_requests("POST", "/api/run/deployment/queue"), submissions, "{case:?}: submissions");
    assert_eq!(books.runs.len(), runs, "{case:?}: runs in the service's books");
    // One that the service has and nobody knows of is given again, and nobody uses it.
    let forgotten = case.halts.iter().filter(|halt| **halt == "before:filesSent").count();
    let given = if case.file { 1 + forgotten } else { 0 };
    assert_eq!(books.count_requests("POST", "/api/file/upload"), given, "{case:?}: files");
    if let (true, Some(run)) = (case.file, books.runs.first()) {
        assert_eq!(run.inputs["input_image"], state.sent_files[0].url, "{case:?}: the file that the record tells of");
    }
    match books.runs.first() {
        Some(run) => {
            assert_eq!(state.run_id.as_ref().map(ToString::to_string), Some(run.id.clone()), "{case:?}");
            charged(case, task, run)
        }
        None => {
            // A refusal that nobody heard is a submission of which no run was found.
            let code = if case.dies_at("after:submitRefused") { "refused" } else { "notSubmitted" };
            assert_eq!(state.status_reason.as_ref().unwrap().code, code, "{case:?}");
            assert_eq!(state.cost_usd.unwrap().to_string(), "0.000000000", "{case:?}");
            state.settlement.as_ref().unwrap().basis
        }
    }
}

/// Each output is where its record says, whole and alone.
fn in_custody(case: &Case, scene: &Scene, task: &TaskRecord) {
    for output in &task.state.outputs {
        let kept = output.custody.as_ref().unwrap_or_else(|| panic!("{case:?}: in no custody: {output:?}"));
        let path = scene.data().join("outputs").join(&kept.key);
        let content = std::fs::read(&path).unwrap();
        assert_eq!(blake3::hash(&content).to_hex().to_string(), kept.blake3, "{case:?}");
        assert_eq!(content.len() as u64, kept.bytes, "{case:?}");
        let beside = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(beside, task.state.outputs.len(), "{case:?}: something half written is left");
    }
}

/// Told at least once; twice only when the host died between telling and remembering it; under one id.
fn told(case: &Case, scene: &Scene, id: &str, events: &[TaskEvent]) {
    let told = scene.told(id);
    let expected = 1 + usize::from(case.dies_at("before:noticeTried"));
    assert_eq!(told.len(), expected, "{case:?}: notices in the log");
    assert!(told.iter().all(|notice| Some(notice) == told.first()), "{case:?}: {told:?}");
    let remembered = |event: &&TaskEvent| matches!(event.what, Event::NoticeTried { receipt: Receipt::Delivered, .. });
    assert_eq!(events.iter().filter(remembered).count(), 1, "{case:?}: deliveries remembered");
}

/// The cost: by the service's own times where it tells them, else by what was heard when, else unknown with a bound.
fn charged(case: &Case, task: &TaskRecord, run: &RunBook) -> UsageBasis {
    let price = task.cost_rate.as_ref().unwrap().amount.to_string();
    let settlement = task.state.settlement.as_ref().unwrap();
    if case.end == End::TimedOut {
        assert_eq!((settlement.basis, cost_of(task)), (UsageBasis::Unknown, None), "{case:?}");
        let since = task.state.times.submitting_at.unwrap();
        let bound = settlement.bound_usd.map(|bound| bound.to_string());
        assert_eq!(bound, Some(cost(&price, task.state.times.ended_at.unwrap().since(since))), "{case:?}");
        return settlement.basis;
    }
    if case.machine == Machine::Serverless {
        assert_eq!(settlement.basis, UsageBasis::ProviderRun, "{case:?}");
        assert_eq!(settlement.resource, run.gpu, "{case:?}");
        assert_eq!(cost_of(task), Some(cost(&price, run.running.unwrap())), "{case:?}");
        return settlement.basis;
    }
    assert_eq!(price, CLASSIC_PRICE, "{case:?}");
    let heard = task.state.receipts;
    let span = |from: Option<Timestamp>, to: Option<Timestamp>| Some(to?.since(from?));
    let by_hooks = span(heard.webhook_running_at, heard.webhook_ended_at);
    let by_polls = span(heard.poll_running_at, heard.poll_ended_at);
    let (basis, used) = match (by_hooks, by_polls) {
        (Some(used), _) => (UsageBasis::WebhookReceipt, Some(used)),
        (None, Some(used)) => (UsageBasis::PollReceipt, Some(used)),
        (None, None) => (UsageBasis::Unknown, None),
    };
    assert_eq!(settlement.basis, basis, "{case:?}: {heard:?}");
    assert_eq!(cost_of(task), used.map(|used| cost(&price, used)), "{case:?}");
    if used.is_none() {
        let bound = settlement.bound_usd.map(|bound| bound.to_string());
        assert_eq!(bound, Some(cost(&price, run.whole.unwrap())), "{case:?}");
    }
    if case.ends_unseen() {
        assert_eq!(basis, UsageBasis::Unknown, "{case:?}: nobody saw it run");
    }
    basis
}

fn cost_of(task: &TaskRecord) -> Option<String> {
    task.state.cost_usd.map(|cost| cost.to_string())
}

/// Price × time in whole nano-dollars, half up; reckoned apart from the code that is tested.
fn cost(price: &str, time: Duration) -> String {
    let (whole, part) = price.split_once('.').unwrap();
    let nanos_per_second: u128 = format!("{whole}{part:0<9}").parse().unwrap();
    let nanos = (nanos_per_second * time.as_micros() + 500_000) / 1_000_000;
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}
