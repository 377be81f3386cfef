//! The contract of a provider, over the service on a loopback port; and a task from its request to its price.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Json, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use provider_in_100_lines::Echo;
use serde_json::{Map, Value, json};
use stationthis_core::provider::{RunRef, ServiceProvider};
use stationthis_core::testkit::{Conduct, ProviderFixture};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{CallerId, RunRequest, Station, TaskStatus, ToolDefinition};
use tokio::net::TcpListener;

/// The service: how it behaves, and the runs that it made.
#[derive(Debug)]
struct Service {
    conduct: Conduct,
    runs: Vec<Value>,
}

type Shared = Arc<Mutex<Service>>;

async fn submit(State(service): State<Shared>, Json(inputs): Json<Value>) -> Response {
    let mut service = service.lock().unwrap();
    let run =
        |state: &str, text: Value| json!({ "id": format!("run-{}", service.runs.len()), "state": state, "text": text });
    let run = match service.conduct {
        Conduct::Down => return (StatusCode::SERVICE_UNAVAILABLE, "down for maintenance").into_response(),
        Conduct::Full => return (StatusCode::TOO_MANY_REQUESTS, "one at a time").into_response(),
        Conduct::RunsFail => run("failed", Value::Null),
        Conduct::RunsStay => run("working", Value::Null),
        Conduct::Good | Conduct::LosesAnswers => {
            run("done", inputs["text"].as_str().unwrap_or_default().to_uppercase().into())
        }
    };
    service.runs.push(run.clone());
    if service.conduct == Conduct::LosesAnswers {
        let cut = futures_util::stream::once(async { Err::<Bytes, _>(io::Error::other("cut")) });
        return Body::from_stream(cut).into_response();
    }
    Json(run).into_response()
}

async fn show(State(service): State<Shared>, Path(id): Path<String>) -> Response {
    let service = service.lock().unwrap();
    if service.conduct == Conduct::Down {
        return (StatusCode::SERVICE_UNAVAILABLE, "down for maintenance").into_response();
    }
    let run = service.runs.iter().find(|run| run["id"] == *id).cloned();
    run.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |run| Json(run).into_response())
}

struct Fixture {
    service: Shared,
    provider: Echo,
    nowhere: Echo,
}

async fn fresh() -> Fixture {
    let service = Shared::new(Mutex::new(Service { conduct: Conduct::Good, runs: Vec::new() }));
    let routes = Router::new().route("/runs", post(submit)).route("/runs/{id}", get(show));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = Echo::new(format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(axum::serve(listener, routes.with_state(service.clone())).into_future());
    // Nobody listens at a port that was just given back.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    Fixture { service, provider, nowhere: Echo::new(format!("http://{closed}")).unwrap() }
}

impl ProviderFixture for Fixture {
    fn provider(&self) -> &dyn ServiceProvider {
        &self.provider
    }

    fn unreachable(&self) -> &dyn ServiceProvider {
        &self.nowhere
    }

    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    fn set(&self, conduct: Conduct) {
        self.service.lock().unwrap().conduct = conduct;
    }

    fn runs_made(&self) -> usize {
        self.service.lock().unwrap().runs.len()
    }

    fn inputs(&self, _: &ToolDefinition) -> Option<Map<String, Value>> {
        Some(text("a red fox"))
    }

    fn webhook(&self, _: &RunRef) -> Option<WebhookRequest> {
        None
    }
}

fn text(text: &str) -> Map<String, Value> {
    Map::from_iter([("text".to_owned(), text.into())])
}

mod contract {
    use super::fresh;

    stationthis_core::provider_suite!(fresh);
}

#[tokio::test]
async fn a_task_from_its_request_to_its_price() {
    let fixture = fresh().await;
    let station = Station::builder()
        .provider_with_costs(Arc::new(fixture.provider), Arc::new(Echo::costs().unwrap()))
        .build()
        .unwrap();
    station.refresh().await.unwrap();
    let handle = station.start().await.unwrap();
    let caller = station.as_caller(CallerId::new("ada").unwrap());
    let task = caller.run(RunRequest::new("capitals", text("hello"))).await.unwrap();
    let done = caller.wait(task.task_id, Duration::from_secs(20)).await.unwrap();
    assert_eq!((done.state.status, done.state.outputs[0].text.as_deref()), (TaskStatus::Completed, Some("HELLO")));
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.001000000");
    handle.shutdown(Duration::from_secs(5)).await.unwrap();
}

/// Its name is a promise: a hundred lines of code, without imports, comments and blank lines.
#[test]
fn it_is_a_hundred_lines_of_code() {
    let (mut importing, mut lines) = (false, 0);
    for line in include_str!("../src/lib.rs").lines().map(str::trim) {
        importing |= line.starts_with("use ");
        lines += usize::from(!importing && !line.is_empty() && !line.starts_with("//"));
        importing &= !line.ends_with(';');
    }
    assert!((60..=100).contains(&lines), "{lines} lines");
}
