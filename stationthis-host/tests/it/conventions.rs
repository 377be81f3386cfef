//! What HTTP has for clients besides bodies: validators, preferences, what a browser may do.

use reqwest::header::{CACHE_CONTROL, ETAG, HeaderMap, IF_NONE_MATCH};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sha2::Digest;
use stationthis_comfydeploy::sim::SimTiming;

use crate::bench::Bench;

async fn held(bench: &Bench, path: &str, tag: &str) -> Response {
    bench.request(Method::GET, path).header(IF_NONE_MATCH, tag).send().await.unwrap()
}

fn tag(headers: &HeaderMap) -> String {
    assert_eq!(headers[CACHE_CONTROL], "private, no-cache");
    assert_eq!(headers["vary"], "authorization");
    headers[ETAG].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_sent_again() {
    let bench = Bench::new().await;
    let task = bench.run("sdxl-portrait", json!({})).await;
    let task = bench.ended(&task).await;
    let path = format!("/api/internal/tasks/{}", task["taskId"].as_str().unwrap());
    let shown = ["/api/internal/tools", "/api/internal/tools/sdxl-portrait", "/api/internal/openapi.json"];
    for path in shown.into_iter().chain([path.as_str()]) {
        let first = bench.request(Method::GET, path).send().await.unwrap();
        let tag = tag(first.headers());
        let again = held(&bench, path, &tag).await;
        assert_eq!((again.status(), again.headers()[ETAG].to_str().unwrap()), (StatusCode::NOT_MODIFIED, &*tag));
        assert!(again.bytes().await.unwrap().is_empty());
        assert_eq!(held(&bench, path, "\"other\"").await.status(), 200, "{path}");
    }
    // What a run took is news of its tool; a refresh, of all of them.
    let before = bench.request(Method::GET, "/api/internal/run/sdxl-portrait").send().await.unwrap();
    let before_tag = tag(before.headers());
    let offer: Value = before.json().await.unwrap();
    assert!(offer["typicalDurationMs"].is_u64() && offer["estimate"]["expectedUsd"].is_string(), "{offer}");
    assert!(bench.app.sim().unwrap().rename_workflow("SDXL Portrait", "SDXL Headshot"));
    bench.app.station().refresh().await.unwrap();
    assert_eq!(held(&bench, "/api/internal/run/sdxl-headshot", &before_tag).await.status(), 200);
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_goes_on_has_a_new_tag_with_each_step() {
    let bench =
        Bench::with(SimTiming { cold_start: std::time::Duration::from_secs(600), ..SimTiming::instant() }, None).await;
    let task = bench.run("sdxl-portrait", json!({})).await;
    let path = format!("/api/internal/tasks/{}", task["taskId"].as_str().unwrap());
    let first = format!("W/\"{}\"", task["revision"]);
    bench.post(&format!("{path}/cancel"), &json!({})).await;
    // Held or not, what has changed while it was waited for is sent.
    let ended = held(&bench, &format!("{path}?wait=30"), &first).await;
    assert_eq!(ended.status(), 200);
    let tag = tag(ended.headers());
    let body: Value = ended.json().await.unwrap();
    assert_eq!((&body["status"], tag), (&json!("cancelled"), format!("W/\"{}\"", body["revision"])));
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_may_be_a_preference() {
    let bench = Bench::new().await;
    let prefer = |method, path: &str, wish: &'static str| bench.request(method, path).header("prefer", wish);
    let run = prefer(Method::POST, "/api/internal/run/sdxl-portrait", "respond-async, wait=30").json(&json!({}));
    let ended = run.send().await.unwrap();
    assert_eq!((ended.status(), &ended.headers()["preference-applied"]), (StatusCode::OK, &"wait=30".parse().unwrap()));
    let id = ended.json::<Value>().await.unwrap()["taskId"].as_str().unwrap().to_owned();
    let path = format!("/api/internal/tasks/{id}");
    let shown = prefer(Method::GET, &path, "wait=9000").send().await.unwrap();
    assert_eq!(shown.headers()["preference-applied"], "wait=60", "what was applied, not what was wished");
    for (path, wish) in [(format!("{path}?wait=1"), "wait=5"), (path.clone(), "wait=soon"), (path, "return=minimal")] {
        let shown = prefer(Method::GET, &path, wish).send().await.unwrap();
        assert!(shown.status() == 200 && !shown.headers().contains_key("preference-applied"), "{path} {wish}");
    }
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_for_people_needs_nothing_from_elsewhere_and_no_key() {
    let bench = Bench::with(SimTiming::instant(), Some("correct-horse-battery")).await;
    let page = bench.http.get(format!("{}/docs", bench.base)).send().await.unwrap();
    assert_eq!(
        (page.status(), page.headers()["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/html; charset=utf-8")
    );
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let html = page.text().await.unwrap();
    // Its script and style are the ones that the policy names, and whole.
    for (tag, kind) in [("style", "style-src"), ("script", "script-src")] {
        let inside = html.split_once(&format!("<{tag}>")).unwrap().1.split_once(&format!("</{tag}>")).unwrap().0;
        let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, sha2::Sha256::digest(inside));
        assert!(policy.contains(&format!("{kind} 'sha256-{hash}'")), "{tag}: {policy}");
    }
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe") && !policy.contains("http"),
        "{policy}"
    );
    assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("innerHTML"));
    assert!(!html.contains("sdxl-portrait"), "it holds no data");
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_origins_are_told_that_they_may() {
    const PAGE: &str = "https://studio.example";
    let dir = tempfile::tempdir().unwrap();
    let mut config = crate::bench::config(&dir);
    config.cors_origins = vec![PAGE.parse().unwrap()];
    let service = stationthis_host::app::Service::simulator(None);
    let bench = Bench::over(config, dir, service, Some("correct-horse-battery")).await;
    let path = "/api/internal/tasks";
    let preflight = |origin: &'static str| {
        let request = bench.http.request(Method::OPTIONS, format!("{}{path}", bench.base)).header("origin", origin);
        request
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization")
    };
    let allowed = preflight(PAGE).send().await.unwrap();
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()["access-control-allow-origin"], PAGE);
    let names = allowed.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(names.contains("authorization") && names.contains("idempotency-key"), "{names}");
    assert!(!allowed.headers().contains_key("access-control-allow-credentials"));
    let other = preflight("https://evil.example").send().await.unwrap();
    assert!(!other.headers().contains_key("access-control-allow-origin"));
    // The key is asked for all the same, and a problem can be read by the page too.
    let keyless = bench.http.get(format!("{}{path}", bench.base)).header("origin", PAGE).send().await.unwrap();
    assert_eq!(keyless.status(), 401);
    assert_eq!(keyless.headers()["access-control-allow-origin"], PAGE);
    let keyed = bench.request(Method::GET, path).header("origin", PAGE).send().await.unwrap();
    let exposed = keyed.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(keyed.status() == 200 && exposed.contains("etag") && exposed.contains("x-request-id"), "{exposed}");
    bench.close().await;

    let bench = Bench::new().await;
    let unlisted = bench.http.request(Method::OPTIONS, format!("{}{path}", bench.base)).header("origin", PAGE);
    let unlisted = unlisted.header("access-control-request-method", "GET").send().await.unwrap();
    assert_eq!(unlisted.status(), 403, "by default no page may anything");
    bench.close().await;
}
