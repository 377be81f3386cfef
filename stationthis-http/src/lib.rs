//! HTTP for StationThis providers: was the request sent, and may it be sent again?
//!
//! A request without an answer may have made a run, and charged for it. [`Call`] says of each such loss whether it
//! provably had no effect; everything else is doubt, and core does not send again what is in doubt. It is true of a
//! client that follows no redirect and repeats nothing: [`client_builder`] makes one.
//!
//! ```
//! use stationthis_core::{Effect, ErrorKind};
//! use stationthis_http::{Call, client_builder};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const SUBMIT: Call = Call { service: "Echo", operation: "submit run", changes: true };
//!
//! // A port where nobody listens any more.
//! let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
//! let http = client_builder().no_proxy().build()?;
//! let sent = http.post(format!("http://127.0.0.1:{port}/runs")).send().await;
//!
//! let error = SUBMIT.unanswered(sent.err().ok_or("an answer came")?);
//! assert_eq!((error.kind(), error.effect()), (ErrorKind::Unavailable, Effect::No));
//! assert_eq!(error.to_string(), "unavailable: submit run: Echo cannot be reached.");
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | file | what |
//! |---|---|
//! | `call.rs` | [`Call`]: what a missing, unreadable or too large answer means |
//! | `client.rs` | [`client_builder`]: neither redirects nor retries |
//! | `body.rs` | [`refusal`]: bodies within bounds |
//! | `again.rs` | [`retry_after`]; [`repeated`], [`is_passing`]: reads that are repeated a little |
//! | `text.rs` | [`scrub`], [`one_line`]: what a service said, fit to be kept |
//!
//! # What it does not do
//!
//! It knows no service: what a status means is for the provider's own `classify`. It never sends a changing request
//! again.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod again;
mod body;
mod call;
mod client;
mod text;

pub use again::{is_passing, repeated, retry_after};
pub use body::refusal;
pub use call::Call;
pub use client::client_builder;
pub use text::{one_line, scrub};
