//! The host follows its services' catalogues while it serves.

use std::time::Duration;

use reqwest::{Method, StatusCode, header, redirect};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{SimDeployment, SimMachine, SimTiming, SimWorkflow};
use stationthis_core::{ErrorKind, Secret};
use stationthis_host::client::HostClient;

use crate::bench::{Bench, answer, kind};

/// Paths with a tool's name in them, and the methods that they answer.
const NAMED: [(Method, &str); 4] = [
    (Method::GET, "/api/internal/run"),
    (Method::POST, "/api/internal/run"),
    (Method::POST, "/api/internal/quote"),
    (Method::GET, "/api/internal/tools"),
];

/// A host with a task of each of two tools, which take their time. Then one of the tools gets another name, the other
/// one goes, and a new one comes.
async fn changed() -> (Bench, [Value; 2]) {
    let slow = SimTiming { cold_start: Duration::from_secs(600), ..SimTiming::instant() };
    let bench = Bench::with(slow, None).await;
    let tasks = [bench.run("sdxl-portrait", json!({})).await, bench.run("flux-dreamscape", json!({})).await];
    for task in &tasks {
        let path = format!("/api/internal/tasks/{}", task["taskId"].as_str().unwrap());
        // What is not submitted yet could not be any more.
        while bench.get(&path).await.1["status"] != "queued" {}
    }
    let sim = bench.app.sim().unwrap();
    sim.add_workflow(
        SimWorkflow::text_to_image("Night Sky").deployed(SimDeployment::production(SimMachine::T4).fluid()),
    );
    assert!(sim.rename_workflow("SDXL Portrait", "SDXL Headshot") && sim.remove_workflow("Flux Dreamscape"));
    assert_eq!(bench.get("/api/internal/run/night-sky").await.0, 404, "nobody has looked yet");
    bench.app.station().refresh().await.unwrap();
    (bench, tasks)
}

fn unfollowing() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_follow_a_refresh_and_old_names_are_answered() {
    let (bench, _) = changed().await;
    let ask = |method: &Method, path: String| {
        let request = bench.request(method.clone(), &path);
        answer(if *method == Method::POST { request.json(&json!({})) } else { request })
    };
    for (method, path) in NAMED {
        for name in ["night-sky", "sdxl-headshot", "SDXL-Headshot"] {
            let (status, body) = ask(&method, format!("{path}/{name}")).await;
            assert!(status.is_success(), "{method} {path}/{name}: {body}");
        }
        let (status, gone) = ask(&method, format!("{path}/flux-dreamscape")).await;
        assert_eq!((status.as_u16(), kind(&gone)), (410, "gone"), "{method} {path}: {gone}");
        assert!(gone["detail"].as_str().unwrap().contains("comfydeploy does not have since 20"), "{gone}");
        let (status, unknown) = ask(&method, format!("{path}/nihgt-sky")).await;
        assert_eq!((status.as_u16(), kind(&unknown)), (404, "not-found"));
        assert_eq!(unknown["suggestions"], json!(["night-sky"]));

        let url = format!("{}{path}/SDXL-Portrait?wait=0&x=%20y", bench.base);
        let moved = unfollowing().request(method.clone(), url).json(&json!({})).send().await.unwrap();
        let place = format!("{path}/sdxl-headshot?wait=0&x=%20y");
        if path.ends_with("run") && method == Method::POST {
            assert_eq!(moved.status(), 400, "a bad query is said before anything else");
            continue;
        }
        assert_eq!(
            (moved.status(), moved.headers()[header::LOCATION].to_str().unwrap()),
            (StatusCode::PERMANENT_REDIRECT, &*place)
        );
        assert_eq!(moved.headers()[header::CACHE_CONTROL], "no-store", "a tool may get its old name back");
        assert_eq!(moved.json::<Value>().await.unwrap(), json!({ "slug": "sdxl-headshot", "location": place }));
    }
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_follows_a_refresh() {
    let bench = Bench::new().await;
    let document = async || bench.get("/api/internal/openapi.json").await.1;
    let before = document().await;
    let operation = &before["paths"]["/api/internal/run/sdxl-portrait"]["post"];
    assert_eq!(
        (&operation["operationId"], &operation["summary"]),
        (&json!("run_sdxl_portrait"), &json!("SDXL Portrait"))
    );
    assert_eq!(operation["description"], "Price: $0.000337 per second on A10G.\n\nGives: image.");
    let inputs = "/requestBody/content/application~1json/schema/properties/inputs/properties/steps/maximum";
    assert_eq!(operation.pointer(inputs).unwrap(), 60);
    let sim = bench.app.sim().unwrap();
    assert!(sim.rename_workflow("SDXL Portrait", "SDXL Headshot") && sim.remove_workflow("Flux Dreamscape"));
    sim.add_workflow(SimWorkflow::text_to_image("Night Sky").deployed(SimDeployment::production(SimMachine::T4)));
    bench.app.station().refresh().await.unwrap();
    let after = document().await;
    let there = |slug: &str| after["paths"].get(format!("/api/internal/run/{slug}")).is_some();
    assert!(there("night-sky") && there("sdxl-headshot") && !there("sdxl-portrait") && !there("flux-dreamscape"));
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_an_old_name_get_where_they_wanted() {
    let (bench, _) = changed().await;
    // As long as a body may be: it is sent twice, and both times taken.
    let padded = json!({ "inputs": { "prompt": "x".repeat(1_000_000) } });
    let request = bench.request(Method::POST, "/api/internal/run/sdxl-portrait").header("idempotency-key", "tap-1");
    let (status, by_old) = answer(request.json(&padded)).await;
    assert_eq!((status.as_u16(), &by_old["toolName"]), (202, &json!("sdxl-headshot")), "{status}");
    let request = bench.request(Method::POST, "/api/internal/run/sdxl-headshot").header("idempotency-key", "tap-1");
    assert_eq!(answer(request.json(&padded)).await.1["taskId"], by_old["taskId"], "it is the same request");

    let host = HostClient::new(&bench.base, None::<Secret>).unwrap();
    let body = json!({ "inputs": { "prompt": "a fox" } });
    let run = async |name: &str| host.call::<Value>(Method::POST, &["run", name], &[], &[], Some(&body)).await;
    assert_eq!(run("sdxl-portrait").await.unwrap()["inputsAsked"], body["inputs"]);
    assert_eq!(run("flux-dreamscape").await.unwrap_err().kind(), ErrorKind::Gone);
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_renamed_and_removed_tools_go_on() {
    let (bench, tasks) = changed().await;
    for task in &tasks {
        let id = task["taskId"].as_str().unwrap();
        let (status, now) = bench.get(&format!("/api/internal/tasks/{id}")).await;
        assert_eq!(status, 200);
        for fixed in ["toolId", "toolName", "toolRevision", "inputsSent", "costRate", "quote", "deadlineAt"] {
            assert_eq!(now[fixed], task[fixed], "{fixed}");
        }
        assert!(now["times"]["endedAt"].is_null() && now["flags"] == json!([]), "{now}");
        let (_, listed) = bench.get(&format!("/api/internal/tasks?tool={}", task["toolId"].as_str().unwrap())).await;
        assert_eq!(listed["tasks"].as_array().unwrap().len(), 1);
        let (_, asked) = bench.post(&format!("/api/internal/tasks/{id}/cancel"), &json!({})).await;
        assert!(asked["cancel"].is_object(), "{asked}");
        assert_eq!(bench.ended(task).await["status"], "cancelled");
    }
    bench.close().await;
}
