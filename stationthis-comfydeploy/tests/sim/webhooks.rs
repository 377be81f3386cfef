//! Delivery of webhooks: form, retries, events.

use crate::receiver::Receiver;
use crate::support::{Client, instant};
use axum::http::StatusCode;
use serde_json::json;
use stationthis_comfydeploy::sim::{HookPolicy, SimConfig};
use std::time::Duration;

#[tokio::test]
async fn retries_are_gets_with_the_same_body() {
    let client = Client::new().await;
    let receiver = Receiver::answering(|_| StatusCode::NOT_FOUND).await;
    let id = client.queue("Workshop Sketch", json!({ "webhook": receiver.url })).await;
    // running and success, three attempts each.
    let hooks = receiver.wait(|hooks| hooks.len() == 6).await;
    let success: Vec<_> = hooks.iter().filter(|h| h.status() == "success").collect();
    let methods: Vec<&str> = success.iter().map(|h| h.method.as_str()).collect();
    assert_eq!(methods, ["POST", "GET", "GET"]);
    assert!(success.iter().all(|hook| hook.text == success[0].text));
    assert_eq!(success[0].outputs(), 1);
    let pause = |n: usize| success[n].at - success[n - 1].at;
    assert!(pause(1) >= Duration::from_millis(500), "{:?}", pause(1));
    assert!(pause(2) >= Duration::from_secs(1), "{:?}", pause(2));
    client.wait_books(|runs| runs[0].hooks_given_up == 2).await;
    let book = client.book(&id);
    assert_eq!((book.hooks_sent, book.hook_attempts, book.hooks_acked), (2, 6, 0));
}

#[tokio::test]
async fn a_retry_that_succeeds_is_the_last() {
    let hooks = HookPolicy { pauses: [Duration::from_millis(5); 2], ..HookPolicy::default() };
    let client = Client::with(SimConfig { hooks, ..instant() }).await;
    let fail_first = |n| {
        if n == 0 { StatusCode::BAD_GATEWAY } else { StatusCode::NO_CONTENT }
    };
    let receiver = Receiver::answering(fail_first).await;
    client.queue("Workshop Sketch", json!({ "webhook": receiver.url })).await;
    client.wait_books(|runs| runs[0].hooks_acked == 2).await;
    assert_eq!(receiver.hooks().len(), 3);
}

#[tokio::test]
async fn a_redirect_is_followed_and_keeps_the_method() {
    let target = Receiver::new().await;
    let location = target.url.clone();
    let app =
        axum::Router::new().fallback(move || async move { (StatusCode::TEMPORARY_REDIRECT, [("location", location)]) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::new().await;
    client.queue("SDXL Portrait", json!({ "webhook": url })).await;
    let hooks = target.wait_for("success").await;
    assert!(hooks.iter().all(|hook| hook.method == "POST"));
}

#[tokio::test]
async fn the_request_looks_like_the_recorded_ones() {
    let client = Client::new().await;
    let receiver = Receiver::new().await;
    let webhook = format!("{}?token=a%2Fb", receiver.url);
    let inputs = json!({ "prompt": "ein Fuchs im Schnee, schön" });
    client.queue("SDXL Portrait", json!({ "webhook": webhook, "inputs": inputs })).await;
    let hooks = receiver.wait_for("queued").await;
    let hook = &hooks[0];
    assert_eq!(hook.query, "token=a%2Fb");
    assert_eq!(hook.headers["content-type"], "application/json");
    assert_eq!(hook.headers["user-agent"], "Python/3.12 aiohttp/3.12.15");
    let id = hook.body["run_id"].as_str().unwrap();
    let text = format!(
        r#"{{"event_type": "run.updated", "status": "queued", "live_status": null, "progress": 0.0, "run_id": "{id}", "outputs": []}}"#
    );
    assert_eq!(hook.text, text);
}

#[tokio::test]
async fn without_the_flag_only_status_changes_are_sent() {
    let client = Client::new().await;
    let receiver = Receiver::new().await;
    let id = client.queue("SDXL Portrait", json!({ "webhook": receiver.url })).await;
    client.end(&id).await;
    client.wait_books(|runs| runs[0].hooks_acked == 4).await;
    let hooks = receiver.hooks();
    for status in ["queued", "started", "running", "success"] {
        assert_eq!(hooks.iter().filter(|h| h.status() == status).count(), 1, "{status}");
    }
}

#[tokio::test]
async fn progress_hooks_carry_no_outputs_and_the_live_status_of_their_node() {
    let client = Client::new().await;
    let receiver = Receiver::new().await;
    let more = json!({ "webhook": receiver.url, "webhook_intermediate_status": true });
    let id = client.queue("SDXL Portrait", more).await;
    let run = client.end(&id).await;
    let nodes =
        client.deployment("SDXL Portrait", "production").await["version"]["workflow_api"].as_object().unwrap().len();
    let sent = u64::try_from(nodes).unwrap() + 4;
    client.wait_books(|runs| runs[0].hooks_acked == sent).await;
    let hooks = receiver.hooks();
    let running = hooks.iter().filter(|h| h.status() == "running");
    assert!(running.clone().count() > nodes);
    assert!(running.clone().all(|hook| hook.outputs() == 0));
    assert_eq!(run["live_status"], "Executing ComfyDeployOutputImage");
}

#[tokio::test]
async fn output_events_come_only_when_the_url_asks_for_them() {
    let client = Client::new().await;
    let receiver = Receiver::new().await;
    let webhook = format!("{}?a=b&target_events=run.output,run.updated", receiver.url);
    client.queue("SDXL Portrait", json!({ "webhook": webhook })).await;
    let is_output = |hook: &&crate::receiver::Hook| hook.body["event_type"] == "run.output";
    let hooks = receiver.wait(|hooks| hooks.iter().any(|h| is_output(&h)) && hooks.len() == 5).await;
    let output = hooks.iter().find(is_output).unwrap();
    assert_eq!((output.status(), output.outputs()), ("running", 1));

    let receiver = Receiver::new().await;
    let webhook = format!("{}?target_events=run.output%2Crun.updated", receiver.url);
    let id = client.queue("SDXL Portrait", json!({ "webhook": webhook })).await;
    client.end(&id).await;
    client.wait_books(|runs| runs[1].hooks_acked == 4).await;
    assert!(receiver.hooks().iter().all(|hook| !is_output(&hook)));
}

#[tokio::test]
async fn a_webhook_that_is_no_url_is_kept_and_never_called() {
    let client = Client::new().await;
    let id = client.queue("SDXL Portrait", json!({ "webhook": "stationthis:task/7" })).await;
    let run = client.end(&id).await;
    assert_eq!(run["webhook"], "stationthis:task/7");
    assert_eq!(client.book(&id).hook_attempts, 0);
    let books = client.server.sim.books();
    assert_eq!(books.runs_with_webhook("task/7").len(), 1);
}

#[tokio::test]
async fn a_refused_connection_is_given_up_after_three_attempts() {
    let hooks = HookPolicy { pauses: [Duration::from_millis(5); 2], ..HookPolicy::default() };
    let client = Client::with(SimConfig { hooks, ..instant() }).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let id = client.queue("Workshop Sketch", json!({ "webhook": url })).await;
    client.wait_books(|runs| runs[0].hooks_given_up == 2).await;
    assert_eq!(client.book(&id).hook_attempts, 6);
    assert_eq!(client.run(&id).await["status"], "success");
}
