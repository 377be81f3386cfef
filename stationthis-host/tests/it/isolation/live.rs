//! What moves: streams of events.

use reqwest::Method;

use super::Scene;
use crate::bench::kind;
use crate::events::Events;

/// What Eve tries on one of these routes, and what must come of it.
pub async fn check(scene: &Scene, method: &Method, path: &str) {
    let eve = scene.eve.as_str();
    match (method.as_str(), path) {
        ("GET", "/api/internal/tasks/{id}/events") => {
            for query in ["", "?after=0"] {
                let path = format!("{}{query}", path.replace("{id}", &scene.task));
                let (status, problem) = scene.ask(eve, Method::GET, &path, None).await;
                assert_eq!((status.as_u16(), kind(&problem)), (404, "not-found"), "{path}: {problem}");
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
        _ => panic!("{method} {path} is not in this table: say what another caller may see there"),
    }
}
