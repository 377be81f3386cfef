//! Small programs for embedders of StationThis, each in `src/bin`:
//!
//! | program | what it shows |
//! |---|---|
//! | `embed` | a station over SQLite: run one tool, wait, print what it cost and what it gave |
//! | `watch` | the stream of updates, and how to catch up after a gap |
//! | `axum_app` | a station in an axum application: its own routes, its own sign-in, its own names for users |
//! | `worker` | jobs from a list, no HTTP, no public URL; a restart goes on where it was |
//! | `batch` | a hundred prompts at once, with progress and a report of what they cost |
//! | `chain` | the picture of one tool into the next |
//! | `mail` | a notifier of your own, by e-mail |
//! | `three_services` | the same code over three services, with three cost models and one report |
//!
//! Each brings its own simulated service: `cargo run -p stationthis-examples --bin embed`. `tests/programs.rs` runs them
//! all. A cost model and a store of your own are built in `docs/guides/`, a provider in `provider-in-100-lines`.
//!
//! The code of the README and of the pages in `docs/` is compiled and run as documentation tests of this crate; what the
//! guides in `docs/guides/` build is in `tests/guides/`.

/// `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// `stationthis-core/README.md`.
#[cfg(doctest)]
#[doc = include_str!("../../stationthis-core/README.md")]
pub struct Core;

/// `stationthis-comfydeploy/README.md`.
#[cfg(doctest)]
#[doc = include_str!("../../stationthis-comfydeploy/README.md")]
pub struct ComfyDeployCrate;

/// `stationthis-host/README.md`.
#[cfg(doctest)]
#[doc = include_str!("../../stationthis-host/README.md")]
pub struct Host;

/// `docs/start.md`.
#[cfg(doctest)]
#[doc = include_str!("../../docs/start.md")]
pub struct Start;

/// `docs/embed.md`.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embed.md")]
pub struct Embed;

/// `docs/testing.md`.
#[cfg(doctest)]
#[doc = include_str!("../../docs/testing.md")]
pub struct Testing;

/// `docs/comfydeploy.md`.
#[cfg(doctest)]
#[doc = include_str!("../../docs/comfydeploy.md")]
pub struct ComfyDeploy;

/// `stationthis-tripo/README.md`.
#[cfg(doctest)]
#[doc = include_str!("../stationthis-tripo/README.md")]
pub struct TripoCrate;

/// `docs/tripo.md`.
#[cfg(doctest)]
#[doc = include_str!("../../docs/tripo.md")]
pub struct Tripo;

/// `docs/webhooks.md`.
#[cfg(doctest)]
#[doc = include_str!("../../docs/webhooks.md")]
pub struct Webhooks;
