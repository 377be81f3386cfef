//! Refusals, word for word as recorded.

use crate::support::{Client, instant, str_of};
use reqwest::Method;
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::SimConfig;

const UNKNOWN: &str = "4df120d0-398e-426e-90d1-f0514e34572b";

async fn keyed() -> Client {
    Client::with(SimConfig { api_key: Some("right".to_owned()), ..instant() }).await
}

#[tokio::test]
async fn a_missing_key_and_a_wrong_one_are_told_apart() {
    let client = keyed().await;
    let get = |path: &str| client.http.get(client.url(path));
    for (request, text) in [
        (get("/deployments"), "Invalid or missing token"),
        (get("/deployments").bearer_auth("wrong"), "Invalid or expired token"),
        // The prefix is case-sensitive: this is no token at all.
        (get("/deployments").header("authorization", "bearer right"), "Invalid or missing token"),
        // Authentication comes before routing and before the body.
        (get("/nope"), "Invalid or missing token"),
        (client.http.post(client.url("/run/deployment/queue")).body("{"), "Invalid or missing token"),
        // A cookie beats the header.
        (get("/deployments").bearer_auth("right").header("cookie", "a=b; __session=wrong"), "Invalid or expired token"),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body, json!({ "detail": text }));
    }
}

#[tokio::test]
async fn a_key_is_taken_from_header_and_query() {
    let client = keyed().await;
    let get = |path: &str| client.http.get(client.url(path));
    for request in [
        get("/machines").bearer_auth("right"),
        get("/machines").header("x-api-key", "right"),
        get("/machines?cd_token=right").bearer_auth("wrong"),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let client = Client::new().await;
    let (status, answer) = client.get("/nope").await;
    assert_eq!((status, answer), (404, json!({ "detail": "Not Found" })));
    let answer = client.request(Method::GET, "/run/deployment/queue").send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "POST");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body, json!({ "detail": "Method Not Allowed" }));
}

#[tokio::test]
async fn unknown_ids() {
    let client = Client::new().await;
    let (status, answer) = client.get(&format!("/run/{UNKNOWN}")).await;
    assert_eq!((status, answer), (404, json!({ "detail": "Run not found" })));
    let (status, answer) = client.post("/run/deployment/queue", &json!({ "deployment_id": UNKNOWN })).await;
    assert_eq!((status, answer), (404, json!({ "detail": "Deployment not found" })));
    // Here the server catches its own 404.
    let (status, answer) = client.get(&format!("/deployment/{UNKNOWN}")).await;
    assert_eq!((status, answer), (500, json!({ "detail": "Internal server error" })));
    let (status, answer) = client.post(&format!("/run/{UNKNOWN}/cancel"), &json!({})).await;
    let text = "Error cancel function 404: Run not found or has no modal function call ID";
    assert_eq!((status, answer), (500, json!({ "detail": text })));
    // The others are lists of nothing.
    for path in [format!("/v2/workflow/{UNKNOWN}/runs"), format!("/workflow/{UNKNOWN}/runs")] {
        assert_eq!(client.get(&path).await, (200, json!([])), "{path}");
    }
}

#[tokio::test]
async fn ids_that_are_none() {
    let client = Client::new().await;
    let problem = |loc: Value, input: &str, found: &str| {
        let error = format!(
            "invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], found `{found}` at 1"
        );
        json!({ "detail": [{ "type": "uuid_parsing", "loc": loc, "msg": format!("Input should be a valid UUID, {error}"),
                             "input": input, "ctx": { "error": error } }] })
    };
    let (status, answer) = client.get("/run/xyz").await;
    assert_eq!((status, answer), (422, problem(json!(["path", "run_id"]), "xyz", "x")));
    let (status, answer) = client.post("/run/deployment/queue", &json!({ "deployment_id": "not-a-uuid" })).await;
    assert_eq!((status, answer), (422, problem(json!(["body", "deployment_id"]), "not-a-uuid", "n")));
    let (status, answer) = client.post("/run/xyz/cancel", &json!({})).await;
    assert_eq!(status, 500);
    let text = answer["detail"].as_str().unwrap();
    let start = "Error cancel function (sqlalchemy.dialects.postgresql.asyncpg.Error) <class 'asyncpg.exceptions.DataError'>: \
                 invalid input for query argument $1: 'xyz' (invalid UUID 'xyz': length must be between 32..36 characters, got 3)\n\
                 [SQL: ";
    assert!(text.starts_with(start), "{text}");
    assert!(text.ends_with("\n(Background on this error at: https://sqlalche.me/e/20/dbapi)"), "{text}");
    // Elsewhere the database's complaint becomes plain text.
    let answer = client.request(Method::GET, "/workflow/xyz/runs").send().await.unwrap();
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.text().await.unwrap(), "Internal Server Error");
}

/// Queues a text as the body; gives the list of problems.
async fn problems(client: &Client, body: &str) -> Value {
    let request = client.request(Method::POST, "/run/deployment/queue").header("content-type", "application/json");
    let answer = request.body(body.to_owned()).send().await.unwrap();
    assert_eq!(answer.status(), 422, "{body}");
    answer.json::<Value>().await.unwrap()["detail"].take()
}

