//! The router within another application, below a path.

use reqwest::{Method, StatusCode, header, redirect};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{SimConfig, SimTiming};
use stationthis_host::app::Service;
use stationthis_host::client::HostClient;
use stationthis_host::http::{ROUTES, Scope};

use crate::bench::{Bench, answer, config, kind};
use crate::events::Events;

const BELOW: &str = "/tools/ai";

async fn nested() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let sim = SimConfig { timing: SimTiming::instant(), ..SimConfig::default() };
    let service = Service::Simulator(Box::new(sim), 0);
    let bench = Bench::within(BELOW, config(&dir), dir, service, None, |face| face).await;
    bench.app.station().refresh().await.unwrap();
    bench
}

/// Where the application around is.
fn origin(bench: &Bench) -> &str {
    bench.base.strip_suffix(BELOW).unwrap()
}

/// What is at the place that an answer names.
async fn followed(bench: &Bench, request: reqwest::RequestBuilder, status: u16) -> Value {
    let answered = request.send().await.unwrap();
    assert_eq!(answered.status(), status);
    let place = answered.headers()[header::LOCATION].to_str().unwrap().to_owned();
    assert!(place.starts_with("/tools/ai/api/internal/"), "{place}");
    let (status, there) = answer(bench.http.get(format!("{}{place}", origin(bench)))).await;
    assert_eq!(status, StatusCode::OK, "{place}: {there}");
    there
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_is_where_the_answer_says() {
    let bench = nested().await;
    let post = |path: &str| bench.request(Method::POST, path);
    let run = json!({ "inputs": { "prompt": "a fox" } });
    let task = followed(&bench, post("/api/internal/run/sdxl-portrait").json(&run), 202).await;
    let run = post("/api/internal/run/sdxl-portrait?wait=30").json(&run);
    assert_eq!(followed(&bench, run, 200).await["status"], "completed");
    let event = json!({ "type": "command", "payload": {} });
    assert_eq!(followed(&bench, post("/api/internal/events").json(&event), 201).await["type"], "command");
    let generation = json!({ "toolId": "sdxl-portrait", "requestPayload": { "prompt": "a hare" } });
    followed(&bench, post("/api/internal/generations").json(&generation), 201).await;
    let part = reqwest::multipart::Part::bytes(crate::files::PNG).mime_str("image/png").unwrap();
    let form = reqwest::multipart::Form::new().part("file", part);
    assert_eq!(followed(&bench, post("/api/internal/files").multipart(form), 201).await["mime"], "image/png");

    let mut events = Events::open(
        bench.request(Method::GET, &format!("/api/internal/tasks/{}/events", task["taskId"].as_str().unwrap())),
    )
    .await;
    let mut last = None;
    while let Some(said) = events.next().await {
        last = Some(said);
    }
    assert_eq!(last.unwrap().data["taskId"], task["taskId"], "until its end");

    let host = HostClient::new(&bench.base, None).unwrap();
    let tools: Value = host.call(Method::GET, &["tools"], &[], &[], None).await.unwrap();
    assert!(!tools["tools"].as_array().unwrap().is_empty(), "the command line finds it there");
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_name_leads_to_the_present_one() {
    let bench = nested().await;
    assert!(bench.app.sim().unwrap().rename_workflow("SDXL Portrait", "SDXL Headshot"));
    bench.app.station().refresh().await.unwrap();
    let still = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
    let named = [(Method::GET, "run"), (Method::POST, "run"), (Method::POST, "quote"), (Method::GET, "tools")];
    for (method, parent) in named {
        let url = format!("{}/api/internal/{parent}/sdxl-portrait", bench.base);
        let moved = still.request(method.clone(), &url).json(&json!({})).send().await.unwrap();
        let place = format!("{BELOW}/api/internal/{parent}/sdxl-headshot");
        assert_eq!((moved.status().as_u16(), moved.headers()[header::LOCATION].to_str().unwrap()), (308, &*place));
        assert_eq!(moved.json::<Value>().await.unwrap()["location"], place);
        let there = bench.http.request(method, &url).json(&json!({})).send().await.unwrap();
        assert!(there.status().is_success(), "a client that follows gets there: {}", there.status());
    }
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_come_in_below_the_path() {
    let bench = nested().await;
    let task = bench.run("sdxl-portrait", json!({ "prompt": "a fox" })).await;
    bench.ended(&task).await;
    let books = bench.app.sim().unwrap().books();
    let url = books.runs_with_webhook(task["taskId"].as_str().unwrap())[0].webhook.clone().unwrap();
    assert!(url.starts_with(&format!("{}/api/webhook/comfydeploy/", bench.base)), "{url}");
    let (status, taken) = answer(bench.http.post(&url).json(&json!({ "run_id": "r", "status": "running" }))).await;
    assert_eq!((status.as_u16(), &taken), (200, &json!({ "received": true })));
    let forged = url.split_once('?').unwrap().0;
    let (status, problem) = answer(bench.http.post(forged).json(&json!({}))).await;
    let path = forged.strip_prefix(origin(&bench)).unwrap();
    assert_eq!((status.as_u16(), kind(&problem), &problem["instance"]), (401, "unauthorized", &json!(path)));
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_and_the_document_name_the_whole_path_and_the_rest_is_the_applications() {
    let bench = nested().await;
    for path in ["/api/internal/tools/nothing", "/api/internal/nothing", "/nothing"] {
        let (status, problem) = bench.get(path).await;
        assert_eq!((status.as_u16(), &problem["instance"]), (404, &json!(format!("{BELOW}{path}"))), "{problem}");
    }
    let (status, problem) = answer(bench.request(Method::DELETE, "/api/internal/tools")).await;
    assert_eq!((status.as_u16(), &problem["instance"]), (405, &json!("/tools/ai/api/internal/tools")));
    for (path, said) in [("/", "home"), ("/api/internal/tools", "lost"), ("/tools", "lost")] {
        let text = bench.http.get(format!("{}{path}", origin(&bench))).send().await.unwrap().text().await.unwrap();
        assert_eq!(text, said, "{path}");
    }

    let (_, document) = bench.get("/api/internal/openapi.json").await;
    assert_eq!(document["servers"], json!([{ "url": BELOW }]));
    for route in ROUTES.iter().filter(|route| route.method == "GET" && route.scope != Scope::Provider) {
        if route.path.contains('{') || route.path == "/metrics" || route.path.ends_with("/events") {
            continue;
        }
        assert!(document["paths"][route.path]["get"].is_object(), "{}", route.path);
        let there = bench.request(Method::GET, route.path).send().await.unwrap().status();
        // What is asked of a user needs parameters.
        assert!(there == 200 || route.path.ends_with("/users") && there == 400, "{}: {there}", route.path);
    }
    let page = bench.request(Method::GET, "/docs").send().await.unwrap().text().await.unwrap();
    assert!(page.contains(r#"href="api/internal/openapi.json""#) && page.contains("fetch(before + path"));
    assert!(!page.contains(r#"href="/"#) && !page.contains("fetch(path"), "nothing is asked of the root");
    bench.close().await;

    let (_, document) = Bench::new().await.get("/api/internal/openapi.json").await;
    assert_eq!(document.get("servers"), None, "at the root there is nothing to say");
}
