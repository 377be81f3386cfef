//! Two callers on one host: what one of them has is not there for the other.

#[path = "isolation/live.rs"]
mod live;
#[path = "isolation/records.rs"]
mod records;

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::SimTiming;
use stationthis_host::http::{ROUTES, Scope};

use crate::bench::{Bench, kind};
use crate::keys::{key_of, with_key};

/// A host with tasks of Ada's, of which one goes on, and Eve, who knows everything about it but Ada's key.
struct Scene {
    bench: Bench,
    ada: String,
    eve: String,
    ada_key_id: String,
    task: String,
    /// What Ada did.
    event: String,
    /// A task of Ada's that has ended, and a notice about it.
    told: (String, String),
}

const RUN: &str = "/api/internal/run/sdxl-portrait";

const OPERATOR: &str = "correct-horse-battery";

/// Who Ada is elsewhere.
const ADAS_CHAT: &str = "774411";

/// Where Ada is told.
const DESK: &str = "https://ada.example/desk";

/// What nobody but Ada may hear of.
const SECRET_PROMPT: &str = "a present for eve";

impl Scene {
    async fn new() -> Self {
        let slow = SimTiming { cold_start: std::time::Duration::from_secs(600), ..SimTiming::instant() };
        let bench = Bench::with(slow, Some(OPERATOR)).await;
        let (ada, ada_key_id) = key_of(&bench, "ada").await;
        let (eve, _) = key_of(&bench, "eve").await;
        let none = String::new;
        let scene = Self { bench, ada, eve, ada_key_id, task: none(), event: none(), told: (none(), none()) };
        let task = scene.run(&scene.ada, "order-1").await["taskId"].as_str().unwrap().to_owned();
        let told = scene.run(&scene.ada, "order-2").await["taskId"].as_str().unwrap().to_owned();
        let cancel = format!("/api/internal/tasks/{told}/cancel");
        assert_eq!(scene.ask(&scene.ada, Method::POST, &cancel, None).await.0, 200);
        let (_, ended) = scene.ask(&scene.ada, Method::GET, &format!("/api/internal/tasks/{told}?wait=30"), None).await;
        assert_eq!(ended["status"], "cancelled", "{ended}");
        let (_, notices) = scene.ask(&scene.ada, Method::GET, "/api/internal/notices", None).await;
        let notice = notices["notices"][0]["id"].as_str().unwrap().to_owned();
        let notify = json!({ "notify": [{ "channel": "webhook", "address": DESK }] });
        assert_eq!(scene.ask(&scene.ada, Method::PUT, "/api/internal/notify", Some(notify)).await.0, 200);
        let identities = json!({ "identities": [{ "platform": "telegram", "id": ADAS_CHAT }] });
        assert_eq!(scene.ask(OPERATOR, Method::PUT, "/api/internal/admin/users/ada", Some(identities)).await.0, 200);
        let did = json!({ "type": "command", "payload": { "text": SECRET_PROMPT } });
        let (_, event) = scene.ask(&scene.ada, Method::POST, "/api/internal/events", Some(did)).await;
        let event = event["eventId"].as_str().unwrap().to_owned();
        Self { task, event, told: (told, notice), ..scene }
    }

    async fn ask(&self, key: &str, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        with_key(&self.bench, key, method, path, body).await
    }

    async fn run(&self, key: &str, idempotency_key: &str) -> Value {
        let request = self.bench.http.post(format!("{}{RUN}", self.bench.base)).bearer_auth(key);
        let request =
            request.header("idempotency-key", idempotency_key).json(&json!({ "inputs": { "prompt": SECRET_PROMPT } }));
        let (status, task) = crate::bench::answer(request).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{task}");
        task
    }

    /// The run of Ada's task, once it is known.
    async fn run_of_ada(&self) -> String {
        loop {
            let (_, task) = self.ask(&self.ada, Method::GET, &format!("/api/internal/tasks/{}", self.task), None).await;
            if let Some(run) = task["runId"].as_str() {
                return run.to_owned();
            }
        }
    }

    /// What there is of Ada's, as Ada and the operator see it.
    async fn of_ada(&self) -> (Value, Value, Value) {
        let (_, task) = self.ask(&self.ada, Method::GET, &format!("/api/internal/tasks/{}", self.task), None).await;
        let (_, notify) = self.ask(&self.ada, Method::GET, "/api/internal/notify", None).await;
        let (_, user) = self.ask(&self.ada, Method::GET, "/api/internal/users/me", None).await;
        assert!(user.to_string().contains(ADAS_CHAT), "{user}");
        let (_, keys) = self.bench.get("/api/internal/admin/keys").await;
        // How far the service is with it is not Eve's doing.
        (json!([task["times"]["endedAt"], task["cancel"], task["notify"], task["metadata"], user]), notify, keys)
    }
}

