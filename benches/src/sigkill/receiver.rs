//! The receiver of outgoing webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use stationthis_core::Timestamp;
use stationthis_core::notify::signing::{ID_HEADER, SIGNATURE_HEADER, Signed, SigningKeys, TIMESTAMP_HEADER};
use tokio::net::TcpListener;

use crate::sigkill::client::Asked;

/// Between two looks at what arrived.
const LOOK: Duration = Duration::from_millis(50);

/// For each task the webhooks that told of it, in order.
type Told = Arc<Mutex<BTreeMap<String, Vec<Received>>>>;

/// One outgoing webhook, as it came.
#[derive(Clone)]
struct Received {
    signed: Signed,
    body: String,
    at: Timestamp,
}

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

    /// For each task the ids under which it was told of.
    pub(super) fn told(&self) -> BTreeMap<String, Vec<String>> {
        let ids = |all: &Vec<Received>| all.iter().map(|one| one.signed.id.clone()).collect();
        self.locked().iter().map(|(task, all)| (task.clone(), ids(all))).collect()
    }

    /// The tasks of webhooks that none of `keys` signed.
    pub(super) fn unsigned(&self, keys: &SigningKeys) -> Vec<String> {
        let signed = |one: &Received| keys.verify(&one.signed, one.body.as_bytes(), one.at).is_ok();
        self.locked().iter().filter(|(_, all)| !all.iter().all(signed)).map(|(task, _)| task.clone()).collect()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Received>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
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
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let read: Option<Value> = serde_json::from_str(&body).ok();
    let task = read.as_ref().and_then(|read| read.pointer("/data/taskId")).and_then(Value::as_str).map(str::to_owned);
    let signed = header(ID_HEADER).zip(header(TIMESTAMP_HEADER)).zip(header(SIGNATURE_HEADER));
    let (Some(((id, timestamp), signature)), Some(task)) = (signed, task) else { return StatusCode::BAD_REQUEST };
    let received = Received { signed: Signed::new(id, timestamp, signature), body, at: Timestamp::now() };
    told.lock().unwrap_or_else(PoisonError::into_inner).entry(task).or_default().push(received);
    StatusCode::OK
}
