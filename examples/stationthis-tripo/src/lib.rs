//! Tripo for StationThis: 3D models from words and pictures, as durable, priced, validated tools.
//!
//! [`Tripo`] speaks version 3 of the Tripo API. The service has no list of what it can do, so the tools come from a
//! dated [`Catalogue`] that is compiled in, or from a file of the same form. Runs are followed by polls, and by
//! signed webhooks where their secret is known; costs are settled by the credits that the service says it took.
#![cfg_attr(
    feature = "sim",
    doc = r##"
```
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};
use stationthis_core::{CallerId, RunRequest, Secret, Station, TaskStatus};
use stationthis_tripo::Tripo;
use stationthis_tripo::sim::{Sim, SimConfig};

# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
let server = Sim::serve(SimConfig::instant()).await?;
let provider = Tripo::builder(Secret::new("tsk_any")).base_url(server.base_url()).build()?;

let station = Station::builder().provider(Arc::new(provider)).build()?;
station.refresh().await?;
let handle = station.start().await?;

let caller = station.as_caller(CallerId::new("ada")?);
let inputs = Map::from_iter([("prompt".to_owned(), json!("a brass diving helmet"))]);
let task = caller.run(RunRequest::new("text-to-3d-tripo-v3-1", inputs)).await?;
let task = caller.wait(task.task_id, Duration::from_secs(10)).await?;

assert_eq!(task.state.status, TaskStatus::Completed);
assert_eq!(task.state.outputs[0].mime.as_deref(), Some("model/gltf-binary"));
assert_eq!(task.state.cost_usd.ok_or("no cost")?.to_string(), "0.200000000", "20 credits at 0.01 USD");
handle.shutdown(Duration::from_secs(5)).await?;
server.shutdown().await;
# Ok(())
# }
```
"##
)]
//!
//! # Map
//!
//! | file | what |
//! |---|---|
//! | `provider.rs` | [`Tripo`]: the contract's methods |
//! | `config.rs`, `client.rs` | settings and builder; HTTP with limits of time and size |
//! | `error.rs` | what each refusal means: kind, retry, and whether a run may exist all the same |
//! | `catalogue.rs`, `catalogue.toml` | tools as data |
//! | `details.rs`, `submit.rs`, `upload.rs` | what a tool's `endpointDetails` hold; the calls |
//! | `wire.rs` | what the service sends |
//! | `convert.rs`, `outputs.rs`, `webhook.rs` | from its words to ours |
//! | `pricing.rs` | the price of a credit |
//! | `sim.rs` | a scripted server, feature `sim` |
//!
//! # What is not certain
//!
//! Nothing here was run against the live service. Where Tripo's own pages contradict each other, both forms are read:
//!
//! - an error comes as an HTTP status, or as a `code` other than 0 with a status of 200; code 1000 is a bad key with
//!   401 and a fault of the service with 500, so the status decides;
//! - a failed task's reason is `error_code` with `error_message` or `error_msg`, or an `error` object;
//! - `credits_consumed` is a number or text, whole or not;
//! - an output's URL lives for 60 s, five minutes or 24 hours: it is taken to live for 60 s, and is fresh after each
//!   poll;
//! - `banned` and `expired` are words of version 2 that version 3 may still use: both are ends. `unknown` is taken for
//!   no end, and is polled until the task's deadline;
//! - a 503 is taken as proof that no run was made, as Tripo's own SDK takes it; after every other fault a run may exist.
//!
//! # What it does not do
//!
//! It never resends a submission, follows no redirect, and remembers nothing between calls. The service cannot cancel,
//! and cannot find a run by anything of ours: a submission whose answer is lost ends in review. The retired routes
//! `models/stylize` and `models/refine` are not offered; a catalogue file can name them.
//!
//! One account is one tenant for Tripo: whoever has the run id of another caller's run can name it as a `source_run`.
//! Run ids are shown to the task's own caller alone.

mod catalogue;
mod client;
mod config;
mod convert;
mod details;
mod error;
mod outputs;
mod pricing;
mod provider;
#[cfg(feature = "sim")]
pub mod sim;
mod submit;
mod upload;
mod webhook;
mod wire;

pub use catalogue::Catalogue;
pub use config::{BASE_URL_CHINA, DEFAULT_BASE_URL, TripoBuilder, TripoConfig};
#[doc(hidden)]
pub use convert::read_task;
pub use details::{EndpointDetails, Place};
pub use provider::{SERVICE_NAME, Tripo};
pub use upload::UPLOAD_BYTES_MAX;
