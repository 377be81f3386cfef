//! A scripted server of the Tripo API, version 3 (feature `sim`): for demos, for the tests of this crate, and for yours.
//!
//! It answers over real HTTP on a loopback port as Tripo's pages say that the service does; nothing in it knows the client
//! it is talking to. A task waits, runs and ends by the clock; its URLs die and are fresh when it is asked about again;
//! webhooks go to the one address that the console would have, signed. [`Books`] hold the truth about every task, upload
//! and credit, and [`Faults`] let the service misbehave.
//!
//! ```
//! use serde_json::{Value, json};
//! use stationthis_tripo::sim::{Sim, SimConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Sim::serve(SimConfig::instant()).await?;
//! let http = reqwest::Client::builder().no_proxy().build()?;
//!
//! let body = json!({ "prompt": "a brass diving helmet", "model": "v3.1-20260211" });
//! let create = format!("{}/generation/text-to-model", server.base_url());
//! let answer: Value = http.post(create).bearer_auth("any key").json(&body).send().await?.json().await?;
//! let task = format!("{}/tasks/{}", server.base_url(), answer["data"]["task_id"].as_str().ok_or("no task")?);
//! let answer: Value = http.get(task).bearer_auth("any key").send().await?.json().await?;
//!
//! assert_eq!(answer["data"]["status"], "success");
//! assert_eq!(server.sim.books().tasks[0].credits.to_string(), "20");
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Where it differs from the service
//!
//! - One account. Any key is good, unless one is set.
//! - Models are a valid GLB without content, pictures one pixel, whatever was asked for.
//! - URLs in inputs are never fetched; files are kept by size alone.
//! - Only the routes of this crate's catalogue can be run, and prices are those of the price list.
//! - Everything is in memory, and bounded: the newest 10,000 tasks are known.

mod account;
mod answer;
mod books;
mod config;
mod create;
mod files;
mod hooks;
mod prices;
mod routes;
mod server;
mod task;

pub use books::{Books, TaskBook};
pub use config::{Capacity, Faults, Refusal, SimConfig, SimWebhook};
pub use hooks::SimEvent;
pub use server::{Sim, SimServer};
