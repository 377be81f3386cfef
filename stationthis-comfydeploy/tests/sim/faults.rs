//! Faults of a run and of what is read about it: each does what it says, and nothing else.

use crate::receiver::Receiver;
use crate::support::{Client, millis, str_of};
use crate::told::{TOOL, Told, one_at_a_time, positions, run_another, statuses};
use crate::{hook_faults, queue_faults};
use reqwest::Method;
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::Misbehaviour;
use std::collections::{BTreeMap, BTreeSet};

/// The named faults tested here.
pub(crate) const TESTED: [&str; 12] = [
    "never_started",
    "stuck_running",
    "validation_dropped_output",
    "success_without_output",
    "run_fails",
    "get_run_500",
    "lists_500",
    "null_times",
    "string_durations",
    "seconds_less_timestamps",
    "cancel_500",
    "provider_timeout",
];

#[test]
fn every_named_fault_has_a_test() {
    let named: BTreeSet<&str> = Misbehaviour::named().into_iter().map(|(name, _)| name).collect();
    let tested = TESTED.into_iter().chain(hook_faults::TESTED).chain(queue_faults::TESTED);
    assert_eq!(named, tested.collect());
}

/// The plain-text 500 of an uncaught exception.
async fn assert_crash(client: &Client, path: &str) {
    let answer = client.request(Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), 500, "{path}");
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.text().await.unwrap(), "Internal Server Error");
}

#[tokio::test]
async fn never_started() {
    let client = Client::with(one_at_a_time("never_started")).await;
    let receiver = Receiver::new().await;
    let id = client.queue(TOOL, json!({ "webhook": receiver.url })).await;
    run_another(&client).await;
    let run = client.run(&id).await;
    assert_eq!(
        (&run["status"], &run["queued_at"], &run["live_status"]),
        (&json!("not-started"), &json!(null), &json!(null))
    );
    assert_eq!(client.book(&id).hooks_sent, 0);
}

#[tokio::test]
async fn stuck_running() {
    let client = Client::with(one_at_a_time("stuck_running")).await;
    let receiver = Receiver::new().await;
    let id = client.queue(TOOL, json!({ "webhook": receiver.url })).await;
    run_another(&client).await;
    let run = client.run(&id).await;
    assert_eq!((&run["status"], &run["ended_at"]), (&json!("running"), &json!(null)));
    client.wait_books(|runs| runs[0].hooks_acked == 3).await;
    let expected = BTreeMap::from([("queued", 1), ("running", 1), ("started", 1)]);
    assert_eq!(statuses(&receiver.hooks()), expected);
}

#[tokio::test]
async fn validation_dropped_output() {
    let told = Told::new("validation_dropped_output", TOOL, false).await;
    assert_eq!(told.run["outputs"].as_array().unwrap().len(), 1);
    let hooks = told.receiver.wait_for("success").await;
    assert_eq!(hooks.iter().find(|hook| hook.status() == "success").unwrap().outputs(), 1);
    assert_eq!(told.client.book(&told.id).outputs, 1);
    // The picture, the dropped one, the times of the nodes.
    let rows = told.rows().await;
    assert_eq!(rows.len(), 3);
    assert!(rows[0]["data"]["images"].is_array() && rows[1]["data"]["result"].is_array() && rows[2]["data"].is_array());
}

#[tokio::test]
async fn success_without_output() {
    let told = Told::new("success_without_output", TOOL, false).await;
    assert_eq!((&told.run["status"], &told.run["outputs"]), (&json!("success"), &json!([])));
    let hooks = told.hooks(4).await;
    assert!(hooks.iter().all(|hook| hook.outputs() == 0));
}

