//! The provider over real HTTP, against the scripted server; and the whole way through a station.

#![cfg(feature = "sim")]
// Helpers of tests may fail like tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::future_not_send)]

mod calls;
mod contract;
mod custody;
mod rig;
mod station;
mod webhooks;