/// What shows the same to everybody, and nothing of Ada's; false for other routes.
async fn same_for_all(scene: &Scene, method: &Method, path: &str) -> bool {
    let shown = [
        "/healthz",
        "/readyz",
        "/docs",
        "/api/internal/openapi.json",
        "/api/internal/changes",
        "/api/internal/tools",
        "/api/internal/tools/{id}",
        "/api/internal/run/{workflow_name}",
    ];
    if *method != Method::GET || !shown.contains(&path) {
        return false;
    }
    let path = path.replace("{id}", "sdxl-portrait").replace("{workflow_name}", "sdxl-portrait");
    let request = scene.bench.http.get(format!("{}{path}", scene.bench.base)).bearer_auth(&scene.eve);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let text = answer.text().await.unwrap();
    assert!(!text.contains(&scene.task) && !text.contains(SECRET_PROMPT), "{path}: {text}");
    true
}

/// What Eve tries on one route, and what must come of it.
async fn check(scene: &Scene, method: Method, path: &str) {
    let eve = scene.eve.as_str();
    let absent = |(status, problem): (StatusCode, Value)| {
        assert_eq!((status.as_u16(), kind(&problem)), (404, "not-found"), "{method} {path}: {problem}");
    };
    let forbidden = |(status, problem): (StatusCode, Value)| {
        assert_eq!((status.as_u16(), kind(&problem)), (403, "forbidden"), "{method} {path}: {problem}");
    };
    let at = |variable: &str, value: &str| path.replace(variable, value);
    match (method.as_str(), path) {
        ("GET" | "POST", "/api/webhook/{provider_id}" | "/api/webhook/{provider_id}/{task_id}") => {
            let path = at("{provider_id}", "comfydeploy").replace("{task_id}", &scene.task);
            let (status, _) = scene.ask(eve, method, &path, Some(json!({ "status": "success" }))).await;
            assert_eq!(status, 401, "a caller's key is no callback token");
        }
        ("POST", "/api/internal/run/{workflow_name}") => {
            let hers = scene.run(eve, "order-1").await;
            assert_eq!(hers["caller"], "eve");
            assert_ne!(hers["taskId"], scene.task.as_str(), "Ada's idempotency key is Ada's");
            let told = hers["notify"].to_string();
            assert!(!told.contains(DESK), "Ada is not told of Eve's tasks: {told}");
            let posing = json!({ "caller": "ada" });
            assert_eq!(scene.ask(eve, method, RUN, Some(posing)).await.0, 400, "nobody runs as another");
        }
        ("POST", "/api/internal/quote/{workflow_name}") => {
            let (status, quote) =
                scene.ask(eve, method, &at("{workflow_name}", "sdxl-portrait"), Some(json!({}))).await;
            assert!(status == 200 && !quote.to_string().contains(SECRET_PROMPT), "{quote}");
        }
        ("GET", "/api/internal/tasks") => {
            for query in ["", "?limit=500", "?tool=sdxl-portrait", "?status=accepted,submitting,queued,running"] {
                let (status, page) = scene.ask(eve, Method::GET, &format!("{path}{query}"), None).await;
                assert_eq!(status, 200);
                let tasks = page["tasks"].as_array().unwrap();
                assert!(tasks.iter().all(|task| task["caller"] == "eve"), "{page}");
            }
            // Older than Ada's newest: a cursor is no key.
            let (_, page) = scene.ask(eve, Method::GET, &format!("{path}?cursor={}", scene.task), None).await;
            assert_eq!(page["tasks"], json!([]));
            assert_eq!(scene.ask(eve, Method::GET, &format!("{path}?caller=ada"), None).await.0, 400);
        }
        ("GET", "/api/internal/tasks/{id}") => {
            absent(scene.ask(eve, Method::GET, &at("{id}", &scene.task), None).await);
            absent(scene.ask(eve, Method::GET, &format!("{}?wait=1", at("{id}", &scene.task)), None).await);
        }
        ("POST", "/api/internal/tasks/{id}/cancel") => {
            absent(scene.ask(eve, method.clone(), &at("{id}", &scene.task), None).await);
        }
        ("GET" | "PUT", "/api/internal/notify") => {
            let body = (method == Method::PUT).then(|| json!({ "notify": [{ "channel": "events" }] }));
            let (status, notify) = scene.ask(eve, method, path, body).await;
            assert!(status == 200 && !notify.to_string().contains(DESK), "{notify}");
        }
        ("GET" | "PUT", "/api/internal/admin/callers/{caller}/notify") => {
            let body = (method == Method::PUT).then(|| json!({ "notify": [] }));
            for caller in ["ada", "eve"] {
                forbidden(scene.ask(eve, method.clone(), &at("{caller}", caller), body.clone()).await);
            }
        }
        ("GET" | "POST", "/api/internal/admin/keys") => {
            let body = (method == Method::POST).then(|| json!({ "caller": "ada" }));
            forbidden(scene.ask(eve, method.clone(), path, body).await);
        }
        ("POST", "/api/internal/admin/keys/{key_id}/revoke") => {
            forbidden(scene.ask(eve, method.clone(), &at("{key_id}", &scene.ada_key_id), None).await);
        }
        ("GET", "/api/internal/tasks/{id}/explain") => {
            let path = at("{id}", &scene.task);
            absent(scene.ask(eve, Method::GET, &path, None).await);
            assert_eq!(scene.ask(&scene.ada, Method::GET, &path, None).await.0, 200, "it is there for Ada");
        }
        ("POST", "/api/internal/tasks/{id}/notices/{notice_id}/requeue") => {
            let hers = scene.run(eve, "order-3").await["taskId"].as_str().unwrap().to_owned();
            for task in [&scene.told.0, &hers] {
                let path = at("{id}", task).replace("{notice_id}", &scene.told.1);
                absent(scene.ask(eve, Method::POST, &path, None).await);
            }
            let path = at("{id}", &scene.told.0).replace("{notice_id}", &scene.told.1);
            assert_eq!(scene.ask(&scene.ada, Method::POST, &path, None).await.0, 200, "it is there for Ada");
        }
        ("GET", "/api/internal/notices" | "/api/internal/costs") => {
            let (status, answer) = scene.ask(eve, method, path, None).await;
            assert!(status == 200 && !answer.to_string().contains("ada"), "{answer}");
            let asked = scene.ask(eve, Method::GET, &format!("{path}?caller=ada"), None).await;
            assert_eq!(asked.0, 400, "{}", asked.1);
        }
        ("GET" | "POST", path) if path == "/metrics" || path.starts_with("/api/internal/admin/") => {
            let path = at("{id}", &scene.told.0).replace("{notice_id}", &scene.told.1);
            forbidden(scene.ask(eve, method.clone(), &path, None).await);
        }
        _ if same_for_all(scene, &method, path).await => {}
        _ if records::check(scene, &method, path).await => {}
        _ => live::check(scene, &method, path).await,
    }
}

