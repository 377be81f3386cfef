use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::SimTiming;
use stationthis_core::webhook::CallbackKeys;
use stationthis_core::{ProviderId, Secret, Timestamp};

use crate::bench::{Bench, answer, kind};

/// The host's own keys, read as an operator could.
fn keys(bench: &Bench) -> CallbackKeys {
    let text = std::fs::read_to_string(bench.dir.path().join("sim/callback-keys")).unwrap();
    let mut words = text.split_whitespace();
    CallbackKeys::new(words.next().unwrap(), Secret::new(words.next().unwrap())).unwrap()
}

fn url(bench: &Bench, task: &Value, expires_at: Timestamp) -> String {
    let (provider, task) = (ProviderId::new("comfydeploy").unwrap(), task["taskId"].as_str().unwrap());
    keys(bench).url("", &provider, task.parse().unwrap(), expires_at).unwrap().expose().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_without_a_good_token_is_401_and_changes_nothing() {
    let slow = SimTiming { cold_start: Duration::from_secs(600), ..SimTiming::instant() };
    let bench = Bench::with(slow, None).await;
    let task = bench.run("sdxl-portrait", json!({})).await;
    let other = bench.run("sdxl-portrait", json!({ "steps": 3 })).await;
    let hour = Duration::from_secs(3600);
    let good = url(&bench, &task, Timestamp::now().plus(hour));
    let bare = good.split_once('?').unwrap().0.to_owned();
    let id = task["taskId"].as_str().unwrap();
    let bad = [
        bare.clone(),
        format!("{bare}?t="),
        format!("{bare}?t=k1.99999999999.{}", "0".repeat(64)),
        url(&bench, &task, Timestamp::now().minus(hour)),
        good.replace("t=k1.", "t=k9."),
        url(&bench, &other, Timestamp::now().plus(hour)).replace(other["taskId"].as_str().unwrap(), id),
    ];
    let body = json!({ "run_id": "forged", "status": "success", "outputs": [] });
    for path in &bad {
        for method in [Method::POST, Method::GET] {
            let (status, problem) = answer(bench.request(method, path).json(&body)).await;
            assert_eq!((status.as_u16(), kind(&problem)), (401, "unauthorized"), "{path}");
            assert!(!problem.to_string().contains("t=k"), "a token is not repeated");
        }
    }
    let (_, now) = bench.get(&format!("/api/internal/tasks/{id}")).await;
    assert_eq!(now["counters"]["webhooks"], 0, "{now}");
    assert!(now["times"]["endedAt"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_taken_as_post_and_as_get_with_a_body() {
    let slow = SimTiming { cold_start: Duration::from_secs(600), ..SimTiming::instant() };
    let bench = Bench::with(slow, None).await;
    let task = bench.run("sdxl-portrait", json!({})).await;
    let path = url(&bench, &task, Timestamp::now().plus(Duration::from_secs(3600)));
    let mut updates = bench.app.caller().unwrap().events();
    for method in [Method::POST, Method::GET] {
        // Of two that say the same the second is a copy, which is not counted once the first is being looked at.
        let body = json!({ "run_id": "another-run", "status": "running", "live_status": method.as_str() });
        let (status, taken) = answer(bench.request(method, &path).json(&body)).await;
        assert_eq!((status.as_u16(), &taken["received"]), (200, &json!(true)));
    }
    let counted = async {
        while let Some(Ok(update)) = updates.next().await {
            if update.task.state.counters.webhooks == 2 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), counted).await.expect("both were counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_too_large_is_413_and_one_of_nobody_is_refused() {
    let bench = Bench::new().await;
    let task = bench.run("sdxl-portrait", json!({})).await;
    let path = url(&bench, &task, Timestamp::now().plus(Duration::from_secs(3600)));
    let (status, problem) = answer(bench.request(Method::POST, &path).body(vec![b' '; 1024 * 1024 + 1])).await;
    assert_eq!((status.as_u16(), kind(&problem)), (413, "too-large"));
    for path in ["/api/webhook/nobody/01a212ca-fcb3-70c7-945f-91d18f9bd495?t=k1.1.00", "/api/webhook/%00/x"] {
        let (status, _) = answer(bench.request(Method::POST, path).body("{}")).await;
        assert!(status == 401 || status == 404, "{path}: {status}");
    }
}
