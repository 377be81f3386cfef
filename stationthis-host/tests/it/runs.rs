use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::SimTiming;
use stationthis_host::app::Service;
use stationthis_host::desk::{Desk, TaskFilter};

use crate::bench::{Bench, answer, config, kind};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_with_a_picture_and_its_cost() {
    let bench = Bench::new().await;
    let body = json!({
        "inputs": { "prompt": "a red fox", "steps": 4 },
        "initiatingEventId": "evt-1",
        "metadata": { "order": 7, "status": "hacked", "__proto__": 1 },
        "notify": [{ "channel": "events" }]
    });
    let (status, task) = bench.post("/api/internal/run/sdxl-portrait?wait=30", &body).await;
    assert_eq!((status.as_u16(), &task["status"]), (200, &json!("completed")), "{task}");
    let cost = task["costUsd"].as_str().unwrap();
    assert_eq!(cost.split_once('.').unwrap().1.len(), 9, "{cost}");
    assert_ne!(cost, "0.000000000");
    assert_eq!(task["costRate"]["resource"], "A10G");
    assert_eq!(task["inputsAsked"], json!({ "prompt": "a red fox", "steps": 4 }));
    assert_eq!(task["inputsSent"]["sampler"], "euler", "defaults are filled in");
    assert_eq!((&task["initiatingEventId"], &task["metadata"]["order"]), (&json!("evt-1"), &json!(7)));
    assert!(task["counters"]["webhooks"].as_u64().unwrap() > 0, "the simulator reached our webhook address");
    let picture = bench.http.get(task["outputs"][0]["url"].as_str().unwrap()).send().await.unwrap();
    assert!(picture.bytes().await.unwrap().starts_with(PNG));
    let text = task.to_string();
    assert!(!text.contains("/api/webhook/"), "the callback URL holds a token");
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_202_with_its_place_until_it_has_ended() {
    let bench = Bench::new().await;
    let request = bench.request(Method::POST, "/api/internal/run/sdxl-portrait").json(&json!({ "inputs": {} }));
    let answered = request.send().await.unwrap();
    assert_eq!(answered.status(), 202);
    let place = answered.headers()["location"].to_str().unwrap().to_owned();
    let (status, task) = bench.get(&format!("{place}?wait=30")).await;
    assert_eq!((status.as_u16(), &task["status"]), (200, &json!("completed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_key_finds_the_first_task_and_another_request_is_a_conflict() {
    let bench = Bench::new().await;
    let run = |prompt: &str| {
        let request = bench.request(Method::POST, "/api/internal/run/sdxl-portrait").header("idempotency-key", "tap-1");
        answer(request.json(&json!({ "inputs": { "prompt": prompt } })))
    };
    let (first, second) = tokio::join!(run("a fox"), run("a fox"));
    assert_eq!(first.1["taskId"], second.1["taskId"]);
    bench.ended(&first.1).await;
    let (status, third) = run("a fox").await;
    assert_eq!((status.as_u16(), &third["taskId"]), (200, &first.1["taskId"]), "it has ended meanwhile");
    let (status, problem) = run("a hare").await;
    assert_eq!((status.as_u16(), kind(&problem)), (409, "conflict"));
    assert_eq!(bench.app.sim().unwrap().books().runs.len(), 1, "one run, charged once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_task_ends_as_such() {
    let slow = SimTiming { cold_start: Duration::from_secs(600), ..SimTiming::instant() };
    let bench = Bench::with(slow, None).await;
    let task = bench.run("sdxl-portrait", json!({})).await;
    let path = format!("/api/internal/tasks/{}/cancel", task["taskId"].as_str().unwrap());
    let (status, wished) = bench.post(&path, &json!({})).await;
    assert_eq!(status, 200);
    assert!(wished["cancel"].is_object() || wished["status"] == "cancelled", "{wished}");
    let ended = bench.ended(&task).await;
    assert_eq!(ended["status"], "cancelled", "{ended}");
    assert_eq!(bench.post(&path, &json!({})).await.1["status"], "cancelled", "once more changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_and_by_status_and_tool() {
    let bench = Bench::new().await;
    let mut ids = Vec::new();
    for steps in 1..=5 {
        ids.insert(0, bench.run("sdxl-portrait", json!({ "steps": steps })).await["taskId"].clone());
    }
    let other = bench.run("flux-dreamscape", json!({})).await;
    bench.ended(&other).await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = bench.get(&format!("/api/internal/tasks?tool=sdxl-portrait&limit=2{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        let tasks = page["tasks"].as_array().unwrap();
        assert!(tasks.len() <= 2);
        seen.extend(tasks.iter().map(|task| task["taskId"].clone()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ids, "newest first, each once");
    let (_, page) = bench.get("/api/internal/tasks?status=completed,failed&tool=flux-dreamscape").await;
    assert_eq!(page["tasks"][0]["taskId"], other["taskId"]);
    assert_eq!(page["tasks"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_tasks_that_hold_pictures_ends_early_for_every_reader() {
    let bench = Bench::new().await;
    // Two copies of it are on a record: as it was asked for and as it is sent.
    let picture = format!("data:image/png;base64,{}", "A".repeat(1_500_000));
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.insert(0, bench.run("image-restyle", json!({ "input_image": picture })).await["taskId"].clone());
    }
    for (list, items, id) in [("tasks", "tasks", "taskId"), ("generations", "generations", "generationId")] {
        let first = bench.request(Method::GET, &format!("/api/internal/{list}?limit=500")).send().await.unwrap();
        let first = first.text().await.unwrap();
        assert!(first.len() < 12 * 1024 * 1024, "{}", first.len());
        let first: Value = serde_json::from_str(&first).unwrap();
        let cursor = first["nextCursor"].as_str().unwrap();
        let (_, second) = bench.get(&format!("/api/internal/{list}?limit=500&cursor={cursor}")).await;
        assert!(second["nextCursor"].is_null());
        let pages = [&first, &second].map(|page| page[items].as_array().unwrap());
        assert_eq!(pages.map(Vec::len), [3, 1]);
        assert!(pages.into_iter().flatten().map(|item| &item[id]).eq(&ids));
    }
    let desk = Desk::open(&config(&bench.dir), Some(&bench.base), Service::Configured).await.unwrap();
    let filter = TaskFilter { limit: 4, ..TaskFilter::default() };
    let listed = desk.tasks(&filter).await.unwrap();
    assert!(listed.iter().map(|task| json!(task.task_id)).eq(ids), "the command line asks on");
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_show_their_schema_price_and_freshness() {
    let bench = Bench::new().await;
    let (status, list) = bench.get("/api/internal/tools").await;
    assert_eq!(status, 200);
    let tools = list["tools"].as_array().unwrap();
    assert!(tools.len() >= 4);
    let tool = tools.iter().find(|tool| tool["slug"] == "sdxl-portrait").unwrap();
    assert_eq!((&tool["rate"]["resource"], &tool["stale"]), (&json!("A10G"), &json!(false)));
    assert_eq!(tool["inputSchema"]["additionalProperties"], false);
    let id = tool["toolId"].as_str().unwrap();
    let (_, by_id) = bench.get(&format!("/api/internal/tools/{id}")).await;
    assert_eq!(&by_id, tool);
    assert_eq!(bench.get("/api/internal/run/sdxl-portrait").await.1, by_id);
    let (status, quote) = bench.post("/api/internal/quote/sdxl-portrait", &json!({ "inputs": {} })).await;
    assert_eq!(status, 200);
    assert_eq!(quote["toolId"], id);
    assert_eq!(quote["costRate"], tool["rate"]);
    assert!(quote["quote"]["ceilingUsd"].is_string(), "{quote}");
    assert_eq!(quote["quote"], by_id["estimate"]);
}
