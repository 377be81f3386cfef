//! The server.

use super::recording::{Recording, read};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A server on a loopback port. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Replay {
    base_url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    recording: Recording,
    state: Mutex<PlayState>,
}

#[derive(Debug, Default)]
struct PlayState {
    position: f64,
    queued: Vec<Value>,
    problems: Vec<String>,
    cancels: usize,
}

impl Replay {
    /// Starts playing, at the moment in which the queue call answers.
    pub(crate) async fn start(recording: Recording) -> Self {
        let shared = Arc::new(Shared { recording, state: Mutex::default() });
        let api = Router::new()
            .route("/deployments", get(deployments))
            .route("/machines", get(machines))
            .route("/platform/gpu-pricing", get(prices))
            .route("/run/deployment/queue", post(queue))
            .route("/run/{id}", get(run))
            .route("/run/{id}/cancel", post(cancel))
            .route("/v2/workflow/{id}/runs", get(light_runs))
            .route("/workflow/{id}/runs", get(heavy_runs))
            .route("/v2/clickhouse-run-logs/{id}", get(log));
        let router = Router::new().nest("/api", api).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/api", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base_url, shared, task }
    }

    /// What the provider takes as its base URL.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(crate) fn recording(&self) -> &Recording {
        &self.shared.recording
    }

    /// Moves to `rel` seconds after the queue call answered; infinity is the end.
    pub(crate) fn advance_to(&self, rel: f64) {
        self.shared.state.lock().unwrap().position = rel;
    }

    /// The bodies of the queue calls so far.
    pub(crate) fn queued(&self) -> Vec<Value> {
        self.shared.state.lock().unwrap().queued.clone()
    }

    /// How many cancel calls came.
    pub(crate) fn cancels(&self) -> usize {
        self.shared.state.lock().unwrap().cancels
    }

    /// Where queue calls differed from what the real service took: must be empty at the end of a test.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().problems.clone()
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Play = State<Arc<Shared>>;
type Params = Query<HashMap<String, String>>;

