//! A client for the simulator that knows no more than the protocol notes.

use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{Misbehaviour, RunBook, Sim, SimConfig, SimServer, SimTiming};
use std::time::Duration;

pub(crate) struct Client {
    pub(crate) server: SimServer,
    pub(crate) http: reqwest::Client,
}

pub(crate) fn instant() -> SimConfig {
    SimConfig { timing: SimTiming::instant(), ..SimConfig::default() }
}

impl Client {
    pub(crate) async fn new() -> Self {
        Self::with(instant()).await
    }

    pub(crate) async fn faulty(set: impl FnOnce(&mut Misbehaviour)) -> Self {
        let mut config = instant();
        set(&mut config.misbehaviour);
        Self::with(config).await
    }

    /// A service with one of the named faults.
    pub(crate) async fn named(fault: &str) -> Self {
        Self::with(Self::config_of(fault)).await
    }

    /// The configuration of [`named`](Self::named).
    pub(crate) fn config_of(fault: &str) -> SimConfig {
        let found = Misbehaviour::named().into_iter().find(|(name, _)| *name == fault);
        let (_, misbehaviour) = found.unwrap_or_else(|| panic!("no fault named {fault}"));
        SimConfig { misbehaviour, ..instant() }
    }

    pub(crate) async fn with(config: SimConfig) -> Self {
        let server = Sim::serve(config).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { server, http }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.base_url())
    }

    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.url(path)).bearer_auth("key")
    }

    /// Status and JSON of a GET.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.request(reqwest::Method::GET, path).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.request(reqwest::Method::POST, path).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The id of a deployment of the demo catalogue.
    pub(crate) async fn deployment(&self, name: &str, environment: &str) -> Value {
        for fluid in ["false", "true"] {
            let (_, list) = self.get(&format!("/deployments?is_fluid={fluid}")).await;
            let found = list
                .as_array()
                .unwrap()
                .iter()
                .find(|d| d["workflow"]["name"] == name && d["environment"] == environment);
            if let Some(found) = found {
                return found.clone();
            }
        }
        panic!("no deployment of {name} in {environment}");
    }

    /// Queues a run that must be accepted and gives its id.
    pub(crate) async fn queue(&self, name: &str, more: Value) -> String {
        let (status, answer) = self.try_queue(name, more).await;
        assert_eq!(status, 200, "{answer}");
        answer["run_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn queue_body(&self, name: &str, more: Value) -> Value {
        let deployment = self.deployment(name, "production").await;
        let mut body = json!({ "deployment_id": deployment["id"], "inputs": {} });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    }

    pub(crate) async fn try_queue(&self, name: &str, more: Value) -> (u16, Value) {
        let body = self.queue_body(name, more).await;
        self.post("/run/deployment/queue", &body).await
    }

    pub(crate) async fn run(&self, id: &str) -> Value {
        let (status, run) = self.get(&format!("/run/{id}")).await;
        assert_eq!(status, 200, "{run}");
        run
    }

    /// Polls until the run satisfies `wanted`.
    pub(crate) async fn poll(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let poll = async {
            loop {
                let run = self.run(id).await;
                if wanted(&run) {
                    return run;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), poll).await.expect("not in time")
    }

    /// Polls until the run has ended.
    pub(crate) async fn end(&self, id: &str) -> Value {
        self.poll(id, |run| !run["ended_at"].is_null()).await
    }

    pub(crate) fn book(&self, id: &str) -> RunBook {
        self.server.sim.books().run(id).unwrap().clone()
    }

    /// Waits until the books satisfy `wanted`.
    pub(crate) async fn wait_books(&self, wanted: impl Fn(&[RunBook]) -> bool) {
        let wait = async {
            while !wanted(&self.server.sim.books().runs) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait).await.expect("not in time");
    }
}

/// Milliseconds since the epoch of a time in `GET /run/{id}`.
pub(crate) fn millis(value: &Value) -> i64 {
    let time: jiff::Timestamp = value.as_str().unwrap().parse().unwrap();
    time.as_millisecond()
}

/// The names of an object's fields in alphabetical order, with spaces between.
pub(crate) fn keys(value: &Value) -> String {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys.join(" ")
}

/// A text, such as an id for a path.
pub(crate) fn str_of(value: &Value) -> &str {
    value.as_str().unwrap()
}
