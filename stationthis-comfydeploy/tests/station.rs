//! The whole way: station, store on disk, provider, and the simulated service over real HTTP.

#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "station/cancel.rs"]
mod cancel;
#[path = "station/misbehaviour.rs"]
mod misbehaviour;
#[path = "station/recordings.rs"]
mod recordings;
#[path = "it/replay.rs"]
mod replay;
#[path = "station/rig.rs"]
mod rig;