/// I17, over each route that there is.
#[tokio::test(flavor = "multi_thread")]
async fn i17_no_caller_sees_another_callers_tasks() {
    let scene = Scene::new().await;
    let before = scene.of_ada().await;
    for route in ROUTES {
        check(&scene, route.method.parse().unwrap(), route.path).await;
    }
    assert_eq!(scene.of_ada().await, before, "and nothing of Ada's has changed");

    // The scope of each route is what its key opens: without any, nothing inside is told apart.
    for route in ROUTES {
        let url = format!("{}{}", scene.bench.base, route.path.replace(['{', '}'], ""));
        let status = scene.bench.http.request(route.method.parse().unwrap(), url).send().await.unwrap().status();
        let inside = matches!(route.scope, Scope::Caller | Scope::Operator);
        assert!(status == 401 || !inside, "{} {}: {status}", route.method, route.path);
        // Prometheus expects its own path.
        let (metrics, admin) = (route.path == "/metrics", route.path.starts_with("/api/internal/admin/"));
        assert_eq!(inside, metrics || route.path.starts_with("/api/internal/"), "{}", route.path);
        assert_eq!(route.scope == Scope::Operator, metrics || admin, "{}", route.path);
    }
    let admin = ["/api/internal/admin", "/api/internal/admin/", "/api/internal/admin/nothing"];
    for path in admin {
        assert_ne!(scene.ask(&scene.eve, Method::GET, path, None).await.0, 200, "{path}");
    }
    assert_eq!(scene.ask(&scene.eve, Method::GET, admin[2], None).await.0, 403, "nor which paths there are");
    let known: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    assert_eq!(known.len(), ROUTES.len());
}
