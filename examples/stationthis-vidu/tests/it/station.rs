//! The whole way: station, provider, and the scripted service over real HTTP.

use crate::rig::Rig;
use serde_json::json;
use stationthis_core::cost::UsageBasis;
use stationthis_core::task::event::Event;
use stationthis_core::task::state::{CancelOutcome, TaskStatus};
use stationthis_vidu::sim::{CreditsAs, Script};
use std::time::Duration;

const TURBO: &str = "vidu-q3-turbo-text-to-video";

fn script(edit: impl FnOnce(&mut Script)) -> Script {
    let mut script = Script::default();
    edit(&mut script);
    script
}

/// The page's own example: six seconds in 720p, 66 credits of half a cent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_film_is_quoted_made_and_settled_to_the_nano_dollar() {
    let rig = Rig::new("").await;
    let task = rig.run(TURBO, json!({ "prompt": "a paper boat", "duration": 6, "resolution": "720p" })).await;
    assert_eq!(task.quote.expected_usd.unwrap().to_string(), "0.330000000");
    let done = rig.end_of(&task).await;
    assert_eq!(done.state.status, TaskStatus::Completed, "{:?}", done.state.status_reason);
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.330000000");
    let settled = done.state.settlement.unwrap();
    assert_eq!((settled.basis, settled.amount), (UsageBasis::Reported, Some(66.into())));
    assert_eq!(done.state.outputs.len(), 1);
    let books = rig.sim.books();
    assert_eq!(books.tasks.len(), 1);
    assert_eq!(books.tasks[0].body["payload"], json!(task.task_id));
    rig.close().await;
}

/// A proxy takes the first part of the path away; what is signed is the path that the service was given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_callback_is_a_hint_and_a_poll_the_proof() {
    for prefix in ["", "/tools/a"] {
        let rig = Rig::new(prefix).await;
        rig.sim.set_script(script(|script| {
            script.calls_back = true;
            script.on_the_way = vec!["processing"; 1000];
        }));
        let task = rig.run(TURBO, json!({ "prompt": "a paper boat", "duration": 6 })).await;
        let done = rig.end_of(&task).await;
        assert_eq!(done.state.status, TaskStatus::Completed);
        rig.until(&task, |task| task.state.counters.webhooks == 1).await;
        assert_eq!(*rig.answers.lock().unwrap(), [200], "{prefix}");
        // Read again from what was kept, its signature still holds.
        let events = rig.station.admin().events_after(Some(task.task_id), 0).await.unwrap();
        let is_unreadable = |event: &Event| matches!(event, Event::WebhookUnreadable { .. });
        assert!(!events.iter().any(|event| is_unreadable(&event.event.what)), "{events:#?}");
        rig.close().await;
    }
}

