//! A host in this process, over a temporary folder.

use axum::Router;
use axum::routing::get;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{SimConfig, SimTiming};
use stationthis_core::Secret;
use stationthis_host::app::{App, SHUTDOWN_GRACE, Service, caller_id};
use stationthis_host::config::{Config, Flags};
use stationthis_host::http::{self, HttpConfig};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub struct Bench {
    pub base: String,
    pub http: reqwest::Client,
    pub app: App,
    pub dir: TempDir,
    pub key: Option<&'static str>,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

pub fn config(dir: &TempDir) -> Config {
    let flags = Flags { data_dir: Some(dir.path().to_owned()), ..Flags::default() };
    Config::load(&flags, &|_| None).unwrap()
}

pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Bench {
    /// Over a simulator whose runs take milliseconds.
    pub async fn new() -> Self {
        Self::with(SimTiming::instant(), None).await
    }

    pub async fn with(timing: SimTiming, key: Option<&'static str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = SimConfig { timing, ..SimConfig::default() };
        let service = Service::Simulator(Box::new(sim), 0);
        let bench = Self::over(config(&dir), dir, service, key).await;
        bench.app.station().refresh().await.unwrap();
        bench
    }

    pub async fn over(config: Config, dir: TempDir, service: Service, key: Option<&'static str>) -> Self {
        Self::within("", config, dir, service, key, |face| face).await
    }

    /// In another application, below a path of its; at the root where that is empty.
    pub async fn within(
        path: &str,
        config: Config,
        dir: TempDir,
        service: Service,
        key: Option<&'static str>,
        with: impl FnOnce(HttpConfig) -> HttpConfig,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}{path}", listener.local_addr().unwrap());
        let app = App::start(&config, service, Some(base.clone())).await.unwrap();
        let face = HttpConfig::new(caller_id().unwrap()).with_api_key(key.map(Secret::new));
        let face = face.with_host_id(app.host_id().unwrap().into());
        let face = face.with_caller_limits(config.caller_limits()).with_backups(app.backups().clone());
        let face = face.with_files(app.files().clone()).with_outputs(app.outputs());
        let face = face.with_cors_origins(config.cors_origins.clone());
        let face = with(face);
        let api = http::router(app.station().clone(), &face);
        let around = || Router::new().route("/", get(async || "home")).fallback(async || "lost");
        let router = if path.is_empty() { api } else { around().nest(path, api) };
        let stop = CancellationToken::new();
        let server = tokio::spawn(http::server::serve(listener, router, face.server, stop.clone(), SHUTDOWN_GRACE));
        Self { base, http: client(), app, dir, key, stop, server }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// Runs the tool and gives its record, not ended yet.
    pub async fn run(&self, tool: &str, inputs: Value) -> Value {
        let (status, task) = self.post(&format!("/api/internal/run/{tool}"), &json!({ "inputs": inputs })).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{task}");
        task
    }

    /// The record at its end.
    pub async fn ended(&self, task: &Value) -> Value {
        let path = format!("/api/internal/tasks/{}?wait=30", task["taskId"].as_str().unwrap());
        let (status, task) = self.get(&path).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!task["times"]["endedAt"].is_null(), "{task}");
        task
    }

    /// Stops everything and gives the folder back.
    pub async fn close(self) -> TempDir {
        self.stop.cancel();
        self.server.await.unwrap().unwrap();
        self.app.shutdown().await.unwrap();
        self.dir
    }
}

pub async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let body: Value = answer.json().await.unwrap();
    if status.is_success() || body.get("type").is_none() {
        assert_eq!(kind, "application/json");
    } else {
        assert_eq!(kind, "application/problem+json");
        assert_eq!(body["status"], status.as_u16());
        assert!(body["requestId"].is_string() && body["instance"].is_string(), "{body}");
    }
    (status, body)
}

/// The last part of a problem's type.
pub fn kind(problem: &Value) -> &str {
    let kind = problem["type"].as_str().unwrap_or_else(|| panic!("no problem: {problem}"));
    kind.strip_prefix("urn:stationthis:problem:").unwrap()
}
