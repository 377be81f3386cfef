//! A station in an axum application that is there already: its own routes, its own sign-in, its own names for its users.
//!
//! The host's whole HTTP API stands below `/ai`, for users who are signed in here; it comes with the webhooks. (An
//! application that wants the webhooks alone nests `http::webhook_router` the same way.)
//!
//! `cargo run -p stationthis-examples --bin axum_app`

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use axum::extract::{Json, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, serve};
use serde_json::{Map, Value, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Sim, SimConfig};
use stationthis_core::{CallerId, Error, ErrorKind, Result, RunRequest, Secret, Station};
use stationthis_host::http::problem::Problem;
use stationthis_host::http::{self, HttpConfig, Identify};
use tokio::net::TcpListener;

/// Where the API stands in this application.
const API: &str = "/ai";

/// The application's sessions: who is signed in with which cookie. A real one asks its database.
const SESSIONS: [(&str, &str); 2] = [("session=a1", "user-17"), ("session=b2", "user-42")];

/// Who is signed in, by the name under which the station knows them: what is another's is not there for them.
fn signed_in(headers: &HeaderMap) -> Result<CallerId> {
    let cookie = headers.get(header::COOKIE).and_then(|value| value.to_str().ok());
    let session = SESSIONS.iter().find(|(session, _)| Some(*session) == cookie);
    let refused = || Error::new(ErrorKind::Unauthorized, "sign in").with_message("Sign in first.");
    session.ok_or_else(refused).and_then(|(_, user)| CallerId::new(*user))
}

/// Tells the API who asks.
#[derive(Debug)]
struct Sessions;

#[async_trait]
impl Identify for Sessions {
    async fn caller(&self, request: &Parts) -> Result<CallerId> {
        signed_in(&request.headers)
    }
}

/// An order, as this application takes them. The task is followed in the API, or anywhere else as the same user.
async fn order(
    State(station): State<Station>,
    headers: HeaderMap,
    Json(wish): Json<Map<String, Value>>,
) -> std::result::Result<Response, Problem> {
    let user = station.as_caller(signed_in(&headers)?);
    let task = user.run(RunRequest::new("sdxl-portrait", wish)).await?;
    let place = format!("{API}/api/internal/tasks/{}", task.task_id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)]).into_response())
}

#[tokio::main]
// A field that JSON has not is null.
#[allow(clippy::print_stdout, clippy::indexing_slicing)]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let here = format!("http://{}", listener.local_addr()?);
    let sim = Sim::serve(SimConfig::default()).await?;
    let provider = ComfyDeploy::builder(Secret::new("any-key")).base_url(sim.base_url()).build()?;
    // Where the service calls back: the public address of the API, its path included.
    let station = Station::builder().provider(Arc::new(provider)).public_url(Some(format!("{here}{API}"))).build()?;
    let handle = station.start().await?;
    station.refresh().await?;

    // Without an operator's key nobody is the operator, and users never are.
    let config = HttpConfig::new(CallerId::new("operator")?).with_identify(Arc::new(Sessions));
    let app = Router::new()
        .route("/", get(async || "The home page."))
        .route("/pictures", post(order))
        .with_state(station.clone())
        .nest(API, http::router(station, &config));
    let server = tokio::spawn(serve(listener, app).into_future());

    // Two of its users, from outside.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let ask = async |request: reqwest::RequestBuilder, cookie: &str| {
        let answer = request.header("cookie", cookie).send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let place = headers.get("location").and_then(|place| place.to_str().ok()).unwrap_or_default().to_owned();
        anyhow::Ok((status, place, answer.json::<Value>().await.unwrap_or_default()))
    };
    let run = format!("{here}{API}/api/internal/run/sdxl-portrait");
    let wish = json!({ "inputs": { "prompt": "a red fox" } });
    let (status, place, _) = ask(client.post(&run).json(&wish), "session=a1").await?;
    println!("ran         {status} {place}");
    let url = format!("{here}{place}");
    let (status, _, task) = ask(client.get(format!("{url}?wait=20")), "session=a1").await?;
    let picture = task["outputs"][0]["url"].as_str().context("a picture")?;
    println!("its owner   {status} {} {} {picture}", task["caller"], task["status"]);
    let (other, _, problem) = ask(client.get(&url), "session=b2").await?;
    println!("another     {other} {}", problem["instance"]);
    let (nobody, _, problem) = ask(client.get(&url), "session=forged").await?;
    println!("a stranger  {nobody} {}", problem["detail"]);
    let all = format!("{here}{API}/api/internal/admin/tasks");
    let (operator, ..) = ask(client.get(all), "session=a1").await?;
    println!("no operator {operator}");
    let (ordered, place, _) =
        ask(client.post(format!("{here}/pictures")).json(&json!({ "prompt": "an owl" })), "session=b2").await?;
    let (found, ..) = ask(client.get(format!("{here}{place}")), "session=b2").await?;
    println!("ordered     {ordered}, and found {found}");
    let (wrong, _, problem) =
        ask(client.post(format!("{here}/pictures")).json(&json!({ "prompt": 7 })), "session=a1").await?;
    println!("a mistake   {wrong} {}", problem["problems"]);
    let all = (status, other, nobody, operator, found, wrong);
    ensure!(all == (200, 404, 401, 403, 200, 422), "{all:?}");

    server.abort();
    handle.shutdown(Duration::from_secs(5)).await?;
    sim.shutdown().await;
    Ok(())
}