/// The service has no key against doubles and no search: the callback alone tells what became of a lost answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_found_by_its_callback_and_never_sent_again() {
    let rig = Rig::new("").await;
    rig.sim.set_script(script(|script| (script.loses_answers, script.calls_back) = (true, true)));
    let task = rig.run(TURBO, json!({ "prompt": "a paper boat", "duration": 6 })).await;
    let done = rig.end_of(&task).await;
    assert_eq!(done.state.status, TaskStatus::Completed, "{:?}", done.state.status_reason);
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.330000000", "the state query knows the credits, too");
    assert_eq!(rig.sim.books().tasks.len(), 1);
    // Without a callback nobody knows, and nobody guesses.
    rig.sim.set_script(script(|script| script.loses_answers = true));
    let task = rig.run(TURBO, json!({ "prompt": "a paper boat" })).await;
    let doubtful = rig.until(&task, |task| task.state.status == TaskStatus::InDoubt).await;
    assert_eq!(doubtful.state.cost_usd, None);
    assert_eq!(rig.sim.books().tasks.len(), 2);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_costs_what_the_service_says_and_without_a_word_what_was_pinned_or_nothing_known() {
    let rig = Rig::new("").await;
    let failed = ("failed", "CreationPolicyViolation");
    rig.sim.set_script(script(|script| script.last = failed));
    let task = rig.run(TURBO, json!({ "prompt": "x", "duration": 6 })).await;
    let done = rig.end_of(&task).await;
    assert_eq!(done.state.status, TaskStatus::Failed);
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.000000000");
    let reason = done.state.status_reason.unwrap();
    assert!(reason.message.contains("content policy"), "{reason:?}");
    // A success of which nothing is counted: by the table that was pinned, and said so.
    rig.sim.set_script(script(|script| script.credits_as = CreditsAs::Nothing));
    let task = rig.run(TURBO, json!({ "prompt": "x", "duration": 6 })).await;
    let done = rig.end_of(&task).await;
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.330000000");
    assert_eq!(done.state.settlement.unwrap().basis, UsageBasis::Estimated);
    // What the service counts wins over the table.
    rig.sim.set_script(script(|script| (script.credits, script.credits_as) = (67, CreditsAs::Text)));
    let task = rig.run(TURBO, json!({ "prompt": "x", "duration": 6 })).await;
    let done = rig.end_of(&task).await;
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.335000000");
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_at_the_service_is_cancelled_and_costs_nothing() {
    let rig = Rig::new("").await;
    rig.sim.set_script(script(|script| script.on_the_way = vec!["queueing"; 1000]));
    let task = rig.run(TURBO, json!({ "prompt": "x" })).await;
    rig.until(&task, |task| task.state.run_id.is_some()).await;
    rig.station.admin().cancel(task.task_id).await.unwrap();
    let done = rig.end_of(&task).await;
    assert_eq!(done.state.status, TaskStatus::Cancelled);
    assert_eq!(done.state.cancel.unwrap().outcome, CancelOutcome::Accepted);
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.000000000");
    rig.close().await;
}

/// A full account is no fault of the task's, which has one attempt only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_account_is_waited_for() {
    let rig = Rig::new("").await;
    rig.sim.set_script(script(|script| {
        script.refuses = Some((429, "QuotaExceeded", "quota exceeded"));
    }));
    let task = rig.run(TURBO, json!({ "prompt": "x", "duration": 6 })).await;
    let waiting =
        rig.until(&task, |task| task.state.submit_attempts >= 1 && task.state.submit_retry_at.is_some()).await;
    assert!(!waiting.state.status.is_terminal(), "{}", waiting.state.status);
    assert!(rig.sim.books().tasks.is_empty());
    rig.sim.set_script(Script::default());
    let done = rig.end_of(&task).await;
    assert_eq!(done.state.status, TaskStatus::Completed);
    assert_eq!(rig.sim.books().tasks.len(), 1);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn off_peak_work_has_its_two_days_and_its_lower_price() {
    let rig = Rig::new("").await;
    let allowed = |task: &stationthis_core::TaskRecord| task.state.deadline_at.since(task.state.times.accepted_at);
    let task = rig.run(TURBO, json!({ "prompt": "x", "duration": 6, "off_peak": true })).await;
    assert!(allowed(&task) >= Duration::from_secs(48 * 3600), "{:?}", allowed(&task));
    assert_eq!(task.quote.expected_usd.unwrap().to_string(), "0.180000000");
    let other = rig.run(TURBO, json!({ "prompt": "x", "duration": 6 })).await;
    assert!(allowed(&other) < Duration::from_secs(24 * 3600), "{:?}", allowed(&other));
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_in_the_request_is_uploaded_and_sent_by_its_handle() {
    let rig = Rig::new("").await;
    let image = "data:image/png;base64,iVBORw0KGgo=";
    let task = rig.run("vidu-q3-pro-image-to-video", json!({ "image": image, "duration": 4 })).await;
    let done = rig.end_of(&task).await;
    assert_eq!(done.state.status, TaskStatus::Completed, "{:?}", done.state.status_reason);
    let books = rig.sim.books();
    assert_eq!((books.uploads, &books.tasks[0].body["images"]), (vec![8], &json!(["ssupload:?id=0"])));
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speech_ends_with_its_submission() {
    let rig = Rig::new("").await;
    let task = rig.run("vidu-text-to-speech", json!({ "text": "hello" })).await;
    let done = rig.end_of(&task).await;
    assert_eq!((done.state.status, done.state.outputs.len()), (TaskStatus::Completed, 1));
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.330000000");
    rig.close().await;
}
