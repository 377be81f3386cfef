use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, answer, kind};

const RUN: &str = "/api/internal/run/sdxl-portrait";

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_tool_is_404_with_suggestions() {
    let bench = Bench::new().await;
    for path in ["run", "quote"] {
        let (status, problem) = bench.post(&format!("/api/internal/{path}/sdxl-portait"), &json!({})).await;
        assert_eq!((status.as_u16(), kind(&problem)), (404, "not-found"));
        assert_eq!(problem["suggestions"][0], "sdxl-portrait");
    }
    let (status, problem) = bench.get("/api/internal/tools/sdxl_portrait_").await;
    assert_eq!(status, 404);
    assert_eq!(problem["suggestions"][0], "sdxl-portrait");
    let (status, _) = bench.post(&format!("/api/internal/run/{}", "x".repeat(3000)), &json!({})).await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_the_inputs_is_named() {
    let bench = Bench::new().await;
    let cases = [
        (json!({ "steps": 80 }), "/steps", "maximum"),
        (json!({ "steps": 0 }), "/steps", "minimum"),
        (json!({ "steps": "many" }), "/steps", "type"),
        (json!({ "steps": 1.5 }), "/steps", "type"),
        (json!({ "prompt": 7 }), "/prompt", "type"),
        (json!({ "prompt": null }), "/prompt", "type"),
        (json!({ "sampler": "eulr" }), "/sampler", "enum"),
        (json!({ "promt": "a fox" }), "/promt", "unknownInput"),
        (json!({ "prompt": "a\u{0}b" }), "/prompt", "nul"),
    ];
    for (inputs, pointer, rule) in &cases {
        for path in [RUN, "/api/internal/quote/sdxl-portrait"] {
            let (status, problem) = bench.post(path, &json!({ "inputs": inputs })).await;
            assert_eq!((status.as_u16(), kind(&problem)), (422, "invalid-input"), "{inputs}");
            let found = &problem["problems"][0];
            assert_eq!((&found["pointer"], &found["rule"]), (&json!(pointer), &json!(rule)), "{problem}");
        }
    }
    let all = json!({ "inputs": { "steps": 80, "promt": "a fox", "width": "wide" } });
    let (_, problem) = bench.post(RUN, &all).await;
    let pointers: Vec<&Value> = problem["problems"].as_array().unwrap().iter().map(|p| &p["pointer"]).collect();
    assert_eq!(pointers.len(), 3, "{problem}");
    let typo = problem["problems"].as_array().unwrap().iter().find(|p| p["pointer"] == "/promt").unwrap();
    assert_eq!(typo["suggestion"], "prompt");
    let (_, tasks) = bench.get("/api/internal/tasks").await;
    assert_eq!(tasks, json!({ "tasks": [], "nextCursor": null }), "nothing was accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_request_is_400() {
    let bench = Bench::new().await;
    let bodies = ["", "{", "[]", "{\"inputs\": []}", "{\"inputz\": {}}", "{\"inputs\": {}} x", "\u{feff}{}", "nul"];
    for body in bodies {
        let (status, problem) = answer(bench.request(Method::POST, RUN).body(body)).await;
        assert_eq!((status.as_u16(), kind(&problem)), (400, "malformed-request"), "{body:?}");
    }
    let (_, problem) = answer(bench.request(Method::POST, RUN).body("{\"inputz\": {}}")).await;
    assert!(problem["detail"].as_str().unwrap().contains("`inputz`"), "{problem}");
    let deep = format!("{{\"inputs\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(answer(bench.request(Method::POST, RUN).body(deep)).await.0, 400);
    assert_eq!(answer(bench.request(Method::POST, RUN).body(vec![b'{', 0xff, b'}'])).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_ten_megabytes_is_413() {
    let bench = Bench::new().await;
    let body = json!({ "inputs": { "prompt": "x".repeat(10 * 1024 * 1024) } }).to_string();
    let (status, problem) = answer(bench.request(Method::POST, RUN).body(body.clone())).await;
    assert_eq!((status.as_u16(), kind(&problem)), (413, "too-large"));
    let chunks = body.as_bytes().chunks(64 * 1024).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()));
    let chunks = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks.collect::<Vec<_>>()));
    let (status, _) = answer(bench.request(Method::POST, RUN).body(chunks)).await;
    assert_eq!(status, 413, "without a declared length too");
    assert_eq!(bench.get("/healthz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_task_is_404() {
    let bench = Bench::new().await;
    for id in ["01a212ca-fcb3-70c7-945f-91d18f9bd495", "no-id", "..%2F..%2Fetc", "%00"] {
        assert_eq!(bench.get(&format!("/api/internal/tasks/{id}")).await.0, 404, "{id}");
        assert_eq!(bench.post(&format!("/api/internal/tasks/{id}/cancel"), &json!({})).await.0, 404, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_are_400_and_named() {
    let bench = Bench::new().await;
    for (query, word) in [
        ("status=done", "status"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("stauts=running", "`stauts`"),
    ] {
        let (status, problem) = bench.get(&format!("/api/internal/tasks?{query}")).await;
        assert_eq!((status.as_u16(), kind(&problem)), (400, "malformed-request"), "{query}");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    assert_eq!(bench.post(&format!("{RUN}?wait=soon"), &json!({})).await.0, 400);
    let long = bench.request(Method::POST, RUN).header("idempotency-key", "k".repeat(256)).json(&json!({}));
    assert_eq!(answer(long).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpriced_tool_is_refused_with_the_setting_that_would_allow_it() {
    let bench = Bench::new().await;
    let (status, problem) = bench.post("/api/internal/run/workshop-sketch", &json!({ "inputs": {} })).await;
    assert_eq!((status.as_u16(), kind(&problem)), (422, "unpriced"));
    assert!(problem["detail"].as_str().unwrap().contains("unpriced = \"allow\""), "{problem}");
    let (_, tool) = bench.get("/api/internal/tools/workshop-sketch").await;
    assert!(tool["rate"].is_null() && tool["unpriced"].is_string(), "{tool}");
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_and_targets_are_bounded_and_known() {
    let bench = Bench::new().await;
    for body in [
        json!({ "notify": [{ "channel": "pigeon" }] }),
        json!({ "metadata": { "note": "x".repeat(70_000) } }),
        json!({ "initiatingEventId": "x".repeat(300) }),
    ] {
        let (status, problem) = bench.post(RUN, &body).await;
        assert_eq!((status.as_u16(), kind(&problem)), (422, "invalid-input"), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_paths_and_methods_are_problems_with_the_requests_id() {
    let bench = Bench::new().await;
    for (method, path, expected) in [
        (Method::GET, "/", 404),
        (Method::GET, "/api/internal/nothing", 404),
        (Method::PUT, RUN, 405),
        (Method::DELETE, "/api/internal/tasks", 405),
        (Method::PUT, "/api/webhook/comfydeploy/x", 405),
        (Method::GET, "/api/internal/tasks/%FF", 400),
        (Method::POST, "/api/webhook/%FE/x", 400),
    ] {
        let request = bench.request(method, path).header("x-request-id", "req-1");
        let (status, problem) = answer(request).await;
        assert_eq!(status, expected, "{path}");
        assert_eq!((&problem["requestId"], &problem["instance"]), (&json!("req-1"), &json!(path)));
    }
    let odd = bench.request(Method::GET, "/healthz").header("x-request-id", "a b\"c").send().await.unwrap();
    assert_eq!(odd.headers()["x-request-id"].len(), 36, "a harmful id is replaced");
}
