//! A station in an axum application that is there already: its own routes, its own sign-in, its own names for its users.
//!
//! Of the host's HTTP face it takes the webhooks (`http::webhook_router`) and the words of errors (`Problem`).
//! `http::router` would be the whole face, with API keys of its own.
//!
//! `cargo run -p stationthis-examples --bin axum_app`

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use axum::extract::{FromRequestParts, Json, Path};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, serve};
use serde_json::{Map, Value, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Sim, SimConfig};
use stationthis_core::station::Caller;
use stationthis_core::{CallerId, Error, RunRequest, Secret, Station, TaskId, TaskRecord};
use stationthis_host::http::problem::Problem;
use stationthis_host::http::webhook_router;
use tokio::net::TcpListener;

/// The application's sessions: who is signed in with which cookie. A real one asks its database.
const SESSIONS: [(&str, &str); 2] = [("session=a1", "user-17"), ("session=b2", "user-42")];

/// The station as the signed-in user sees it: what is another's is not there.
struct User(Caller);

impl FromRequestParts<Station> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, station: &Station) -> Result<Self, StatusCode> {
        let cookie = parts.headers.get(header::COOKIE).and_then(|value| value.to_str().ok());
        let session = SESSIONS.iter().find(|(session, _)| Some(*session) == cookie);
        let (_, user) = session.ok_or(StatusCode::UNAUTHORIZED)?;
        let user = CallerId::new(*user).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        Ok(Self(station.as_caller(user)))
    }
}

/// An error of the station in the host's words: status, kind, what is wrong with which input.
struct Refused(Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        Problem::from_error(&self.0).into_response()
    }
}

async fn order(User(user): User, Json(wish): Json<Map<String, Value>>) -> Result<Response, Refused> {
    let task = user.run(RunRequest::new("sdxl-portrait", wish)).await?;
    Ok((StatusCode::ACCEPTED, Json(shown(&task))).into_response())
}

async fn picture(User(user): User, Path(id): Path<TaskId>) -> Result<Json<Value>, Refused> {
    let task = user.wait(id, Duration::from_secs(20)).await?;
    Ok(Json(shown(&task)))
}

/// What this application tells of a task.
fn shown(task: &TaskRecord) -> Value {
    let pictures: Vec<_> = task.state.outputs.iter().filter_map(|output| output.url.as_deref()).collect();
    json!({ "id": task.task_id, "status": task.state.status, "pictures": pictures })
}

#[tokio::main]
// A field that JSON has not is null.
#[allow(clippy::print_stdout, clippy::indexing_slicing)]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let here = format!("http://{}", listener.local_addr()?);
    let sim = Sim::serve(SimConfig::default()).await?;
    let provider = ComfyDeploy::builder(Secret::new("any-key")).base_url(sim.base_url()).build()?;
    // Where the service calls back: the public address of this application.
    let station = Station::builder().provider(Arc::new(provider)).public_url(Some(here.clone())).build()?;
    let handle = station.start().await?;
    station.refresh().await?;

    let own = Router::new()
        .route("/", get(async || "The home page."))
        .route("/pictures", post(order))
        .route("/pictures/{id}", get(picture))
        .with_state(station.clone());
    let server = tokio::spawn(serve(listener, own.merge(webhook_router(station))).into_future());

    // Two of its users, from outside.
    let http = reqwest::Client::builder().no_proxy().build()?;
    let ask = async |request: reqwest::RequestBuilder, cookie: &str| {
        let answer = request.header("cookie", cookie).send().await?;
        anyhow::Ok((answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default()))
    };
    let wish = json!({ "prompt": "a red fox" });
    let (status, order) = ask(http.post(format!("{here}/pictures")).json(&wish), "session=a1").await?;
    println!("ordered     {status} {}", order["status"]);
    let url = format!("{here}/pictures/{}", order["id"].as_str().unwrap_or_default());
    let (status, task) = ask(http.get(&url), "session=a1").await?;
    println!("its owner   {status} {} {}", task["status"], task["pictures"]);
    let (other, problem) = ask(http.get(&url), "session=b2").await?;
    println!("another     {other} {}", problem["type"]);
    let (nobody, _) = ask(http.get(&url), "session=forged").await?;
    println!("a stranger  {nobody}");
    let (wrong, problem) =
        ask(http.post(format!("{here}/pictures")).json(&json!({ "prompt": 7 })), "session=a1").await?;
    println!("a mistake   {wrong} {}", problem["errors"]);
    ensure!((status, other, nobody, wrong) == (200, 404, 401, 422), "{status} {other} {nobody} {wrong}");

    server.abort();
    handle.shutdown(Duration::from_secs(5)).await?;
    sim.shutdown().await;
    Ok(())
}