fn answer(status: u16, body: impl Into<String>) -> Response {
    let body = body.into();
    let kind = if body.starts_with(['{', '[', '"']) { "application/json" } else { "text/plain; charset=utf-8" };
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// The recorded deployment, or one like it on another machine where the recording made its own.
async fn deployments(State(play): Play, Query(params): Params) -> Response {
    if params.get("is_fluid").is_some_and(|fluid| fluid == "true") {
        return answer(200, "[]");
    }
    answer(200, json!([deployment_of(&play.recording)]).to_string())
}

fn deployment_of(recording: &Recording) -> Value {
    let body = read("lists")["/deployments"]["body"].as_str().unwrap().to_owned();
    let all: Vec<Value> = serde_json::from_str(&body).unwrap();
    let id = recording.deployment_id();
    all.iter().find(|d| d["id"] == id.as_str()).cloned().unwrap_or_else(|| {
        let like = |d: &&Value| d["workflow"]["name"] == "lab-ok" && d["environment"] == "production";
        let mut deployment = all.iter().find(like).unwrap().clone();
        deployment["id"] = id.as_str().into();
        deployment
    })
}

async fn machines() -> Response {
    answer(200, read("lists")["/machines"]["body"].as_str().unwrap())
}

async fn prices() -> Response {
    answer(200, r#"{"CPU": 4.2e-05, "T4": 0.00018, "A10G": 0.000337, "H100": 0.002338}"#)
}

async fn queue(State(play): Play, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    // The recorder sent a name that two of its workflows do not take; the service ignores such names, we send none.
    let graph = deployment_of(&play.recording)["version"]["workflow_api"].to_string();
    let mut recorded = play.recording.queue().json.clone().unwrap();
    recorded["inputs"].as_object_mut().unwrap().retain(|name, _| graph.contains(&format!("\"input_id\":\"{name}\"")));
    let problems = differences(&body, &recorded);
    let mut state = play.state.lock().unwrap();
    state.queued.push(body);
    if !problems.is_empty() {
        state.problems.extend(problems.iter().cloned());
        return answer(422, json!({ "detail": problems.join("; ") }).to_string());
    }
    let recorded = play.recording.queue();
    answer(recorded.status, recorded.body.clone())
}

/// Ours may give more inputs (defaults filled in) but never another shape.
fn differences(ours: &Value, recorded: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let known = ["deployment_id", "inputs", "webhook", "webhook_intermediate_status"];
    for name in ours.as_object().into_iter().flat_map(|o| o.keys()).filter(|name| !known.contains(&name.as_str())) {
        problems.push(format!("the real service was never sent {name:?}"));
    }
    if ours["deployment_id"] != recorded["deployment_id"] {
        problems.push(format!("deployment_id is {}", ours["deployment_id"]));
    }
    if !ours["webhook"].is_string() || !ours["webhook_intermediate_status"].is_boolean() {
        problems.push("webhook or webhook_intermediate_status has another type".to_owned());
    }
    for (name, value) in recorded["inputs"].as_object().unwrap() {
        if ours["inputs"].get(name) != Some(value) {
            problems.push(format!("input {name:?} is {:?}, recorded {value}", ours["inputs"].get(name)));
        }
    }
    for (name, value) in ours["inputs"].as_object().into_iter().flatten() {
        if value.is_null() || value.is_object() {
            problems.push(format!("input {name:?} is {value}, which the service refuses"));
        }
    }
    problems
}

impl Shared {
    /// Whether the run of that id exists by now.
    fn is_run(&self, id: &str) -> bool {
        let made = self.recording.row().and_then(|row| row["id"].as_str().map(str::to_owned));
        self.recording.run_id().or(made).as_deref() == Some(id)
    }

    /// The run at the present position, with the webhook that it was queued with here.
    fn present(&self) -> Option<(u16, Value)> {
        let state = self.state.lock().unwrap();
        let polled = self.recording.poll_at(state.position);
        let (status, mut body) = match polled {
            Some((status, body)) => (status, serde_json::from_str(body).unwrap()),
            None => (200, self.recording.row()?),
        };
        if let Some(queued) = state.queued.last() {
            body["webhook"] = queued["webhook"].clone();
        }
        Some((status, body))
    }
}

async fn run(State(play): Play, Path(id): Path<String>) -> Response {
    match play.present().filter(|_| play.is_run(&id)) {
        Some((status, body)) => answer(status, body.to_string()),
        None => answer(404, r#"{"detail":"Run not found"}"#),
    }
}

async fn cancel(State(play): Play) -> Response {
    play.state.lock().unwrap().cancels += 1;
    let unknown = r#"{"detail":"Error cancel function 404: Run not found or has no modal function call ID"}"#;
    match play.recording.cancel() {
        Some(recorded) => answer(recorded.status, recorded.body.clone()),
        None => answer(500, unknown),
    }
}

async fn light_runs(State(play): Play, Query(params): Params) -> Response {
    let queued = !play.state.lock().unwrap().queued.is_empty();
    let wanted = params.get("deployment_id").is_none_or(|id| *id == play.recording.deployment_id());
    let first = params.get("offset").is_none_or(|offset| offset == "0");
    let run = play.present().filter(|_| queued && wanted && first);
    let rows = run.map(|(_, run)| json!({ "id": run["id"], "status": run["status"], "created_at": run["created_at"] }));
    answer(200, Value::from_iter(rows).to_string())
}

/// The recorded failure under this run's id, when this run has failed by now.
fn failure(play: &Shared, view: &str) -> Option<String> {
    let (_, run) = play.present()?;
    let failed = run["status"] == "failed";
    let text = read("failed_run_four_views")[view].as_str().unwrap().to_owned();
    failed.then(|| text.replace("36e8291d-70dc-4d7c-9dd8-29ee57e4189b", run["id"].as_str().unwrap()))
}

async fn heavy_runs(State(play): Play, Query(params): Params) -> Response {
    let first = params.get("offset").is_none_or(|offset| offset == "0");
    let view = "GET /workflow/{id}/runs?limit=1&with_outputs=true&with_inputs=true";
    answer(200, failure(&play, view).filter(|_| first).unwrap_or_else(|| "[]".to_owned()))
}

async fn log(State(play): Play) -> Response {
    answer(200, failure(&play, "GET /v2/clickhouse-run-logs/{id}").unwrap_or_else(|| "[]".to_owned()))
}
