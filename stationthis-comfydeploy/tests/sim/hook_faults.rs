//! Faults of the webhooks and of the reports behind them: each does what it says, and nothing else.

use crate::receiver::{Hook, Receiver};
use crate::support::{Client, instant, millis};
use crate::told::{TOOL, Told, one_at_a_time, positions, run_another, statuses};
use serde_json::json;
use stationthis_comfydeploy::sim::SimConfig;
use std::collections::BTreeMap;

/// The named faults tested here.
pub(crate) const TESTED: [&str; 14] = [
    "hooks_lost",
    "hooks_lost_half",
    "hooks_duplicated",
    "hooks_reordered",
    "early_hook",
    "duplicate_failed",
    "empty_success_before",
    "empty_success_after",
    "empty_success_both",
    "status_regression",
    "lost_started",
    "lost_cancelled",
    "presigned_urls",
    "unknown_status",
];

#[tokio::test]
async fn hooks_lost() {
    let told = Told::new("hooks_lost", TOOL, false).await;
    assert_eq!(told.run["status"], "success");
    let book = told.client.book(&told.id);
    assert_eq!((book.hooks_lost, book.hooks_sent, book.hook_attempts), (4, 0, 0));
    assert!(told.receiver.hooks().is_empty());
}

#[tokio::test]
async fn hooks_lost_half() {
    let told = Told::new("hooks_lost_half", TOOL, true).await;
    let book = told.client.book(&told.id);
    assert!(book.hooks_lost > 2 && book.hooks_sent > 2, "{book:?}");
    told.hooks(book.hooks_sent).await;
    // The same seed loses the same ones.
    let again = Told::new("hooks_lost_half", TOOL, true).await;
    assert_eq!(again.client.book(&again.id).hooks_lost, book.hooks_lost);
}

#[tokio::test]
async fn hooks_duplicated() {
    let told = Told::new("hooks_duplicated", TOOL, false).await;
    let hooks = told.hooks(8).await;
    let mut texts: Vec<&str> = hooks.iter().map(|hook| hook.text.as_str()).collect();
    texts.sort_unstable();
    for pair in texts.chunks(2) {
        assert_eq!(pair[0], pair[1]);
    }
    texts.dedup();
    assert_eq!(texts.len(), 4);
}

#[tokio::test]
async fn hooks_reordered() {
    let told = Told::new("hooks_reordered", TOOL, false).await;
    let hooks = told.hooks(4).await;
    assert!(positions(&hooks, "started") < positions(&hooks, "queued"), "{hooks:#?}");
    assert!(positions(&hooks, "success") < positions(&hooks, "running"), "{hooks:#?}");
}

#[tokio::test]
async fn early_hook() {
    let client = Client::named("early_hook").await;
    let receiver = Receiver::new().await;
    let id = client.queue(TOOL, json!({ "webhook": receiver.url })).await;
    // The answer has only just come.
    let first = &receiver.hooks()[0];
    assert_eq!((first.status(), &first.body["run_id"]), ("queued", &json!(id)));
    assert_eq!(client.end(&id).await["status"], "success");
    // What cannot be called is not waited for.
    let queued = client.queue(TOOL, json!({ "webhook": "task:1" }));
    tokio::time::timeout(std::time::Duration::from_secs(4), queued).await.unwrap();
}

#[tokio::test]
async fn duplicate_failed() {
    let told = Told::new("duplicate_failed", TOOL, false).await;
    assert_eq!((&told.run["status"], &told.run["outputs"]), (&json!("failed"), &json!([])));
    let hooks = told.hooks(5).await;
    let failed = positions(&hooks, "failed");
    assert_eq!(failed.len(), 2);
    assert_eq!(hooks[failed[0]].text, hooks[failed[1]].text);
}

