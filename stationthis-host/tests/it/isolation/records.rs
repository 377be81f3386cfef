//! Generations, users, and what these did.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ADAS_CHAT, RUN, SECRET_PROMPT, Scene};
use crate::bench::kind;

/// What Eve tries on one of these routes, and what must come of it; `false` for another route.
pub async fn check(scene: &Scene, method: &Method, path: &str) -> bool {
    let eve = scene.eve.as_str();
    let absent = |(status, problem): (StatusCode, Value)| {
        assert_eq!((status.as_u16(), kind(&problem)), (404, "not-found"), "{method} {path}: {problem}");
    };
    let at = |variable: &str, value: &str| path.replace(variable, value);
    match (method.as_str(), path) {
        ("POST", "/api/internal/generations") => {
            let wish = json!({ "toolId": "sdxl-portrait" });
            let (status, made) = scene.ask(eve, method.clone(), path, Some(wish)).await;
            assert_eq!((status.as_u16(), &made["userId"]), (201, &json!("eve")), "{made}");
            let posing = json!({ "toolId": "sdxl-portrait", "userId": "ada" });
            assert_eq!(scene.ask(eve, method.clone(), path, Some(posing)).await.0, 400, "nobody runs as another");
        }
        ("GET", "/api/internal/generations") => {
            let run = format!("?metadata.run_id={}", scene.run_of_ada().await);
            let (_, hers) = scene.ask(&scene.ada, Method::GET, &format!("{path}{run}"), None).await;
            assert_eq!(hers["generations"][0]["generationId"], scene.task.as_str(), "it is there for Ada");
            let (status, page) = scene.ask(eve, Method::GET, &format!("{path}{run}"), None).await;
            assert_eq!((status.as_u16(), &page["generations"]), (200, &json!([])), "a run's name is no key");
            let (status, page) = scene.ask(eve, Method::GET, path, None).await;
            let hers = page["generations"].as_array().unwrap();
            assert!(status == 200 && hers.iter().all(|made| made["userId"] == "eve"), "{page}");
            assert_eq!(scene.ask(eve, Method::GET, &format!("{path}?userId=ada"), None).await.0, 400);
        }
        ("GET" | "PUT", "/api/internal/generations/{id}") => {
            let body = (method == Method::PUT).then(|| json!({ "metadata": { "eve": "was here" } }));
            absent(scene.ask(eve, method.clone(), &at("{id}", &scene.task), body).await);
        }
        ("GET", "/api/internal/users/me") => {
            let (status, user) = scene.ask(eve, method.clone(), path, None).await;
            assert_eq!((status.as_u16(), user), (200, json!({ "caller": "eve", "identities": [] })));
        }
        ("POST", "/api/internal/events") => {
            let (status, event) = scene.ask(eve, method.clone(), path, Some(json!({ "type": "command" }))).await;
            assert_eq!((status.as_u16(), &event["caller"]), (201, &json!("eve")), "{event}");
            let posing = json!({ "type": "command", "caller": "ada" });
            assert_eq!(scene.ask(eve, method.clone(), path, Some(posing)).await.0, 400, "nobody acts as another");
        }
        ("GET", "/api/internal/events/{id}") => {
            let path = at("{id}", &scene.event);
            absent(scene.ask(eve, Method::GET, &path, None).await);
            assert_eq!(scene.ask(&scene.ada, Method::GET, &path, None).await.0, 200, "it is there for Ada");
            // Nor is it shown with a task of Eve's that names it.
            let run = json!({ "initiatingEventId": scene.event });
            let (_, task) = scene.ask(eve, Method::POST, RUN, Some(run)).await;
            let explain = format!("/api/internal/tasks/{}/explain", task["taskId"].as_str().unwrap());
            let (status, story) = scene.ask(eve, Method::GET, &explain, None).await;
            assert!(status == 200 && !story.to_string().contains(SECRET_PROMPT), "{story}");
        }
        ("GET" | "PUT", "/api/internal/admin/users" | "/api/internal/admin/users/{caller}") => {
            let body = (method == Method::PUT).then(|| json!({ "identities": [] }));
            for caller in ["ada", "eve"] {
                let path = format!("{}?platform=telegram&id={ADAS_CHAT}", at("{caller}", caller));
                let (status, problem) = scene.ask(eve, method.clone(), &path, body.clone()).await;
                assert_eq!((status.as_u16(), kind(&problem)), (403, "forbidden"), "{method} {path}: {problem}");
            }
        }
        _ => return false,
    }
    true
}
