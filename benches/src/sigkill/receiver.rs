//! The receiver of outgoing webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::sigkill::client::Asked;

/// Between two looks at what arrived.
const LOOK: Duration = Duration::from_millis(50);

/// For each task the ids of the webhooks that told of it, in order.
type Told = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// Answers every webhook with 200 and remembers it.
pub(super) struct Receiver {
    address: String,
    told: Told,
}

impl Receiver {
    /// Serves on a free port until this process ends.
    pub(super) async fn serve() -> Result<Self> {
        let told = Told::default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let router = Router::new().route("/hook", post(take)).with_state(told.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, told })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(super) fn told(&self) -> BTreeMap<String, Vec<String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Until every task was told of.
    pub(super) async fn all_told(&self, asked: &[Asked]) {
        let tasks: BTreeSet<&String> = asked.iter().filter_map(|asked| asked.tasks.first()).collect();
        loop {
            let told = self.told();
            if tasks.iter().all(|task| told.contains_key(*task)) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn take(State(told): State<Told>, headers: HeaderMap, body: String) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
    let body: Option<Value> = serde_json::from_str(&body).ok();
    let task = body.as_ref().and_then(|body| body.pointer("/data/taskId")).and_then(Value::as_str);
    let (Some(id), Some(task)) = (id, task) else { return StatusCode::BAD_REQUEST };
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    told.entry(task.to_owned()).or_default().push(id.to_owned());
    StatusCode::OK
}
