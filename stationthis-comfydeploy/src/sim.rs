//! A simulator of the ComfyDeploy service (feature `sim`): for demos, for the tests of this crate, and for
//! yours.
//!
//! It plays the service over real HTTP, in process or on a loopback port, after the recorded traffic and
//! the ComfyDeploy protocol notes; nothing in it knows the client it is talking to. Runs take their time,
//! webhooks are retried as the service retries them (three attempts, the last two as `GET`), pictures are
//! drawn from the prompt and served as PNG. Its [`Books`] hold the truth about every run, request and
//! second, and [`Misbehaviour`] switches on one fault of the service at a time, from a seed.
//!
//! ```
//! use serde_json::{Value, json};
//! use stationthis_comfydeploy::sim::{Sim, SimConfig, SimTiming};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = SimConfig { timing: SimTiming::instant(), ..SimConfig::default() };
//! let server = Sim::serve(config).await?;
//! let http = reqwest::Client::builder().no_proxy().build()?;
//!
//! let list = format!("{}/deployments?environment=production", server.base_url());
//! let list: Value = http.get(list).bearer_auth("any key").send().await?.json().await?;
//! let body = json!({ "deployment_id": list[0]["id"], "inputs": { "prompt": "a fox" } });
//!
//! let queue = format!("{}/run/deployment/queue", server.base_url());
//! let queue = http.post(queue).bearer_auth("any key").json(&body);
//! let answer: Value = queue.send().await?.json().await?;
//!
//! let books = server.sim.books();
//! let run = books.run(answer["run_id"].as_str().unwrap_or_default()).ok_or("no such run")?;
//! assert_eq!(run.inputs["prompt"], "a fox");
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it answers
//!
//! Under `/api`: `GET /deployments`, `/deployment/{id}`, `/workflows`, `/workflow/{id}/deployments`,
//! `/machines`, `/machine/{id}`, `/platform/gpu-pricing`; `POST /run/deployment/queue`, `GET /run/{id}`,
//! `POST /run/{id}/cancel`, `GET /v2/workflow/{id}/runs`, `/workflow/{id}/runs`,
//! `/v2/clickhouse-run-logs/{id}`; `POST /file/upload`, `GET /assets/presigned-url`. Beside it, the bucket:
//! `/outputs/runs/{run_id}/{file}` and `/inputs/{file}`. Other paths answer as the service does for unknown
//! ones: 404 with a key, 401 without.
//!
//! # Where it differs from the service
//!
//! - One account, no organisations; any number of keys but one meaning.
//! - Times are cut to milliseconds, so that the durations stated are the differences of the times shown.
//! - Pictures are at most 512 pixels wide and high, and always PNG.
//! - Inputs named by URL are never fetched. A picture depends on the URL, not on what is behind it.
//! - No engine looks at the inputs: a value of a wrong type fails no run. [`Misbehaviour::run_fails`] does.
//! - Streams, synchronous runs, sessions and every way to change the account are absent.
//! - All state is in memory, and bounded: see [`SimConfig::max_runs`] and [`Books::requests`].

mod books;
mod catalogue;
mod config;
mod failure;
mod graph;
mod graph_ui;
mod hooks;
mod http;
mod ids;
mod machine;
mod misbehaviour;
mod picture;
mod pyjson;
mod rng;
mod run;
mod runs;
mod scene;
mod server;
mod service;
mod sign;
mod storage;
mod templates;
mod times;
mod validate;
mod wire;
mod worker;
mod workflow;

pub use books::{Books, RequestBook, RunBook};
pub use catalogue::SimCatalogue;
pub use config::{HookPolicy, SimConfig, SimTiming};
pub use machine::SimMachine;
pub use misbehaviour::{EmptySuccess, Misbehaviour};
pub use server::SimServer;
pub use service::Sim;
pub use workflow::{SimDeployment, SimWorkflow};
