//! Every fault of a run by its name: it does what it says, and nothing else.

use crate::receiver::{Hook, Receiver};
use crate::support::{Client, instant, millis, str_of};
use reqwest::Method;
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{Misbehaviour, SimConfig};
use std::collections::{BTreeMap, BTreeSet};

/// The named faults that this file tests; `queue_faults.rs` has the others.
const HERE: [&str; 26] = [
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
    "presigned_urls",
    "cancel_500",
    "unknown_status",
    "provider_timeout",
];

/// Tested with the queue call's faults.
const ELSEWHERE: [&str; 10] = [
    "queue_500_but_runs",
    "queue_400_but_runs",
    "queue_500_no_run",
    "queue_slow",
    "queue_drop_answer",
    "queue_drop_request",
    "queue_refused_401",
    "queue_refused_403",
    "queue_refused_404",
    "cold_start_long",
];

const TOOL: &str = "Text to Image";

#[test]
fn every_named_fault_has_a_test() {
    let named: BTreeSet<&str> = Misbehaviour::named().into_iter().map(|(name, _)| name).collect();
    let tested: BTreeSet<&str> = HERE.into_iter().chain(ELSEWHERE).collect();
    assert_eq!(named, tested);
}

/// A run of the fault's, from the queue call to its end.
struct Told {
    client: Client,
    receiver: Receiver,
    id: String,
    run: Value,
}

impl Told {
    async fn new(fault: &str, tool: &str, intermediate: bool) -> Self {
        let client = Client::named(fault).await;
        let receiver = Receiver::new().await;
        let more = json!({ "webhook": receiver.url, "webhook_intermediate_status": intermediate });
        let id = client.queue(tool, more).await;
        let run = client.end(&id).await;
        Self { client, receiver, id, run }
    }

    /// Waits until `count` webhooks were acknowledged and none is under way.
    async fn hooks(&self, count: u64) -> Vec<Hook> {
        self.client.wait_books(|runs| runs[0].hooks_acked >= count && runs[0].hooks_acked == runs[0].hooks_sent).await;
        let hooks = self.receiver.hooks();
        assert_eq!(hooks.len(), usize::try_from(count).unwrap(), "{hooks:#?}");
        hooks
    }

    /// The rows of the unfiltered run list.
    async fn rows(&self) -> Vec<Value> {
        let path = format!("/workflow/{}/runs?limit=1&with_inputs=false", str_of(&self.run["workflow_id"]));
        let (_, list) = self.client.get(&path).await;
        assert_eq!(list[0]["id"], self.id.as_str());
        list[0]["outputs"].as_array().unwrap().clone()
    }
}

fn statuses(hooks: &[Hook]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for hook in hooks {
        *counts.entry(hook.status()).or_insert(0) += 1;
    }
    counts
}

fn positions(hooks: &[Hook], status: &str) -> Vec<usize> {
    hooks.iter().enumerate().filter(|(_, hook)| hook.status() == status).map(|(at, _)| at).collect()
}

/// The plain-text 500 of an uncaught exception.
async fn assert_crash(client: &Client, path: &str) {
    let answer = client.request(Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), 500, "{path}");
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.text().await.unwrap(), "Internal Server Error");
}

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

/// One container only, so that the end of a second run shows that the first one's worker is gone.
fn one_at_a_time(fault: &str) -> SimConfig {
    SimConfig { concurrency_limit: 1, ..Client::config_of(fault) }
}

/// Runs another, well-behaved one to its end.
async fn run_another(client: &Client) {
    client.server.sim.set_misbehaviour(Misbehaviour::default());
    let id = client.queue(TOOL, json!({})).await;
    assert_eq!(client.end(&id).await["status"], "success");
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
async fn unknown_status() {
    let told = Told::new("unknown_status", TOOL, false).await;
    assert_eq!(told.run["status"], "success");
    assert_eq!(positions(&told.hooks(5).await, "warming-up").len(), 1);
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