#[tokio::test]
async fn run_fails() {
    let told = Told::new("run_fails", TOOL, false).await;
    assert_eq!((&told.run["status"], &told.run["outputs"]), (&json!("failed"), &json!([])));
    assert!(told.run["ended_at"].is_string());
    let hooks = told.hooks(4).await;
    let failed = &hooks[positions(&hooks, "failed")[0]];
    // No reason anywhere, but in the unfiltered list and in the log.
    assert!(!failed.text.contains("OutOfMemory") && !told.run.to_string().contains("OutOfMemory"));
    let rows = told.rows().await;
    assert_eq!(rows[0]["data"]["exception_type"], "torch.OutOfMemoryError");
    assert_eq!(rows[0]["data"]["prompt_id"], told.id.as_str());
    let failing = &rows[0]["data"]["node_type"];
    assert_eq!(told.run["live_status"], format!("Executing {}", failing.as_str().unwrap()));
    assert!(rows[1]["data"].as_array().unwrap().iter().any(|node| node["class_type"] == *failing));

    let logged = async |told: &Told| {
        let (_, lines) = told.client.get(&format!("/v2/clickhouse-run-logs/{}", told.id)).await;
        lines.to_string()
    };
    assert!(logged(&told).await.contains("torch.OutOfMemoryError"));
    // From somebody's own computer the service has only its own lines.
    let told = Told::new("run_fails", "Workshop Sketch", false).await;
    told.hooks(2).await;
    let log = logged(&told).await;
    assert!(log.contains(r#"\"type\": \"webhook\""#) && !log.contains("torch.OutOfMemoryError"), "{log}");
}

#[tokio::test]
async fn get_run_500() {
    let client = Client::named("get_run_500").await;
    let id = client.queue(TOOL, json!({})).await;
    let path = format!("/run/{id}");
    assert_crash(&client, &path).await;
    assert_crash(&client, &path).await;
    assert_eq!(client.run(&id).await["id"], id.as_str());
    assert_eq!(client.book(&id).gets, 3);
}

#[tokio::test]
async fn lists_500() {
    let client = Client::new().await;
    let deployment = client.deployment(TOOL, "production").await;
    let workflow = str_of(&deployment["workflow_id"]);
    client.server.sim.set_misbehaviour(Client::config_of("lists_500").misbehaviour);
    for path in [
        "/deployments".to_owned(),
        "/workflows".to_owned(),
        "/machines".to_owned(),
        format!("/workflow/{workflow}/deployments"),
        format!("/workflow/{workflow}/runs"),
        format!("/v2/workflow/{workflow}/runs"),
    ] {
        assert_crash(&client, &path).await;
    }
    let (status, _) = client.get(&format!("/deployment/{}", str_of(&deployment["id"]))).await;
    assert_eq!(status, 200);
    let (status, _) = client.post("/run/deployment/queue", &json!({ "deployment_id": deployment["id"] })).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn null_times() {
    let told = Told::new("null_times", TOOL, false).await;
    for field in ["queued_at", "started_at", "run_duration", "cold_start_duration", "cold_start_duration_total"] {
        assert!(told.run[field].is_null(), "{field}");
    }
    assert!(told.run["duration"].as_f64().unwrap() > 0.0);
    assert!(told.client.book(&told.id).container.is_none());
    // The reports themselves are told of.
    let expected = BTreeMap::from([("queued", 1), ("running", 1), ("started", 1), ("success", 1)]);
    assert_eq!(statuses(&told.hooks(4).await), expected);
}

#[tokio::test]
async fn string_durations() {
    let told = Told::new("string_durations", TOOL, false).await;
    let spent = millis(&told.run["ended_at"]) - millis(&told.run["created_at"]);
    let text = format!("{}.{:03}000", spent / 1000, spent % 1000);
    assert_eq!(told.run["duration"], text.as_str());
    assert!(told.run["run_duration"].is_string());
    // Present, not kept for life.
    told.client.server.sim.set_misbehaviour(Misbehaviour::default());
    assert!(told.client.run(&told.id).await["duration"].is_f64());
    // The lists always do it.
    let (_, list) = told.client.get(&format!("/v2/workflow/{}/runs", str_of(&told.run["workflow_id"]))).await;
    assert_eq!(list[0]["duration"], text.as_str());
}

#[tokio::test]
async fn seconds_less_timestamps() {
    let told = Told::new("seconds_less_timestamps", TOOL, false).await;
    let cut = |value: &Value| value.as_str().unwrap().len() == "2025-03-04T05:06Z".len();
    assert!(told.run["updated_at"].as_str().unwrap().ends_with(":00Z"));
    assert!(millis(&told.run["ended_at"]) >= millis(&told.run["created_at"]));
    let (_, list) = told.client.get(&format!("/v2/workflow/{}/runs", str_of(&told.run["workflow_id"]))).await;
    assert!(["created_at", "updated_at", "queued_at", "ended_at"].iter().all(|field| cut(&list[0][field])), "{list}");
    let hooks = told.hooks(4).await;
    let success = &hooks[positions(&hooks, "success")[0]];
    assert!(cut(&success.body["outputs"][0]["created_at"]));
}

#[tokio::test]
async fn cancel_500() {
    let client = Client::named("cancel_500").await;
    let id = client.queue(TOOL, json!({})).await;
    let (status, answer) = client.post(&format!("/run/{id}/cancel"), &json!({})).await;
    let text = "Error cancel function 404: Run not found or has no modal function call ID";
    assert_eq!((status, answer), (500, json!({ "detail": text })));
    assert_eq!(client.end(&id).await["status"], "success");
    assert_eq!(client.book(&id).cancel_calls, 1);
}

#[tokio::test]
async fn provider_timeout() {
    let told = Told::new("provider_timeout", TOOL, false).await;
    assert_eq!((&told.run["status"], &told.run["outputs"]), (&json!("timeout"), &json!([])));
    assert!(told.run["ended_at"].is_string());
    let expected = BTreeMap::from([("queued", 1), ("running", 1), ("started", 1), ("timeout", 1)]);
    assert_eq!(statuses(&told.hooks(4).await), expected);
}

#[tokio::test]
async fn a_run_keeps_the_faults_it_was_queued_with() {
    let client = Client::named("run_fails").await;
    let failing = client.queue(TOOL, json!({})).await;
    client.server.sim.set_misbehaviour(Misbehaviour::default());
    let healthy = client.queue(TOOL, json!({})).await;
    client.server.sim.set_misbehaviour(Client::config_of("never_started").misbehaviour);
    assert_eq!(client.end(&failing).await["status"], "failed");
    assert_eq!(client.end(&healthy).await["status"], "success");
}
