//! The router within an application that knows its users itself.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::request::Parts;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{SimConfig, SimTiming};
use stationthis_core::{CallerId, Error, ErrorKind, Result, Timestamp};
use stationthis_host::app::Service;
use stationthis_host::http::{Identify, ROUTES, Scope};
use stationthis_host::keys::{ApiKeys, KeyWish};

use crate::bench::{Bench, answer, config, kind};

const OPERATOR: &str = "correct-horse-battery";

/// The session is the user's name; some have none.
#[derive(Debug)]
struct Sessions;

#[async_trait]
impl Identify for Sessions {
    async fn caller(&self, request: &Parts) -> Result<CallerId> {
        let refused = |kind, text: &str| Err(Error::new(kind, "sign in").with_message(text));
        let session = request.headers.get("cookie").and_then(|value| value.to_str().ok()?.strip_prefix("session="));
        match session {
            None => refused(ErrorKind::Unauthorized, "Sign in first."),
            Some("banned") => refused(ErrorKind::Forbidden, "Your account is closed."),
            Some("unlucky") => refused(ErrorKind::StoreUnavailable, "The sessions cannot be read."),
            Some(user) => CallerId::new(user),
        }
    }
}

async fn with_users(operator: Option<&'static str>) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let sim = SimConfig { timing: SimTiming::instant(), ..SimConfig::default() };
    let service = Service::Simulator(Box::new(sim), 0);
    let own = |face: stationthis_host::http::HttpConfig| face.with_identify(Arc::new(Sessions));
    let mut bench = Bench::within("/ai", config(&dir), dir, service, operator, own).await;
    bench.app.station().refresh().await.unwrap();
    bench.key = None;
    bench
}

fn as_user(bench: &Bench, user: &str, method: &str, path: &str) -> reqwest::RequestBuilder {
    bench.request(method.parse().unwrap(), path).header("cookie", format!("session={user}"))
}

