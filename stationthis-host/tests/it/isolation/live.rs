//! What moves: streams of events.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Scene;
use crate::bench::kind;
use crate::events::Events;
use crate::files;

fn absent((status, problem): (StatusCode, Value), path: &str) {
    assert_eq!((status.as_u16(), kind(&problem)), (404, "not-found"), "{path}: {problem}");
}

/// What Eve tries on one of these routes, and what must come of it.
pub async fn check(scene: &Scene, method: &Method, path: &str) {
    let eve = scene.eve.as_str();
    match (method.as_str(), path) {
        ("GET", "/api/internal/tasks/{id}/events") => {
            for query in ["", "?after=0"] {
                let path = format!("{}{query}", path.replace("{id}", &scene.task));
                absent(scene.ask(eve, Method::GET, &path, None).await, &path);
            }
        }
        ("GET", "/api/internal/events") => {
            // From the first event that there ever was: all that comes before a new task of hers is hers.
            let request = scene.bench.http.get(format!("{}{path}?after=0", scene.bench.base)).bearer_auth(eve);
            let mut events = Events::open(request).await;
            let hers = scene.run(eve, "order-4").await["taskId"].clone();
            loop {
                let said = events.next().await.unwrap();
                assert!(said.name == "ready" || said.data["caller"] == "eve", "{said:?}");
                if said.data["taskId"] == hers {
                    break;
                }
            }
        }
        ("GET", "/api/internal/tasks/{id}/outputs/{n}") => {
            let path = path.replace("{id}", &scene.told.0).replace("{n}", "0");
            absent(scene.ask(eve, Method::GET, &path, None).await, &path);
        }
        ("POST", "/api/internal/files") => {
            files::keep(scene.bench.http.post(format!("{}{path}", scene.bench.base)).bearer_auth(eve)).await;
        }
        ("GET" | "DELETE", "/api/internal/files/{id}" | "/api/internal/files/{id}/content") => {
            let url = format!("{}/api/internal/files", scene.bench.base);
            let of_ada = files::keep(scene.bench.http.post(url).bearer_auth(&scene.ada)).await;
            let path = path.replace("{id}", of_ada["fileId"].as_str().unwrap());
            absent(scene.ask(eve, method.clone(), &path, None).await, &path);
            let body = json!({ "inputs": { "input_image": of_ada["uri"] } });
            let (status, problem) = scene.ask(eve, Method::POST, "/api/internal/run/image-restyle", Some(body)).await;
            assert_eq!(status, 422, "nor can she have it sent: {problem}");
            let shown = scene.bench.http.get(format!("{}{path}", scene.bench.base)).bearer_auth(&scene.ada);
            assert_eq!(shown.send().await.unwrap().status(), 200, "it is there for Ada");
        }
        _ => panic!("{method} {path} is not in this table: say what another caller may see there"),
    }
}
