//! Happy paths on both kinds of machine.

use crate::receiver::Receiver;
use crate::support::{Client, instant, millis};
use serde_json::json;
use stationthis_comfydeploy::sim::{SimConfig, SimTiming};

#[tokio::test]
async fn a_serverless_run_goes_through_all_states_and_ends_with_a_picture() {
    let client = Client::with(SimConfig { timing: SimTiming::fast(), ..instant() }).await;
    let receiver = Receiver::new().await;
    let inputs = json!({ "prompt": "a red fox in snow", "width": 320, "height": 256 });
    let more = json!({ "inputs": inputs, "webhook": receiver.url,
                       "webhook_intermediate_status": true });
    let id = client.queue("SDXL Portrait", more).await;

    let first = client.run(&id).await;
    assert_eq!(first["status"], "not-started");
    assert_eq!(first["workflow_inputs"], inputs);
    assert!(first["modal_function_call_id"].as_str().unwrap().starts_with("fc-"));

    let run = client.end(&id).await;
    assert_eq!(run["status"], "success");
    assert_eq!(run["gpu"], "A10G");
    assert_eq!(run["machine_type"], "comfy-deploy-serverless");
    assert_eq!(run["progress"], 1.0);
    assert_eq!(run["webhook"], receiver.url);

    let outputs = run["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), 1);
    assert_eq!(outputs[0]["output_id"], "picture");
    let file = &outputs[0]["data"]["images"][0];
    assert!(file.get("output_id").is_none(), "GET drops it inside the file");
    let answer = client.http.get(file["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "image/png");
    let bytes = answer.bytes().await.unwrap();
    let reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
    assert_eq!(reader.info().size(), (320, 256));

    let hooks = receiver.wait_for("success").await;
    let mut statuses: Vec<&str> = hooks.iter().map(|hook| hook.status()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, ["queued", "running", "started", "success"]);
    let success = hooks.iter().find(|hook| hook.status() == "success").unwrap();
    assert_eq!(success.body["outputs"][0]["data"]["images"][0]["output_id"], "picture");
    assert_eq!(success.body["outputs"][0]["output_id"], "picture");
    assert!(hooks.iter().any(|hook| hook.body["live_status"] == "Executing KSampler"));
}

#[tokio::test]
async fn the_books_agree_with_the_times_of_get_run() {
    let client = Client::new().await;
    let id = client.queue("Flux Dreamscape", json!({})).await;
    let run = client.end(&id).await;
    let book = client.book(&id);
    let spent = millis(&run["ended_at"]) - millis(&run["queued_at"]);
    assert_eq!(book.container.unwrap().as_millis(), u128::try_from(spent).unwrap());
    let running = millis(&run["ended_at"]) - millis(&run["started_at"]);
    let stated = run["run_duration"].as_f64().unwrap();
    assert!((stated * 1000.0 - running as f64).abs() < 1e-6, "{stated} {running}");
    assert_eq!(client.server.sim.books().container_total(), book.container.unwrap());
    assert_eq!(book.gpu.as_deref(), Some("H100"));
}

#[tokio::test]
async fn a_classic_run_has_no_container_times_and_cannot_be_cancelled() {
    let client = Client::with(SimConfig { timing: SimTiming::fast(), ..instant() }).await;
    let receiver = Receiver::new().await;
    let more = json!({ "webhook": receiver.url, "webhook_intermediate_status": true });
    let id = client.queue("Workshop Sketch", more).await;
    let (status, answer) = client.post(&format!("/run/{id}/cancel"), &json!({})).await;
    assert_eq!(status, 500);
    let text = "Error cancel function 404: Run not found or has no modal function call ID";
    assert_eq!(answer["detail"], text);

    let run = client.end(&id).await;
    assert_eq!(run["status"], "success");
    assert_eq!(run["machine_type"], "classic");
    for field in ["queued_at", "started_at", "run_duration", "gpu", "modal_function_call_id"] {
        assert!(run[field].is_null(), "{field}: {}", run[field]);
    }
    assert!(run["duration"].as_f64().unwrap() > 0.0);
    let book = client.book(&id);
    assert_eq!((book.container, book.cancel_calls), (None, 1));
    assert!(book.whole.is_some());

    let hooks = receiver.wait_for("success").await;
    assert!(hooks.iter().all(|hook| !["queued", "started"].contains(&hook.status())));
    let early = hooks.iter().find(|hook| hook.status() == "not-started").unwrap();
    assert!(early.body["progress"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn a_caption_is_a_text_file() {
    let client = Client::new().await;
    let inputs = json!({ "input_image": "https://a.test/cat.png", "question": "What is it?" });
    let id = client.queue("Caption Writer", json!({ "inputs": inputs })).await;
    let run = client.end(&id).await;
    let file = &run["outputs"][0]["data"]["files"][0];
    let answer = client.http.get(file["url"].as_str().unwrap()).send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("What is it?"));
}

#[tokio::test]
async fn a_serverless_run_can_be_cancelled_while_it_waits_and_while_it_runs() {
    let mut config = instant();
    config.timing.cold_start = std::time::Duration::from_secs(60);
    let client = Client::with(config).await;
    let receiver = Receiver::new().await;
    let id = client.queue("SDXL Portrait", json!({ "webhook": receiver.url })).await;
    let (status, answer) = client.post(&format!("/run/{id}/cancel"), &json!({})).await;
    assert_eq!(status, 200);
    assert_eq!(answer, json!({ "status": "success", "message": "Function cancelled" }));
    let run = client.run(&id).await;
    assert_eq!(run["status"], "cancelled");
    assert!(run["queued_at"].is_null());
    receiver.wait_for("cancelled").await;

    let mut config = instant();
    config.timing.per_node = std::time::Duration::from_millis(60);
    let client = Client::with(config).await;
    let more = json!({ "webhook": receiver.url, "webhook_intermediate_status": true });
    let id = client.queue("SDXL Portrait", more).await;
    client.poll(&id, |run| run["status"] == "running").await;
    client.post(&format!("/run/{id}/cancel"), &json!({})).await;
    let run = client.run(&id).await;
    assert_eq!(run["status"], "cancelled");
    // Once by the cancel, once by the engine at its next node.
    let cancelled = |hooks: &[crate::receiver::Hook]| {
        let own = hooks.iter().filter(|h| h.body["run_id"] == id.as_str());
        own.filter(|hook| hook.status() == "cancelled").count() == 2
    };
    receiver.wait(cancelled).await;
    // After the end the answer is the same and nothing changes.
    let (status, _) = client.post(&format!("/run/{id}/cancel"), &json!({})).await;
    assert_eq!(status, 200);
    assert_eq!(client.book(&id).cancel_calls, 2);
}

#[tokio::test]
async fn the_same_prompt_and_seed_give_the_same_picture_and_others_another() {
    let client = Client::new().await;
    let picture = async |prompt: &str, seed: i32| {
        let inputs = json!({ "prompt": prompt, "seed": seed, "width": 64, "height": 64 });
        let id = client.queue("SDXL Portrait", json!({ "inputs": inputs })).await;
        let run = client.end(&id).await;
        let url = run["outputs"][0]["data"]["images"][0]["url"].as_str().unwrap().to_owned();
        client.http.get(url).send().await.unwrap().bytes().await.unwrap()
    };
    let fox = picture("a fox", 1).await;
    assert_eq!(fox, picture("a fox", 1).await);
    assert_ne!(fox, picture("a fox", 2).await);
    assert_ne!(fox, picture("a lake at night", 1).await);
    // Any seed: another one for each run.
    assert_ne!(picture("a fox", -1).await, picture("a fox", -1).await);
}

#[tokio::test]
async fn a_warm_container_saves_the_wait_and_the_boot() {
    let mut config = instant();
    config.jitter = 0.0;
    config.timing.idle = std::time::Duration::from_secs(60);
    config.timing.cold_start = std::time::Duration::from_millis(300);
    let client = Client::with(config).await;
    let wait = async || {
        let id = client.queue("SDXL Portrait", json!({})).await;
        let run = client.end(&id).await;
        millis(&run["queued_at"]) - millis(&run["created_at"])
    };
    assert!(wait().await >= 300);
    client.wait_books(|runs| runs.iter().all(|run| run.is_final())).await;
    assert!(wait().await < 300);
}

#[tokio::test]
async fn old_runs_are_forgotten() {
    let client = Client::with(SimConfig { max_runs: 2, ..instant() }).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = client.queue("SDXL Portrait", json!({})).await;
        client.end(&id).await;
        ids.push(id);
    }
    let (status, _) = client.get(&format!("/run/{}", ids[0])).await;
    assert_eq!(status, 404);
    assert_eq!(client.server.sim.books().runs.len(), 2);
}
