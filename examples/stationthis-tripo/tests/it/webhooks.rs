//! Webhooks that are not what they seem: forged, stale, repeated, about others' runs.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{ErrorKind, TaskStatus, Timestamp};
use stationthis_tripo::sim::{Faults, SimConfig, SimEvent};
use std::time::Duration;

use crate::rig::{Rig, SECRET};

fn arrived(event: &SimEvent, at: Timestamp) -> WebhookRequest {
    let body = Bytes::copy_from_slice(event.body.as_bytes());
    WebhookRequest::new("POST", "/api/webhook/tripo", "", body, at).with_headers(event.headers.clone())
}

#[tokio::test]
async fn what_is_not_signed_by_the_console_changes_nothing() {
    let rig = Rig::new(SimConfig::instant(), true).await;
    rig.sim.sim.set_faults(Faults { no_webhooks: true, runs_stay: true, ..Faults::default() });
    let task = rig.run("text-to-model-v3.1-20260211", json!({ "prompt": "a" })).await;
    let admin = rig.station.admin();
    let mut updates = admin.events_of(task.task_id);
    let run = loop {
        if let Some(run) = admin.task(task.task_id).await.unwrap().state.run_id {
            break run;
        }
        updates.next().await.unwrap().unwrap();
    };
    let sim = &rig.sim.sim;
    let forged = sim.event_of(run.as_str(), &["whsec_of_somebody".to_owned()]).unwrap();
    let good = sim.event_of(run.as_str(), &[SECRET.to_owned()]).unwrap();
    let now = Timestamp::now();
    let minutes = |n: u64| Duration::from_secs(60 * n);
    for (what, request) in [
        ("forged", arrived(&forged, now)),
        ("unsigned", arrived(&good, now).with_headers(Vec::new())),
        ("stale", arrived(&good, now.plus(minutes(6)))),
        ("of the future", arrived(&good, now.minus(minutes(6)))),
    ] {
        let error = rig.station.receive_webhook(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{what}");
    }
    assert_eq!(admin.task(task.task_id).await.unwrap().state.counters.webhooks, 0);
    // A replay within its time counts and changes no more than that.
    for _ in 0..3 {
        rig.station.receive_webhook(arrived(&good, Timestamp::now())).await.unwrap();
    }
    while admin.task(task.task_id).await.unwrap().state.counters.webhooks == 0 {
        updates.next().await.unwrap().unwrap();
    }
    let state = admin.task(task.task_id).await.unwrap().state;
    assert!(!state.status.is_terminal() || state.status == TaskStatus::Finalizing, "{}", state.status);
    rig.close().await;
}

#[tokio::test]
async fn strangers_of_the_same_account_are_nobodys() {
    let rig = Rig::new(SimConfig::instant(), true).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let create = format!("{}/generation/text-to-model", rig.sim.base_url());
    let body = json!({ "prompt": "another application's", "model": "P1-20260311" });
    http.post(create).bearer_auth("tsk_any").json(&body).send().await.unwrap();
    let stranger = rig.sim.sim.books().tasks[0].id.clone();
    let event = rig.sim.sim.event_of(&stranger, &[SECRET.to_owned()]).unwrap();
    rig.station.receive_webhook(arrived(&event, Timestamp::now())).await.unwrap();
    rig.station.tick().await.unwrap();
    let admin = rig.station.admin();
    let none = admin.list(stationthis_core::store::TaskQuery::default()).await.unwrap();
    assert_eq!(none.tasks.len(), 0);
    // Ours is found beside it.
    let done = rig.end_of(&rig.run("text-to-model-P1-20260311", json!({ "prompt": "a" })).await).await;
    assert_eq!(done.state.status, TaskStatus::Completed);
    rig.close().await;
}

/// What tells of no run waits for none.
#[tokio::test]
async fn a_low_balance_is_taken_and_not_kept() {
    let rig = Rig::new(SimConfig::instant(), true).await;
    let body = r#"{"id":"b1:balance.low","type":"balance.low","data":{"balance":3.5,"threshold":10}}"#;
    let now = Timestamp::now();
    let time = now.as_micros() / 1_000_000;
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    let signature = format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()));
    let headers = vec![("tripo-webhook-signature".to_owned(), signature)];
    let event = SimEvent { headers, body: body.to_owned() };
    rig.station.receive_webhook(arrived(&event, now)).await.unwrap();
    assert_eq!(rig.station.stats().await.unwrap().inbox, 0);
    rig.close().await;
}
