//! Users and events over HTTP.

use reqwest::Method;
use serde_json::json;
use stationthis_comfydeploy::sim::SimTiming;

use crate::bench::{Bench, answer, kind};
use crate::keys::{key_of, with_key};

const OPERATOR: &str = "correct-horse-battery";

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_says_who_a_caller_is_elsewhere() {
    let bench = Bench::with(SimTiming::instant(), Some(OPERATOR)).await;
    let (ada, _) = key_of(&bench, "ada").await;
    let me = async || with_key(&bench, &ada, Method::GET, "/api/internal/users/me", None).await;
    assert_eq!(me().await.1, json!({ "caller": "ada", "identities": [] }));
    let by_chat = "/api/internal/admin/users?platform=telegram&id=77";
    assert_eq!(bench.get(by_chat).await.0, 404);

    let put = async |caller: &str, body| {
        let request = bench.request(Method::PUT, &format!("/api/internal/admin/users/{caller}")).json(&body);
        let (status, answer) = answer(request).await;
        (status.as_u16(), answer)
    };
    let user = json!({
        "caller": "ada",
        "identities": [{ "platform": "telegram", "id": "77", "displayName": "Ada L." }, { "platform": "discord", "id": "a" }],
    });
    let wish = json!({ "identities": user["identities"] });
    assert_eq!(put("ada", wish.clone()).await, (200, user.clone()));
    assert_eq!(me().await.1, user);
    assert_eq!(bench.get(by_chat).await.1, user);
    assert_eq!(bench.get("/api/internal/admin/users/ada").await.1, user);
    let (status, problem) = put("eve", wish).await;
    assert_eq!((status, kind(&problem)), (409, "conflict"), "{problem}");
    assert_eq!(put("ada", json!({ "identities": [] })).await.0, 200);
    assert_eq!(me().await.1, json!({ "caller": "ada", "identities": [] }));

    for (bad, expected) in [
        (json!({}), 400),
        (json!({ "identities": [{ "platform": "telegram", "id": "7", "name": "x" }] }), 400),
        (json!({ "identities": [{ "platform": "Tele Gram", "id": "7" }] }), 422),
    ] {
        assert_eq!(put("ada", bad.clone()).await.0, expected, "{bad}");
    }
    for query in ["", "?platform=telegram", "?platform=telegram&id=7&x=y"] {
        assert_eq!(bench.get(&format!("/api/internal/admin/users{query}")).await.0, 400, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_shows_the_event_that_led_to_it_until_that_is_pruned() {
    let bench = Bench::new().await;
    let did =
        json!({ "type": "command", "payload": { "text": "/draw a fox" }, "platform": "telegram", "userId": "77" });
    let answer = bench.request(Method::POST, "/api/internal/events").json(&did).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    let event: serde_json::Value = answer.json().await.unwrap();
    assert_eq!((&event["caller"], &event["type"], &event["userId"]), (&json!("local"), &did["type"], &did["userId"]));
    assert_eq!(bench.get(&place).await.1, event);

    let run = json!({ "initiatingEventId": event["eventId"] });
    let (_, task) = bench.post("/api/internal/run/sdxl-portrait?wait=30", &run).await;
    let explain = format!("/api/internal/tasks/{}/explain", task["taskId"].as_str().unwrap());
    assert_eq!(bench.get(&explain).await.1["initiatingEvent"], event);
    assert_eq!(bench.get(&explain.replace("internal", "internal/admin")).await.1["initiatingEvent"], event);
    let (_, task) =
        bench.post("/api/internal/run/sdxl-portrait?wait=30", &json!({ "initiatingEventId": "order-17" })).await;
    let free = format!("/api/internal/tasks/{}/explain", task["taskId"].as_str().unwrap());
    assert_eq!(bench.get(&free).await.1.get("initiatingEvent"), None, "a name of another system's is no event here");

    let tomorrow = stationthis_core::Timestamp::now().plus(std::time::Duration::from_secs(48 * 3600));
    let pruned = stationthis_host::housekeeping::prune(bench.app.station(), None, 1, tomorrow).await.unwrap();
    assert_eq!((pruned.pruned, pruned.events), (2, 1));
    assert_eq!(bench.get(&place).await.0, 404);

    for (bad, status) in [(json!({}), 400), (json!({ "type": "x", "y": 1 }), 400), (json!({ "type": "" }), 422)] {
        assert_eq!(bench.post("/api/internal/events", &bad).await.0, status, "{bad}");
    }
}
