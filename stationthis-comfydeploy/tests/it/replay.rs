//! A server that plays one recording of a run, for this crate's tests and for tests of a whole station.
//!
//! ```ignore
//! let replay = Replay::start(Recording::load("classic_success")).await;
//! let provider = ComfyDeploy::builder(Secret::new("key")).base_url(replay.base_url()).build()?;
//! // discover: one tool, of the recorded deployment. submit: the recorded answer.
//! for hook in replay.recording().hooks() {
//!     replay.advance_to(hook.rel);              // status answers are those of that moment
//!     deliver(hook.method, hook.headers, hook.body); // as bytes, to wherever the task's callback URL points
//! }
//! replay.advance_to(f64::INFINITY);             // the last status answer
//! assert_eq!(replay.problems(), [] as [String; 0]); // what we sent had the shape that the real service took
//! ```
//!
//! What it answers: `GET /deployments` (the recorded deployment alone), `/machines`, `/platform/gpu-pricing`;
//! `POST /run/deployment/queue` and `/run/{id}/cancel` (the recorded answers); `GET /run/{id}` (the recorded state at
//! [`Replay::advance_to`]'s position); both run lists and the archived log. Two things differ from the recording: the
//! `webhook` in status answers is the one that was sent here, so that lookups can find it; and a failed run's
//! diagnosis is that of the recorded failure `failed_run_four_views` under this run's id.
//!
//! A file that includes this module from another crate finds the recordings beside this one.

#![allow(dead_code, unused_imports, reason = "each test crate uses its own part")]

#[path = "replay/recording.rs"]
mod recording;
#[path = "replay/server.rs"]
mod server;

pub(crate) use recording::{Hook, Recording, read as recorded};
pub(crate) use server::Replay;
