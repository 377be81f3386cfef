//! Turn unreliable AI-generation services into durable, priced, validated tools.
//!
//! A service such as ComfyDeploy runs somebody's workflow on somebody's GPU, for seconds or minutes, and tells of the
//! end by a webhook that may come twice, early, late or never. This crate puts a [`Station`] in front of it. A station
//! knows the tools of its providers, checks inputs before anything is sent, quotes, submits, follows each run by
//! webhook and poll, settles the cost exactly, and tells whoever asked. Each request is a [`TaskRecord`] in a store;
//! nothing that matters is only in memory.
//!
//! This crate opens no socket and reads no environment. A provider crate (`stationthis-comfydeploy`) talks to the
//! service, and the application hands webhooks to [`Station::receive_webhook`]. `stationthis-host` does both for you.
#![cfg_attr(
    feature = "testkit",
    doc = r##"
```
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};
use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::testkit::ScriptedProvider;
use stationthis_core::{CallerId, RunId, RunRequest, Station, TaskStatus};

# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
// A provider that says what it is told to: its next poll shows a run of 25 s with a picture.
let provider = ScriptedProvider::new()?;
let mut report = RunReport::new(RunId::new("run-1")?, RunStatus::Succeeded, "success");
report.times.started_at = Some("2026-11-25T10:00:00Z".parse()?);
report.times.ended_at = Some("2026-11-25T10:00:25Z".parse()?);
report.outputs = vec![Output::file(OutputKind::Image, "https://cdn.example/fox.png")];
provider.script().polls = [report].into();

let station = Station::builder().provider(Arc::new(provider)).build()?;
station.refresh().await?;
let handle = station.start().await?;

let caller = station.as_caller(CallerId::new("ada")?);
let inputs = Map::from_iter([("prompt".to_owned(), json!("a red fox"))]);
let task = caller.run(RunRequest::new("echo", inputs)).await?;
let task = caller.wait(task.task_id, Duration::from_secs(10)).await?;

assert_eq!(task.state.status, TaskStatus::Completed);
assert_eq!(task.inputs_sent["steps"], 20, "the schema's default was filled in");
assert_eq!(task.state.cost_usd.ok_or("no cost")?.to_string(), "0.012500000", "25 s at 0.0005 USD");
handle.shutdown(Duration::from_secs(5)).await?;
# Ok(())
# }
```
"##
)]
//!
//! # Map
//!
//! | module | what |
//! |---|---|
//! | [`station`] | the engine: builder, callers, updates, webhooks in, work in the background |
//! | [`provider`], [`cost`], [`store`], [`notify`] | the four traits, and the types in their signatures |
//! | [`task`] | the record; [`task::machine`] decides every change of state, [`task::plan`] what is done next |
//! | [`media`] | files as inputs |
//! | [`custody`] | keeping outputs where their URLs do not end |
//! | [`registry`] | the tools of all providers: snapshots, refreshes, differences, names to tools |
//! | [`tool`] | what a tool is; validation of inputs, names for people |
//! | [`webhook`] | a webhook as data, and the keys of callback URLs |
//! | [`error`] | the one error type: kind, may it be tried again, could it have happened |
//! | [`id`], [`money`], [`time`], [`secret`], [`json_doc`] | vocabulary |
//! | `testkit` | a scripted provider, a clock moved by hand, a store that stops, faults by plan, the contracts as suites, a seeded campaign (feature `testkit`) |
//!
//! # Features
//!
//! None is on by default. `sqlite`: `store::SqliteStore`, durable, in one file. `testkit`: for tests.
//!
//! Until 1.0 a minor version may break and a patch never does; types that may grow are `#[non_exhaustive]`.

pub mod cost;
pub mod custody;
pub mod error;
pub mod id;
pub mod json_doc;
pub mod media;
pub mod money;
pub mod notify;
pub mod provider;
pub mod registry;
pub mod secret;
pub mod station;
pub mod store;
pub mod task;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod time;
pub mod tool;
pub mod webhook;

pub use error::{Effect, Error, ErrorKind, FailureRecord, Result, Retry};
pub use id::{CallerId, IdempotencyKey, NoticeId, ProviderId, RunId, TaskId, ToolId};
pub use json_doc::JsonDoc;
pub use money::{Price, Usd};
pub use secret::Secret;
pub use station::{Caller, RunRequest, Station, StationHandle};
pub use task::TaskRecord;
pub use task::policy::Policy;
pub use task::state::TaskStatus;
pub use time::{Clock, SystemClock, Timestamp, TokioClock};
pub use tool::ToolDefinition;

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of hexadecimal text as [`hex`] writes it: a token has one form.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