#[tokio::test]
async fn bodies_that_do_not_fit() {
    let client = Client::new().await;
    let missing =
        json!([{ "type": "missing", "loc": ["body", "deployment_id"], "msg": "Field required", "input": {} }]);
    assert_eq!(problems(&client, "{}").await, missing);
    let invalid = json!([{ "type": "json_invalid", "loc": ["body", 1], "msg": "JSON decode error", "input": {},
                           "ctx": { "error": "Expecting property name enclosed in double quotes" } }]);
    assert_eq!(problems(&client, "{nope").await, invalid);
    let list = json!([{ "type": "dict_type", "loc": ["body", "inputs"], "msg": "Input should be a valid dictionary",
                        "input": [1] }]);
    assert_eq!(problems(&client, &format!(r#"{{"deployment_id":"{UNKNOWN}","inputs":[1]}}"#)).await, list);
    let webhook = json!([{ "type": "string_type", "loc": ["body", "webhook"], "msg": "Input should be a valid string",
                           "input": 5 }]);
    assert_eq!(problems(&client, &format!(r#"{{"deployment_id":"{UNKNOWN}","webhook":5}}"#)).await, webhook);
    let gpu = problems(&client, &format!(r#"{{"deployment_id":"{UNKNOWN}","gpu":"RTX"}}"#)).await;
    let expected = "'CPU', 'T4', 'L4', 'A10G', 'L40S', 'A100', 'A100-80GB', 'H100', 'H200' or 'B200'";
    assert_eq!(gpu[0]["ctx"]["expected"], expected);
    assert!(client.server.sim.books().runs.is_empty());
}

#[tokio::test]
async fn null_and_objects_are_refused_once_for_each_type_an_input_may_have() {
    let client = Client::new().await;
    let body = json!({ "deployment_id": UNKNOWN, "inputs": { "seed": null, "ok": [1] } });
    let problems = problems(&client, &body.to_string()).await;
    let loc = |member: &str| json!(["body", "inputs", "seed", member]);
    let found: Vec<_> = problems.as_array().unwrap().iter().map(|p| p["loc"].clone()).collect();
    assert_eq!(found, [loc("str"), loc("int"), loc("float"), loc("bool"), loc("list[any]")]);
    assert_eq!(problems[0]["msg"], "Input should be a valid string");
}

#[tokio::test]
async fn odd_flags_are_read_as_pydantic_reads_them() {
    let client = Client::new().await;
    for (flag, taken) in [(json!("yes"), true), (json!(1), true), (json!("off"), false)] {
        let id = client.queue("Workshop Sketch", json!({ "webhook_intermediate_status": flag, "flags": ["x"] })).await;
        assert_eq!(client.run(&id).await["webhook_intermediate_status"], taken, "{flag}");
    }
    let (status, _) = client.try_queue("Workshop Sketch", json!({ "webhook_intermediate_status": null })).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn bad_parameters_of_lists() {
    let client = Client::new().await;
    for (path, kind, name) in [
        ("/deployments?page_size=x", "int_parsing", "page_size"),
        ("/deployments?is_fluid=perhaps", "bool_parsing", "is_fluid"),
        ("/deployments?environment=live", "enum", "environment"),
        ("/machines?is_deleted=2", "bool_parsing", "is_deleted"),
        ("/workflows?limit=1.5", "int_parsing", "limit"),
    ] {
        let (status, answer) = client.get(path).await;
        assert_eq!(status, 422, "{path}");
        let problem = &answer["detail"][0];
        assert_eq!((&problem["type"], &problem["loc"]), (&json!(kind), &json!(["query", name])));
    }
}

#[tokio::test]
async fn a_batch_runs_though_the_answer_is_an_error() {
    let client = Client::new().await;
    let body = client.queue_body("Workshop Sketch", json!({ "batch_number": 3 })).await;
    let answer = client.request(Method::POST, "/run/deployment/queue").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.text().await.unwrap(), "Internal Server Error");
    client.wait_books(|runs| runs.len() == 3 && runs.iter().all(|run| run.status == "success")).await;
}

#[tokio::test]
async fn an_unavailable_service_says_so_and_goes_on_with_its_runs() {
    let client = Client::new().await;
    let id = client.queue("Workshop Sketch", json!({})).await;
    client.server.sim.set_available(false);
    let answer = client.request(Method::GET, &format!("/run/{id}")).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    client.wait_books(|runs| runs[0].is_final()).await;
    client.server.sim.set_available(true);
    assert_eq!(client.run(&id).await["status"], "success");
}

#[tokio::test]
async fn the_books_have_every_request_and_its_json() {
    let client = Client::new().await;
    let body = client.queue_body("Workshop Sketch", json!({ "webhook": "task:1" })).await;
    let (_, answer) = client.post("/run/deployment/queue", &body).await;
    client.run(str_of(&answer["run_id"])).await;
    let books = client.server.sim.books();
    assert_eq!(books.count_requests("POST", "/api/run/deployment/queue"), 1);
    assert_eq!(books.count_requests("GET", "/api/run/"), 1);
    assert_eq!(books.requests_total, u64::try_from(books.requests.len()).unwrap());
    let queued = books.requests.iter().find(|request| request.method == "POST").unwrap();
    assert_eq!(serde_json::from_str::<Value>(queued.body.as_ref().unwrap()).unwrap(), body);
    assert_eq!(books.runs_with_webhook("task:1").len(), 1);
}
