//! What is the same for everybody, and has nothing of anybody.

use reqwest::Method;
use serde_json::json;

use super::{SECRET_PROMPT, Scene};

/// What Eve sees on one of these routes; `false` for another route.
pub async fn check(scene: &Scene, method: &Method, path: &str) -> bool {
    let eve = scene.eve.as_str();
    let at = |variable: &str, value: &str| path.replace(variable, value);
    match (method.as_str(), path) {
        ("GET", "/docs") => {
            let page = scene.bench.http.get(format!("{}{path}", scene.bench.base)).send().await.unwrap();
            assert!(page.status() == 200 && !page.text().await.unwrap().contains(&scene.task));
        }
        (
            "GET",
            "/healthz"
            | "/readyz"
            | "/api/internal/openapi.json"
            | "/api/internal/changes"
            | "/api/internal/tools"
            | "/api/internal/tools/{id}",
        )
        | ("GET", "/api/internal/run/{workflow_name}") => {
            let path = at("{id}", "sdxl-portrait").replace("{workflow_name}", "sdxl-portrait");
            let (status, body) = scene.ask(eve, method.clone(), &path, None).await;
            assert!(status == 200 && !body.to_string().contains(&scene.task), "{path}: {body}");
        }
        ("GET" | "POST", "/api/webhook/{provider_id}" | "/api/webhook/{provider_id}/{task_id}") => {
            let path = at("{provider_id}", "comfydeploy").replace("{task_id}", &scene.task);
            let (status, _) = scene.ask(eve, method.clone(), &path, Some(json!({ "status": "success" }))).await;
            assert_eq!(status, 401, "a caller's key is no callback token");
        }
        ("POST", "/api/internal/quote/{workflow_name}") => {
            let (status, quote) =
                scene.ask(eve, method.clone(), &at("{workflow_name}", "sdxl-portrait"), Some(json!({}))).await;
            assert!(status == 200 && !quote.to_string().contains(SECRET_PROMPT), "{quote}");
        }
        _ => return false,
    }
    true
}
