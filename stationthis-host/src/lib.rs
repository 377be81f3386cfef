//! The reference host of StationThis: adapters that put a station behind HTTP and a command line, and the program
//! `stationthis` made of them.
//!
//! Each face is a module that another application can mount for itself:
//!
//! ```no_run
//! use stationthis_core::station::Station;
//! use stationthis_core::CallerId;
//! use stationthis_host::http::{self, HttpConfig};
//!
//! fn routes(station: Station) -> stationthis_core::Result<axum::Router> {
//!     let config = HttpConfig::new(CallerId::new("website")?);
//!     Ok(axum::Router::new().route("/", axum::routing::get(|| async { "home" })).merge(http::router(station, &config)))
//! }
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
pub mod story;
pub mod telegram;
pub mod telemetry;
pub mod user_events;
pub mod users;
pub mod view;