#[tokio::test]
async fn an_empty_success_before_after_and_on_both_sides() {
    for (fault, outputs) in
        [("empty_success_before", &[0, 1][..]), ("empty_success_after", &[1, 0]), ("empty_success_both", &[0, 1, 0])]
    {
        let told = Told::new(fault, TOOL, false).await;
        let due = 3 + outputs.len();
        let hooks = told.hooks(u64::try_from(due).unwrap()).await;
        let found: Vec<usize> = positions(&hooks, "success").iter().map(|at| hooks[*at].outputs()).collect();
        assert_eq!(found, outputs, "{fault}");
        assert_eq!(told.run["outputs"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn status_regression() {
    let mut config = SimConfig { jitter: 0.0, ..Client::config_of("status_regression") };
    config.timing.boot = std::time::Duration::from_millis(50);
    let client = Client::with(config).await;
    let receiver = Receiver::new().await;
    let id = client.queue(TOOL, json!({ "webhook": receiver.url })).await;
    let run = client.end(&id).await;
    client.wait_books(|runs| runs[0].hooks_acked == 7).await;
    let expected = BTreeMap::from([("queued", 2), ("running", 2), ("started", 2), ("success", 1)]);
    assert_eq!(statuses(&receiver.hooks()), expected);
    // The time of the first container is gone: the boot lies before it.
    assert!(millis(&run["queued_at"]) - millis(&run["created_at"]) >= 50);
    assert!(run["cold_start_duration"].as_f64().unwrap() < 0.05, "{run}");

    // On a machine of one's own only an old webhook comes late.
    let told = Told::new("status_regression", "Workshop Sketch", false).await;
    let hooks = told.hooks(3).await;
    assert_eq!(statuses(&hooks), BTreeMap::from([("not-started", 1), ("running", 1), ("success", 1)]));
}

#[tokio::test]
async fn lost_started() {
    let told = Told::new("lost_started", TOOL, false).await;
    let hooks = told.hooks(3).await;
    assert_eq!(statuses(&hooks), BTreeMap::from([("queued", 1), ("running", 1), ("success", 1)]));
    assert!(told.run["started_at"].is_null() && told.run["run_duration"].is_null());
    assert!(told.run["queued_at"].is_string());
}

#[tokio::test]
async fn lost_cancelled() {
    let client = Client::with(one_at_a_time("lost_cancelled")).await;
    let receiver = Receiver::new().await;
    let more = json!({ "webhook": receiver.url, "webhook_intermediate_status": true });
    let id = client.queue(TOOL, more).await;
    client.poll(&id, |run| run["status"] == "running").await;
    let (status, answer) = client.post(&format!("/run/{id}/cancel"), &json!({})).await;
    assert_eq!((status, &answer["status"]), (200, &json!("success")));
    assert_eq!(client.run(&id).await["status"], "cancelled");
    run_another(&client).await;
    client.wait_books(|runs| runs[0].hooks_sent == runs[0].hooks_acked).await;
    assert!(positions(&receiver.hooks(), "cancelled").is_empty());
}

#[tokio::test]
async fn presigned_urls() {
    let client = Client::named("presigned_urls").await;
    let receiver = Receiver::new().await;
    let webhook = format!("{}?target_events=run.output", receiver.url);
    client.queue(TOOL, json!({ "webhook": webhook })).await;
    let hooks = receiver.wait(|hooks| hooks.len() == 5).await;
    let url = |hook: &Hook| hook.body["outputs"][0]["data"]["images"][0]["url"].as_str().unwrap().to_owned();
    let success = hooks.iter().find(|hook| hook.status() == "success").unwrap();
    assert!(url(success).contains("X-Amz-Signature="));
    let output = hooks.iter().find(|hook| hook.body["event_type"] == "run.output").unwrap();
    assert!(!url(output).contains('?'));
}

#[tokio::test]
async fn unknown_status() {
    let told = Told::new("unknown_status", TOOL, false).await;
    assert_eq!(told.run["status"], "success");
    assert_eq!(positions(&told.hooks(5).await, "warming-up").len(), 1);
}

#[tokio::test]
async fn without_faults_a_run_is_told_of_four_times() {
    let client = Client::with(instant()).await;
    let receiver = Receiver::new().await;
    let id = client.queue(TOOL, json!({ "webhook": receiver.url })).await;
    client.end(&id).await;
    client.wait_books(|runs| runs[0].hooks_acked == runs[0].hooks_sent).await;
    let book = client.book(&id);
    assert_eq!((book.hooks_sent, book.hooks_lost, book.hooks_given_up), (4, 0, 0));
}
