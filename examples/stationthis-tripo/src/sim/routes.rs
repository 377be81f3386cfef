//! Which path does what.

use super::answer;
use super::create::create;
use super::files;
use super::server::Sim;
use super::task::Kind;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post, put};
use serde_json::{Map, Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The largest body that is taken.
const BODY_BYTES_MAX: usize = 200_000_000;

/// The most tasks of one list.
const LIST_MAX: usize = 100;

pub(super) fn router(sim: Sim) -> Router {
    let api = Router::new()
        .route("/tasks/{id}", get(task))
        .route("/tasks/list", post(list))
        .route("/account/balance", get(balance))
        .route("/files", post(files::upload))
        .route("/files/presign", post(files::presign))
        .route("/{family}/{way}", post(make))
        .fallback(|| async { answer::error(404, 4001, "unknown route") })
        .layer(middleware::from_fn_with_state(sim.clone(), guard));
    Router::new()
        .nest("/v3", api)
        .route("/storage/{token}", put(files::put))
        .route("/outputs/{task}/{name}", get(files::output))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(sim)
}

async fn guard(State(sim): State<Sim>, request: Request, next: Next) -> Response {
    let key = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = key.and_then(|value| value.strip_prefix("Bearer ")).filter(|key| !key.is_empty());
    let wanted = sim.inner.config.key.as_deref();
    if key.is_none() || wanted.is_some() && key != wanted {
        return answer::error(401, 1000, "invalid API key");
    }
    if sim.faults().down {
        return answer::retry_after(answer::error(503, 1001, "out of order"), Duration::from_secs(1));
    }
    next.run(request).await
}

async fn make(State(sim): State<Sim>, Path((family, way)): Path<(String, String)>, body: Bytes) -> Response {
    match Kind::of_route(&format!("{family}/{way}")) {
        Some(kind) => create(&sim, kind, &body),
        None => answer::error(404, 4001, "unknown route"),
    }
}

async fn task(State(sim): State<Sim>, Path(id): Path<String>) -> Response {
    let task = sim.account().task(&id).cloned();
    match task {
        Some(task) => {
            sim.inner.reads.fetch_add(1, Ordering::SeqCst);
            answer::ok(&sim.view(&task))
        }
        None => answer::error(404, 2001, "task not found"),
    }
}

async fn list(State(sim): State<Sim>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let ids = body.get("task_ids").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if ids.is_empty() || ids.len() > LIST_MAX {
        return answer::error(400, 1004, "1 to 100 task ids");
    }
    let (mut tasks, mut missed) = (Map::new(), Vec::new());
    for id in ids.iter().filter_map(Value::as_str) {
        let task = sim.account().task(id).cloned();
        match task {
            Some(task) => drop(tasks.insert(id.to_owned(), sim.view(&task))),
            None => missed.push(id),
        }
    }
    answer::ok(&json!({ "tasks": tasks, "missed": missed }))
}

async fn balance(State(sim): State<Sim>) -> Response {
    let (balance, frozen) = {
        let account = sim.account();
        (account.balance(), account.frozen())
    };
    // Text, which is one of its two forms.
    answer::ok(&json!({ "balance": balance.to_string(), "frozen": frozen.to_string() }))
}
