//! The reference host of StationThis: adapters that put a station behind HTTP and a command line, and the program
//! `stationthis` made of them.
//!
//! Each face is a module that another application can mount for itself:
//!
//! ```
//! use std::sync::Arc;
//!
//! use stationthis_comfydeploy::ComfyDeploy;
//! use stationthis_core::{CallerId, Secret, Station};
//! use stationthis_host::http::{self, HttpConfig};
//! use tokio::net::TcpListener;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = ComfyDeploy::builder(Secret::new("the-account's-key")).build()?;
//! let station = Station::builder().provider(Arc::new(provider)).build()?;
//! let api = http::router(station, &HttpConfig::new(CallerId::new("website")?));
//! let app = axum::Router::new().route("/", axum::routing::get(|| async { "home" })).merge(api);
//!
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("http://{}", listener.local_addr()?);
//! tokio::spawn(async move { axum::serve(listener, app).await });
//! let client = reqwest::Client::builder().no_proxy().build()?;
//! assert_eq!(client.get(&url).send().await?.text().await?, "home");
//! let health: serde_json::Value = client.get(format!("{url}/healthz")).send().await?.json().await?;
//! assert_eq!(health["status"], "ok");
//! // Without a key of the operator's, others than this machine itself would be refused.
//! let stranger = client.get(format!("{url}/api/internal/tools")).header("x-forwarded-for", "192.0.2.7");
//! assert_eq!(stranger.send().await?.status(), 403);
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`config`] | defaults, file, environment and flags, laid over each other |
//! | [`data_dir`] | the folder of what must survive: lock, database, callback keys |
//! | [`app`] | from a configuration to a station at work |
//! | [`http`] | the HTTP API and the webhooks, as an [`axum::Router`]; [`http::server`] serves one |
//! | [`face`] | what every face shares: inputs as fields, prices and failures in words |
//! | [`outgoing`] | webhooks to callers, and the guard of every address that somebody else names |
//! | [`outputs`], [`custody`] | what tasks gave: fetched through the host, and kept by it |
//! | [`keys`] | API keys, each bound to a caller |
//! | [`generations`] | tasks in the words of a record API |
//! | [`users`], [`user_events`] | who a caller is on other platforms, and what users did |
//! | [`view`] | a tool with its price and its freshness |
//! | [`story`] | all that happened to a task, a sentence for each |
//! | [`costs`] | what ended tasks cost, added up |
//! | [`metrics`] | what is counted and timed, for Prometheus |
//! | [`telegram`] | a Telegram bot whose commands are the tools |
//! | [`telemetry`] | log lines, and traces where they are wanted |
//! | [`housekeeping`] | pruning, backing up, restoring |
//! | [`desk`] | one way to ask a station here or behind HTTP; [`client`] is the latter |
//! | [`cli`], [`commands`] | the command line |
//! | [`output`] | tables, progress, saved files |

pub mod app;
pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
pub mod costs;
pub mod custody;
pub mod data_dir;
pub mod desk;
pub mod face;
pub mod files;
pub mod generations;
#[cfg(feature = "testkit")]
mod halt;
pub mod housekeeping;
pub mod http;
pub mod keys;
pub mod metrics;
pub mod outgoing;
pub mod output;
pub mod outputs;
pub mod providers;
pub mod story;
pub mod telegram;
pub mod telemetry;
pub mod user_events;
pub mod users;
pub mod view;
