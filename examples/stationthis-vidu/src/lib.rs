//! Vidu for StationThis: films, pictures and sound as durable, priced, validated tools.
//!
//! [`Vidu`] has one tool for each model on each route of the Vidu API (v2), from a dated catalogue that is compiled in
//! and can be replaced by a file. It makes tasks, asks about them, cancels them, reads the service's signed callbacks,
//! uploads pictures, and prices by the service's credits.
//!
//! ```
//! use stationthis_core::Secret;
//! use stationthis_core::tool::validate::InputValidator;
//! use stationthis_vidu::{ToolSheet, Vidu};
//!
//! // What is not sold is refused before anything is sent.
//! let provider = stationthis_core::ProviderId::new("vidu")?;
//! let tools = ToolSheet::builtin()?.definitions(&provider)?;
//! let tool = tools.iter().find(|t| t.tool_id.as_str() == "vidu:img2video/vidu2.0").ok_or("no such tool")?;
//! let inputs = serde_json::json!({ "image": "https://cdn.example/fox.png", "duration": 8, "resolution": "1080p" });
//! let problems = InputValidator::compile(&tool.input_schema)?.check(inputs.as_object().ok_or("no object")?);
//! assert_eq!(problems.unwrap_err()[0].message, "resolution must be \"720p\"; it is \"1080p\".");
//!
//! // Nothing is sent yet.
//! let vidu = Vidu::builder(Secret::new("vda_your_key")).build()?;
//! # drop(vidu);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Map
//!
//! | file | what |
//! |---|---|
//! | `provider.rs` | [`Vidu`]: the contract's methods; `submit.rs`, `cancel.rs`, `upload.rs`: the calls |
//! | `config.rs`, `client.rs` | settings and builder; HTTP with limits of time and size |
//! | `error.rs` | what each refusal means: kind, retry, and whether a task may exist all the same |
//! | `route.rs`, `details.rs` | the routes; what a tool's `endpointDetails` hold |
//! | `catalogue.rs`, `catalogue.toml` | models × routes, with bounds and prices; [`ToolSheet`] makes tools of them |
//! | `wire.rs`, `convert.rs` | what the service sends; from its words to ours |
//! | `webhook.rs` | callbacks: signature, date, and how little is taken from them |
//! | `pricing.rs` | what a credit costs |
//! | `sim.rs` | a scripted server, feature `sim` |
//!
//! # What it does not do
//!
//! It never resends a submission, follows no redirect, and remembers nothing between calls. Routes whose names or
//! fields are not certain (templates, multi-frame, extending, lip-sync, cloning, subjects of references, Q4) are absent,
//! not guessed: `docs/vidu.md` lists what was checked against what.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod cancel;
mod catalogue;
mod client;
mod config;
mod convert;
mod details;
mod error;
mod pricing;
mod provider;
mod route;
#[cfg(feature = "sim")]
pub mod sim;
mod submit;
mod upload;
mod webhook;
mod wire;

pub use catalogue::{CATALOGUE_BYTES_MAX, ToolSheet};
pub use config::{CHINA_BASE_URL, DEFAULT_BASE_URL, ViduBuilder, ViduConfig};
#[doc(hidden)]
pub use convert::read_state;
pub use details::EndpointDetails;
pub use provider::{SERVICE_NAME, Vidu};
pub use route::Route;
pub use upload::UPLOAD_BYTES_MAX;
