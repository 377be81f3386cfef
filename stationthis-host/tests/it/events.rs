//! Server-sent events over real HTTP.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::SimTiming;

use crate::bench::{Bench, answer, kind};
use crate::keys::key_of;

/// Longer than anything here takes: a stream that says nothing for that long never will.
const NEVER: Duration = Duration::from_secs(60);

/// One event as a browser sees it.
#[derive(Debug)]
pub struct Said {
    pub id: Option<u64>,
    pub name: String,
    pub data: Value,
}

/// A stream, read as a browser does.
pub struct Events {
    answer: reqwest::Response,
    text: String,
}

impl Events {
    pub async fn open(request: reqwest::RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, text: String::new() }
    }

    /// The next event; `None` when the host has closed the stream in good order.
    pub async fn next(&mut self) -> Option<Said> {
        // Of all of it: heartbeats come for ever.
        tokio::time::timeout(NEVER, self.read()).await.expect("an event")
    }

    async fn read(&mut self) -> Option<Said> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let said = parse(event);
                self.text = rest.to_owned();
                match said {
                    Some(said) => return Some(said),
                    None => continue,
                }
            }
            let chunk = self.answer.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Events until one of this name, that one included.
    pub async fn until(&mut self, name: &str) -> Vec<Said> {
        let mut all = Vec::new();
        while let Some(said) = self.next().await {
            let found = said.name == name;
            all.push(said);
            if found {
                return all;
            }
        }
        panic!("no {name} in {all:?}");
    }
}

fn parse(event: &str) -> Option<Said> {
    let field = |name: &str| event.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
    let data = serde_json::from_str(&field("data:")?).unwrap();
    Some(Said { id: field("id:").map(|id| id.parse().unwrap()), name: field("event:").unwrap(), data })
}

fn events_of(bench: &Bench, task: &Value) -> reqwest::RequestBuilder {
    bench.request(Method::GET, &format!("/api/internal/tasks/{}/events", task["taskId"].as_str().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_follows_a_task_to_its_end_and_says_when_there_is_no_more() {
    let bench = Bench::new().await;
    let task = bench.run("sdxl-portrait", json!({ "prompt": "a red fox" })).await;
    let mut stream = Events::open(events_of(&bench, &task)).await;
    let all = stream.until("end").await;
    assert!(stream.next().await.is_none(), "closed after the end");
    let ids: Vec<u64> = all.iter().map(|said| said.id.unwrap()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    let end = &all.last().unwrap().data;
    assert_eq!((&end["status"], &end["taskId"]), (&json!("completed"), &task["taskId"]));
    assert!(end["outputs"][0]["url"].is_string() && end["costUsd"].is_string(), "{end}");
    for said in &all {
        let text = said.data.to_string();
        assert!(!text.contains("a red fox") && said.data["inputsAsked"].is_null(), "{text}");
    }
    let last = ids.last().unwrap().to_string();
    let again = events_of(&bench, &task).header("last-event-id", &last).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NO_CONTENT, "a browser comes back after anything else");
    let first = ids[0].to_string();
    let mut missed =
        Events::open(events_of(&bench, &task).header("last-event-id", &first).query(&[("after", &last)])).await;
    assert_eq!(missed.until("end").await.len(), 1, "the header is newer than the URL");
    for bad in ["x", "-1", "1.5"] {
        let (status, problem) = answer(events_of(&bench, &task).header("last-event-id", bad)).await;
        assert_eq!((status.as_u16(), kind(&problem)), (400, "malformed-request"), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_as_the_openapi_document_describes_them() {
    let bench = Bench::new().await;
    let (_, document) = bench.get("/api/internal/openapi.json").await;
    let described = |path: &str, event: &str| {
        let stream = &document["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"]["schema"];
        let stream = document.pointer(stream["$ref"].as_str().unwrap().trim_start_matches('#')).unwrap();
        let mut schema = stream["x-stationthis-events"][event].clone();
        schema["components"] = document["components"].clone();
        jsonschema::draft202012::new(&schema).unwrap()
    };
    let mut all = Events::open(bench.request(Method::GET, "/api/internal/events")).await;
    let said = all.next().await.unwrap();
    assert!(described("/api/internal/events", "ready").is_valid(&said.data));
    let task = bench.run("sdxl-portrait", json!({ "prompt": "a red fox" })).await;
    for (path, messages) in [
        ("/api/internal/events", all.until("end").await),
        ("/api/internal/tasks/{id}/events", Events::open(events_of(&bench, &task)).await.until("end").await),
    ] {
        for said in messages {
            let schema = described(path, &said.name);
            let errors: Vec<_> = schema.iter_errors(&said.data).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{path} {}: {errors:?}", said.name);
            assert!(!schema.is_valid(&json!({})), "the check can fail");
        }
    }
    let properties = &document["components"]["schemas"]["StreamedTask"]["properties"];
    assert!(properties["status"].is_object() && properties["outputs"].is_object());
    assert!(["inputsAsked", "inputsSent", "metadata", "quote"].iter().all(|name| properties[name].is_null()));
    assert!(described("/api/internal/tasks/{id}/events", "lagged").is_valid(&json!({ "missed": 3 })));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_hears_of_everybody_and_a_caller_of_its_own() {
    let bench = Bench::with(SimTiming::instant(), Some("correct-horse-battery")).await;
    let (ada, _) = key_of(&bench, "ada").await;
    let (eve, _) = key_of(&bench, "eve").await;
    let by = |key: &str, path: &str| bench.http.get(format!("{}{path}", bench.base)).bearer_auth(key);
    let mut all = Events::open(bench.request(Method::GET, "/api/internal/admin/events")).await;
    let mut eves = Events::open(by(&eve, "/api/internal/events")).await;
    assert!(all.next().await.unwrap().name == "ready" && eves.next().await.unwrap().name == "ready");
    let run = async |key: &str| {
        let request = bench.http.post(format!("{}/api/internal/run/sdxl-portrait?wait=30", bench.base));
        answer(request.bearer_auth(key).json(&json!({}))).await.1["taskId"].clone()
    };
    let (of_ada, of_eve) = (run(&ada).await, run(&eve).await);
    let heard = eves.until("end").await;
    assert!(heard.iter().all(|said| said.data["taskId"] == of_eve), "{heard:?}");
    let mut ends = all.until("end").await;
    ends.extend(all.until("end").await);
    for task in [&of_ada, &of_eve] {
        assert!(ends.iter().any(|said| said.name == "end" && said.data["taskId"] == *task), "{task}");
    }
    let path = format!("/api/internal/tasks/{}/events", of_ada.as_str().unwrap());
    let (status, problem) = answer(by(&eve, &path)).await;
    assert_eq!((status.as_u16(), kind(&problem)), (404, "not-found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_streams_in_good_order() {
    let slow = SimTiming { cold_start: Duration::from_secs(600), ..SimTiming::instant() };
    let bench = Bench::with(slow, None).await;
    let task = bench.run("sdxl-portrait", json!({})).await;
    let mut one = Events::open(events_of(&bench, &task)).await;
    let mut all = Events::open(bench.request(Method::GET, "/api/internal/events?after=0")).await;
    assert_eq!(all.until("task").await.len(), 2, "ready, and what was before");
    bench.close().await;
    while one.next().await.is_some() {}
    while all.next().await.is_some() {}
}