async fn get(bench: &Bench, user: &str, path: &str) -> (StatusCode, Value) {
    answer(as_user(bench, user, "GET", path)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_callers_each_with_its_own_tasks() {
    let bench = with_users(None).await;
    let run = as_user(&bench, "ada", "POST", "/api/internal/run/sdxl-portrait?wait=30");
    let answered = run.json(&json!({ "inputs": { "prompt": "a fox" } })).send().await.unwrap();
    assert!(answered.headers().contains_key("ratelimit"), "a user has a caller's limits");
    let task: Value = answered.json().await.unwrap();
    assert_eq!((&task["caller"], &task["status"]), (&json!("ada"), &json!("completed")), "{task}");
    let of_task = format!("/api/internal/tasks/{}", task["taskId"].as_str().unwrap());
    assert_eq!(get(&bench, "ada", &of_task).await.0, 200);
    assert_eq!(get(&bench, "ada", "/api/internal/users/me").await.1["caller"], "ada");

    for (method, below) in
        [("GET", ""), ("POST", "/cancel"), ("GET", "/explain"), ("GET", "/events"), ("GET", "/outputs/0")]
    {
        let (status, problem) = answer(as_user(&bench, "eve", method, &format!("{of_task}{below}"))).await;
        assert_eq!((status.as_u16(), kind(&problem)), (404, "not-found"), "{method} {below}");
    }
    assert_eq!(get(&bench, "eve", "/api/internal/tasks").await.1["tasks"], json!([]));

    let books = bench.app.sim().unwrap().books();
    let url = books.runs_with_webhook(task["taskId"].as_str().unwrap())[0].webhook.clone().unwrap();
    let (status, _) = answer(bench.http.post(&url).json(&json!({ "run_id": "r", "status": "running" }))).await;
    assert_eq!(status, 200, "a service has no session");
    bench.close().await;
}

/// A browser sends the cookie with a form of any page.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_changes_nothing() {
    let bench = with_users(None).await;
    let host = bench.base.split("://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let own = format!("http://{host}");
    for (headers, status) in [
        (vec![("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")], 403),
        (vec![("sec-fetch-site", "same-site"), ("origin", "https://blog.example.org")], 403),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("origin", "https://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("sec-fetch-site", "same-origin"), ("origin", &own)], 202),
        (vec![("origin", &own)], 202),
        (vec![("sec-fetch-site", "none")], 202),
        (vec![], 202),
    ] {
        let ask = |method: &str, path: &str| {
            let request = as_user(&bench, "ada", method, path);
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
        };
        let run = ask("POST", "/api/internal/run/sdxl-portrait").body(r#"{ "inputs": { "prompt": "a fox" } }"#);
        assert_eq!(answer(run).await.0.as_u16(), status, "{headers:?}");
        assert_eq!(answer(ask("GET", "/api/internal/tasks")).await.0, 200, "it may look: browsers show it nothing");
    }
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_let_in_and_users_are_no_operators() {
    let bench = with_users(None).await;
    let wish = KeyWish::new(CallerId::new("ada").unwrap());
    let key = ApiKeys::new(bench.app.station().clone()).create(wish, Timestamp::now()).await.unwrap();
    for route in ROUTES.iter().filter(|route| matches!(route.scope, Scope::Caller | Scope::Operator)) {
        let path = route.path.replace(['{', '}'], "");
        let method: Method = route.method.parse().unwrap();
        // From this machine, where without own users the operator would be.
        let (status, problem) = answer(bench.request(method.clone(), &path)).await;
        assert_eq!((status.as_u16(), kind(&problem)), (401, "unauthorized"), "{method} {path}");
        let keyed = bench.request(method.clone(), &path).bearer_auth(key.key.expose());
        assert_eq!(answer(keyed).await.0, 401, "{method} {path}: a key opens nothing");
        if route.scope == Scope::Operator {
            let (status, problem) = answer(as_user(&bench, "ada", route.method, &path)).await;
            assert_eq!((status.as_u16(), kind(&problem)), (403, "forbidden"), "{method} {path}");
        }
    }
    assert_eq!(bench.get("/api/internal/nothing").await.0, 401, "nor told which paths there are");
    for open in ["/healthz", "/readyz"] {
        assert_eq!(bench.get(open).await.0, 200, "{open}");
    }
    for (user, status, detail) in
        [("banned", 403, "Your account is closed."), ("unlucky", 503, "The sessions cannot be read.")]
    {
        let (answered, problem) = get(&bench, user, "/api/internal/tools").await;
        assert_eq!((answered.as_u16(), &problem["detail"]), (status, &json!(detail)));
    }
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_comes_with_a_key_alone() {
    let mut bench = with_users(Some(OPERATOR)).await;
    let run = as_user(&bench, "ada", "POST", "/api/internal/run/sdxl-portrait");
    let (_, task) = answer(run.json(&json!({ "inputs": { "prompt": "a fox" } }))).await;
    let tasks = "/api/internal/admin/tasks";
    assert_eq!(get(&bench, "ada", tasks).await.0, 403);
    bench.key = Some(OPERATOR);
    let (status, all) = bench.get(tasks).await;
    assert_eq!((status.as_u16(), &all["tasks"][0]["taskId"]), (200, &task["taskId"]));
    bench.key = Some("wrong-horse-battery-x");
    assert_eq!(bench.get(tasks).await.0, 401);

    let (_, document) = get(&bench, "ada", "/api/internal/openapi.json").await;
    let of = |path: &str| document["paths"][path]["get"].get("security").cloned();
    assert_eq!((of("/api/internal/tasks"), of("/api/internal/run/sdxl-portrait")), (None, None), "no key is needed");
    assert_eq!(of(tasks), Some(json!([{ "key": [] }])));
    assert_eq!(document["components"]["securitySchemes"]["key"]["description"], "The operator's key.");
    bench.close().await;
}
