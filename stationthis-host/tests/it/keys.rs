use std::num::NonZeroU32;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{SimConfig, SimTiming};
use stationthis_host::app::Service;

use crate::bench::{Bench, answer, config, kind};

const OPERATOR: &str = "correct-horse-battery";
const KEYS: &str = "/api/internal/admin/keys";

/// A key of a caller, made by the operator.
pub async fn key_of(bench: &Bench, caller: &str) -> (String, String) {
    let (status, made) = bench.post(KEYS, &json!({ "caller": caller })).await;
    assert_eq!((status, &made["caller"]), (StatusCode::CREATED, &json!(caller)), "{made}");
    (made["key"].as_str().unwrap().to_owned(), made["keyId"].as_str().unwrap().to_owned())
}

/// One request with a key.
pub async fn with_key(
    bench: &Bench,
    key: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let request = bench.http.request(method, format!("{}{path}", bench.base)).bearer_auth(key);
    answer(body.map(|body| request.try_clone().unwrap().json(&body)).unwrap_or(request)).await
}

async fn get(bench: &Bench, key: &str, path: &str) -> (StatusCode, Value) {
    with_key(bench, key, Method::GET, path, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_every_internal_path_needs_it_and_health_does_not() {
    let mut bench = Bench::with(SimTiming::instant(), Some(OPERATOR)).await;
    assert_eq!(bench.get("/api/internal/tools").await.0, 200);
    for key in [None, Some("wrong-horse-battery-x")] {
        bench.key = key;
        for path in ["/api/internal/tools", "/api/internal/tasks", "/api/internal/nothing", KEYS] {
            let (status, problem) = bench.get(path).await;
            assert_eq!((status.as_u16(), kind(&problem)), (401, "unauthorized"), "{path}");
        }
        let refused = bench.request(Method::POST, "/api/internal/run/sdxl-portrait").body("{}").send().await.unwrap();
        assert_eq!(refused.status(), 401);
        assert_eq!(refused.headers()["www-authenticate"], "Bearer");
        assert_eq!(bench.get("/healthz").await.0, 200);
        assert_eq!(bench.get("/readyz").await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_a_page_of_another_site_or_a_tunnel_is_refused() {
    let bench = Bench::new().await;
    let (key, _) = key_of(&bench, "ada").await;
    for (name, value) in
        [("origin", "https://evil.example"), ("host", "tunnel.example"), ("x-forwarded-for", "1.2.3.4")]
    {
        let (status, problem) = answer(bench.request(Method::GET, "/api/internal/tools").header(name, value)).await;
        assert_eq!((status.as_u16(), kind(&problem)), (403, "forbidden"), "{name}");
        let keyed = bench.request(Method::GET, "/api/internal/tools").header(name, value).bearer_auth(&key);
        assert_eq!(answer(keyed).await.0, 200, "a caller's key is good from anywhere");
    }
    assert_eq!(get(&bench, "no-key-at-all-xxxx", "/api/internal/tools").await.0, 401, "not the operator by mistake");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_key_is_shown_once_and_ends_when_it_is_revoked() {
    let bench = Bench::with(SimTiming::instant(), Some(OPERATOR)).await;
    let (key, key_id) = key_of(&bench, "ada").await;
    let wish = json!({ "caller": "eve", "label": "laptop", "expiresInDays": 30 });
    let (_, other) = bench.post(KEYS, &wish).await;
    let (_, listed) = bench.get(KEYS).await;
    let keys = listed["keys"].as_array().unwrap();
    assert_eq!((keys.len(), &keys[1]["label"]), (2, &json!("laptop")));
    assert!(keys[1]["expiresAt"].as_str() > keys[1]["createdAt"].as_str());
    let secrets = [&key, other["key"].as_str().unwrap()].map(|key| key.rsplit_once('_').unwrap().1.to_owned());
    assert!(secrets.iter().all(|secret| !listed.to_string().contains(secret)), "{listed}");

    let (status, task) =
        with_key(&bench, &key, Method::POST, "/api/internal/run/sdxl-portrait?wait=30", Some(json!({}))).await;
    assert_eq!((status.as_u16(), &task["caller"], &task["status"]), (200, &json!("ada"), &json!("completed")));
    let (status, revoked) = bench.post(&format!("{KEYS}/{key_id}/revoke"), &json!({})).await;
    assert!(status == 200 && revoked["revokedAt"].is_string(), "{revoked}");
    assert_eq!(get(&bench, &key, "/api/internal/tasks").await.0, 401, "at once");
    assert_eq!(get(&bench, other["key"].as_str().unwrap(), "/api/internal/tasks").await.0, 200);
    assert_eq!(bench.post(&format!("{KEYS}/nothing/revoke"), &json!({})).await.0, 404);
    for bad in
        [json!({}), json!({ "caller": "" }), json!({ "caller": "a", "expiresInDays": -1 }), json!({ "calller": "a" })]
    {
        assert_eq!(bench.post(KEYS, &bad).await.0, 400, "{bad}");
    }
    assert_eq!(bench.post(KEYS, &json!({ "caller": "a", "expiresInDays": 0 })).await.0, 422);
}

async fn tight(rate: u32, waits: usize) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    config.rate_limit_per_min = NonZeroU32::new(rate).unwrap();
    config.rate_limit_burst = NonZeroU32::new(rate).unwrap();
    config.waits_per_caller = waits;
    let timing = SimTiming { cold_start: Duration::from_secs(600), ..SimTiming::instant() };
    let sim = SimConfig { timing, ..SimConfig::default() };
    let bench = Bench::over(config, dir, Service::Simulator(Box::new(sim), 0), None).await;
    bench.app.station().refresh().await.unwrap();
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_above_its_rate_is_told_when_to_come_back_and_nobody_else_is() {
    let bench = tight(3, 16).await;
    let (ada, _) = key_of(&bench, "ada").await;
    let (second, _) = key_of(&bench, "ada").await;
    let (eve, _) = key_of(&bench, "eve").await;
    let ask = async |key: &str| {
        let request = bench.http.get(format!("{}/api/internal/tasks", bench.base)).bearer_auth(key);
        request.send().await.unwrap()
    };
    for (key, left) in [(&ada, 2), (&second, 1), (&ada, 0)] {
        let answer = ask(key).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["ratelimit-policy"], "\"caller\";q=3;w=60");
        assert_eq!(answer.headers()["ratelimit"], format!("\"caller\";r={left}"), "both keys are of one caller");
    }
    let refused = ask(&second).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["ratelimit"], "\"caller\";r=0");
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(kind(&problem), "rate-limited");
    assert_eq!(ask(&eve).await.status(), 200);
    for _ in 0..10 {
        assert_eq!(bench.get("/api/internal/tasks").await.0, 200, "the operator is not counted");
        let (status, _) = answer(
            bench
                .request(Method::POST, "/api/webhook/comfydeploy/01a212ca-fcb3-70c7-945f-91d18f9bd495")
                .bearer_auth(&ada),
        )
        .await;
        assert_eq!(status, 401, "webhooks are not counted");
        assert_eq!(bench.get("/healthz").await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_has_so_many_waits_and_the_places_come_back() {
    let bench = tight(1_000_000, 2).await;
    let (ada, _) = key_of(&bench, "ada").await;
    let (eve, _) = key_of(&bench, "eve").await;
    let run = |key: &str| bench.http.post(format!("{}/api/internal/run/sdxl-portrait", bench.base)).bearer_auth(key);
    let task: Value = run(&ada).json(&json!({})).send().await.unwrap().json().await.unwrap();
    let path = format!("/api/internal/tasks/{}", task["taskId"].as_str().unwrap());
    let url = format!("{}{path}?wait=60", bench.base);
    let waits = tokio::task::JoinSet::from_iter((0..2).map(|_| {
        let request = bench.http.get(&url).bearer_auth(&ada);
        // The probes below take places too: until this one has its own, it asks again.
        async move { while request.try_clone().unwrap().send().await.unwrap().status() == 429 {} }
    }));
    let refused = async {
        loop {
            let answer = get(&bench, &ada, &format!("{path}?wait=1")).await;
            if answer.0 != 200 {
                return answer;
            }
        }
    };
    let (status, problem) =
        tokio::time::timeout(Duration::from_secs(20), refused).await.expect("a third one is refused");
    assert_eq!((status.as_u16(), kind(&problem)), (429, "rate-limited"));
    let before = get(&bench, &ada, "/api/internal/tasks").await.1["tasks"].as_array().unwrap().len();
    assert_eq!(run(&ada).query(&[("wait", "5")]).json(&json!({})).send().await.unwrap().status(), 429);
    let after = get(&bench, &ada, "/api/internal/tasks").await.1["tasks"].as_array().unwrap().len();
    assert_eq!(before, after, "what was refused was not accepted");
    assert_eq!(get(&bench, &ada, &path).await.0, 200, "without waiting");
    for streams in ["/api/internal/events", &format!("{path}/events")] {
        assert_eq!(get(&bench, &ada, streams).await.0, 429, "a stream takes a place as a wait does");
    }
    assert_eq!(
        run(&eve).query(&[("wait", "1")]).json(&json!({})).send().await.unwrap().status(),
        202,
        "another caller"
    );
    drop(waits);
    let again = async { while get(&bench, &ada, &format!("{path}?wait=1")).await.0 != 200 {} };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("places come back when clients go");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_slowed_down_and_good_ones_are_not() {
    let bench = Bench::with(SimTiming::instant(), Some(OPERATOR)).await;
    let (ada, key_id) = key_of(&bench, "ada").await;
    let wrong = format!("st_{key_id}_{}", "0".repeat(64));
    let mut refused = 0;
    while get(&bench, &wrong, "/api/internal/tasks").await.0 == 401 {
        refused += 1;
        assert!(refused < 1000, "they are never slowed down");
    }
    assert!(refused >= 60, "{refused}");
    assert_eq!(get(&bench, &wrong, "/api/internal/tasks").await.0, 429);
    assert_eq!(get(&bench, &ada, "/api/internal/tasks").await.0, 200);
    assert_eq!(bench.get("/api/internal/tasks").await.0, 200);
}
