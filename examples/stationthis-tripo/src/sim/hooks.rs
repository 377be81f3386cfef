//! The console's webhook.

use super::server::Sim;
use super::task::SimTask;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use stationthis_core::Timestamp;
use std::sync::atomic::Ordering;
use std::time::Duration;
use uuid::Uuid;

/// How long an answer may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// How often a webhook is sent until it is taken: the service's own number is not published.
const ATTEMPTS: u32 = 3;

/// The pause between two of them.
const PAUSE: Duration = Duration::from_millis(200);

/// A webhook as it is sent.
#[derive(Clone, Debug)]
pub struct SimEvent {
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl SimEvent {
    pub(super) fn of(sim: &Sim, task: &SimTask, secrets: &[String]) -> Self {
        let event = if task.succeeds() { "task.completed" } else { "task.failed" };
        let body = json!({
            "id": format!("{}:{event}", task.id),
            "type": event,
            "created_at": Timestamp::now(),
            "data": sim.view(task),
        });
        Self::signed(event, body.to_string(), secrets)
    }

    fn signed(event: &str, body: String, secrets: &[String]) -> Self {
        let time = Timestamp::now().as_micros().div_euclid(1_000_000);
        let mut signature = format!("t={time}");
        for secret in secrets {
            // HMAC takes keys of every length.
            if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
                mac.update(format!("{time}.{body}").as_bytes());
                signature.push_str(&format!(",v1={}", hex::encode(mac.finalize().into_bytes())));
            }
        }
        let headers = [
            ("tripo-webhook-signature", signature),
            ("tripo-webhook-delivery", Uuid::new_v4().to_string()),
            ("tripo-webhook-event", event.to_owned()),
            ("tripo-webhook-id", "wh_1".to_owned()),
        ];
        Self { headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(), body }
    }
}

/// Waits for the end of a task and tells of it.
pub(super) async fn follow(sim: Sim, task: SimTask) {
    tokio::time::sleep_until(task.created + task.queue + task.run).await;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let Some(webhook) = sim.webhook().filter(|_| !sim.faults().no_webhooks) else { return };
        let event = SimEvent::of(&sim, &task, &webhook.secrets);
        let request = sim.inner.http.post(&webhook.url).header("content-type", "application/json").body(event.body);
        let request = event.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        if request.send().await.is_ok_and(|answer| answer.status().is_success()) {
            sim.inner.webhooks_taken.fetch_add(1, Ordering::SeqCst);
            return;
        }
    }
}
