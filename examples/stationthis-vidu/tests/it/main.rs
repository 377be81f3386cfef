//! The provider and the station over it, against the scripted server, over real HTTP.

// Helpers of tests may fail like tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::future_not_send)]

mod calls;
mod contract;
mod rig;
mod station;
