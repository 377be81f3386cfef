//! Tasks as generations.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::SimTiming;

use crate::bench::{Bench, answer, kind};
use crate::keys::{key_of, with_key};

const GENERATIONS: &str = "/api/internal/generations";

fn slow() -> SimTiming {
    SimTiming { cold_start: Duration::from_secs(600), ..SimTiming::instant() }
}

async fn put(bench: &Bench, id: &str, body: &Value) -> (u16, Value) {
    let (status, answer) = answer(bench.request(Method::PUT, &format!("{GENERATIONS}/{id}")).json(body)).await;
    (status.as_u16(), answer)
}

async fn list(bench: &Bench, query: &str) -> Vec<String> {
    let (status, page) = bench.get(&format!("{GENERATIONS}{query}")).await;
    assert_eq!(status, 200, "{query}: {page}");
    let ids = page["generations"].as_array().unwrap().iter();
    ids.map(|generation| generation["generationId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_is_a_task_in_other_words() {
    let bench = Bench::new().await;
    let wish = json!({
        "toolId": "sdxl-portrait",
        "serviceName": "comfydeploy",
        "requestPayload": { "prompt": "a red fox" },
        "metadata": { "order": 17 },
        "initiatingEventId": "tap-1",
        "notificationPlatform": "events",
    });
    let answer = bench.request(Method::POST, GENERATIONS).header("idempotency-key", "order-17").json(&wish);
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    let made: Value = answer.json().await.unwrap();
    let id = made["generationId"].as_str().unwrap();
    assert_eq!(place, format!("{GENERATIONS}/{id}"));
    assert!(["pending", "processing"].contains(&made["status"].as_str().unwrap()), "{made}");
    assert!(made.get("responsePayload").is_none() && made.get("costUsd").is_none(), "not ended: {made}");

    let (_, task) = bench.get(&format!("/api/internal/tasks/{id}?wait=30")).await;
    let (_, ended) = bench.get(&place).await;
    let mut expected = json!({
        "generationId": id,
        "userId": "local",
        "status": "completed",
        "serviceName": "comfydeploy",
        "toolId": task["toolId"],
        "toolDisplayName": task["toolName"],
        "initiatingEventId": "tap-1",
        "requestPayload": task["inputsSent"],
        "requestTimestamp": task["times"]["acceptedAt"],
        "responsePayload": task["outputs"],
        "responseTimestamp": task["times"]["endedAt"],
        "durationMs": ended["durationMs"],
        "costUsd": task["costUsd"],
        "notify": task["notify"],
        "metadata": { "order": 17, "run_id": task["runId"], "costRate": task["costRate"] },
    });
    assert_eq!(ended, expected);
    assert_eq!(ended["requestPayload"]["prompt"], "a red fox");
    assert!(task["notify"].to_string().contains("events") && !task["outputs"].as_array().unwrap().is_empty(), "{task}");

    // Read, edited, written: what is the station's may come back as it is.
    expected["metadata"]["order"] = json!(18);
    let (status, changed) = put(&bench, id, &expected).await;
    assert_eq!((status, &changed), (200, &expected));
    let (_, task) = bench.get(&format!("/api/internal/tasks/{id}")).await;
    assert_eq!(task["metadata"], json!({ "order": 18 }), "the station's own keys are not kept as the caller's");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_stations_answers_409_and_changes_nothing() {
    let bench = Bench::with(slow(), None).await;
    let (_, made) = bench.post(GENERATIONS, &json!({ "toolId": "sdxl-portrait", "metadata": { "a": 1 } })).await;
    let id = made["generationId"].as_str().unwrap();
    let wish = json!({
        "metadata": { "b": 2, "run_id": "mine", "costRate": null },
        "status": "completed",
        "costUsd": "0.000000000",
        "responsePayload": [],
        "userId": "local",
    });
    let (status, problem) = put(&bench, id, &wish).await;
    assert_eq!((status, kind(&problem)), (409, "conflict"), "{problem}");
    let mut pointers: Vec<_> = problem["problems"].as_array().unwrap().iter().map(|p| p["pointer"].clone()).collect();
    pointers.sort_by_key(ToString::to_string);
    let taken = ["/costUsd", "/metadata/costRate", "/metadata/run_id", "/responsePayload", "/status"];
    assert_eq!(json!(pointers), json!(taken), "and not userId, which stays");
    let (_, task) = bench.get(&format!("/api/internal/tasks/{id}")).await;
    assert_eq!(task["metadata"], json!({ "a": 1 }));
    let wish = json!({ "toolId": "sdxl-portrait", "metadata": { "run_id": "mine" } });
    assert_eq!(bench.post(GENERATIONS, &wish).await.0, 409, "nor in a new one");

    for (bad, expected) in [
        (json!({ "ratingUser": 5 }), 400),
        (json!({ "metadata": "x" }), 400),
        (json!({ "notify": [], "notificationPlatform": "none" }), 400),
        (json!([]), 400),
        (json!({ "notificationPlatform": "pigeon" }), 422),
        (json!({ "metadata": { "x": "x".repeat(70_000) } }), 422),
    ] {
        let (status, problem) = put(&bench, id, &bad).await;
        assert_eq!(status, expected, "{bad}: {problem}");
    }
    for (bad, expected) in [
        (json!({}), 400),
        (json!({ "toolId": "sdxl-portrait", "status": "completed" }), 400),
        (json!({ "toolId": "sdxl-portrate" }), 404),
        (json!({ "toolId": "sdxl-portrait", "serviceName": "openai" }), 422),
        (json!({ "toolId": "sdxl-portrait", "requestPayload": { "steps": 99 } }), 422),
    ] {
        let (status, problem) = bench.post(GENERATIONS, &bad).await;
        assert_eq!(status, expected, "{bad}: {problem}");
    }
    assert_eq!(list(&bench, "").await, [id], "nothing of it ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_generation_tells_changes_until_its_end() {
    let bench = Bench::with(slow(), None).await;
    let (_, made) = bench.post(GENERATIONS, &json!({ "toolId": "sdxl-portrait" })).await;
    let id = made["generationId"].as_str().unwrap();
    let target = json!({ "channel": "webhook", "address": "https://ada.example/desk" });
    let wish = json!({ "notificationPlatform": "webhook", "notificationContext": { "address": target["address"] } });
    let (status, changed) = put(&bench, id, &wish).await;
    assert_eq!((status, changed["notify"].as_array().unwrap().last()), (200, Some(&target)), "{changed}");
    let (_, changed) = put(&bench, id, &json!({ "notificationPlatform": "none" })).await;
    assert_eq!(changed["notify"], made["notify"], "the default stays");
    assert_eq!(bench.post(&format!("/api/internal/tasks/{id}/cancel"), &json!({})).await.0, 200);
    let (_, task) = bench.get(&format!("/api/internal/tasks/{id}?wait=30")).await;
    assert_eq!(task["status"], "cancelled");
    let (_, ended) = bench.get(&format!("{GENERATIONS}/{id}")).await;
    assert_eq!(ended["status"], "cancelled_by_user");
    let (status, problem) = put(&bench, id, &wish).await;
    assert_eq!((status, kind(&problem)), (409, "conflict"), "{problem}");
    assert_eq!(put(&bench, id, &json!({ "metadata": { "seen": true } })).await.0, 200, "the rest may change");
}

#[tokio::test(flavor = "multi_thread")]
async fn generations_are_found_by_run_status_user_and_time() {
    let bench = Bench::with(SimTiming::instant(), Some("correct-horse-battery")).await;
    let (ada, _) = key_of(&bench, "ada").await;
    let (mut ids, mut runs, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for caller in ["local", "local", "ada"] {
        let wish = json!({ "toolId": "sdxl-portrait" });
        let key = if caller == "ada" { ada.as_str() } else { "correct-horse-battery" };
        let (_, made) = with_key(&bench, key, Method::POST, GENERATIONS, Some(wish)).await;
        let id = made["generationId"].as_str().unwrap().to_owned();
        let (_, task) = bench.get(&format!("/api/internal/admin/tasks/{id}?wait=30")).await;
        assert_eq!((&task["status"], &task["caller"]), (&json!("completed"), &json!(caller)));
        runs.push(task["runId"].as_str().unwrap().to_owned());
        times.push(task["times"]["acceptedAt"].as_str().unwrap().to_owned());
        ids.push(id);
    }
    let all = |indexes: &[usize]| indexes.iter().map(|i| ids[*i].clone()).collect::<Vec<_>>();
    let after_first = {
        // The second one's time, cut to the millisecond, as ids are.
        let at = times[1].split('.').next().unwrap().to_owned();
        let ms: String = times[1].chars().skip(at.len()).take(4).collect();
        format!("{at}{ms}Z")
    };
    let cases = [
        (String::new(), all(&[1, 0])),
        (format!("?metadata.run_id={}", runs[0]), all(&[0])),
        (format!("?metadata.run_id={}&status=failed,pending", runs[0]), all(&[])),
        (format!("?metadata.run_id={}&status=completed&userId=local&toolId=sdxl-portrait", runs[0]), all(&[0])),
        (format!("?metadata.run_id={}&until={after_first}", runs[1]), all(&[])),
        (format!("?metadata.run_id={}", runs[2]), all(&[])),
        ("?metadata.run_id=nothing".to_owned(), all(&[])),
        ("?status=completed".to_owned(), all(&[1, 0])),
        ("?status=pending,processing".to_owned(), all(&[])),
        (format!("?since={after_first}"), all(&[1])),
        (format!("?until={after_first}"), all(&[0])),
        (format!("?since={after_first}&until={after_first}"), all(&[])),
        (format!("?cursor={}", ids[1]), all(&[0])),
        (format!("?cursor={}&until={}", ids[0], "2999-01-01T00:00:00Z"), all(&[])),
        ("?limit=1".to_owned(), all(&[1])),
        ("?userId=local&toolId=sdxl-portrait".to_owned(), all(&[1, 0])),
    ];
    for (query, expected) in cases {
        assert_eq!(list(&bench, &query).await, expected, "{query}");
    }
    let (_, everybodys) = bench.get("/api/internal/admin/generations").await;
    assert_eq!(everybodys["generations"].as_array().unwrap().len(), 3);
    let (_, adas) = bench.get("/api/internal/admin/generations?userId=ada").await;
    assert_eq!(adas["generations"][0]["generationId"], ids[2].as_str());
    assert_eq!(bench.get(&format!("/api/internal/admin/generations/{}", ids[2])).await.0, 200);
    for bad in
        ["?status=success", "?since=yesterday", "?userId=ada", "?metadata.order=17", "?metadata.run_id=", "?limit=0"]
    {
        assert_eq!(bench.get(&format!("{GENERATIONS}{bad}")).await.0, 400, "{bad}");
    }
}
