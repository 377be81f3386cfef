//! The provider over real HTTP: against recorded traffic, against scripted refusals, and against the simulator.

// Helpers of tests may fail like tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::future_not_send)]

#[cfg(feature = "sim")]
#[path = "it/against_sim.rs"]
mod against_sim;
#[path = "it/calls.rs"]
mod calls;
#[path = "it/canonical.rs"]
mod canonical;
#[cfg(feature = "sim")]
#[path = "it/contract.rs"]
mod contract;
#[path = "it/discovery.rs"]
mod discovery;
#[path = "it/recorded.rs"]
mod recorded;
#[path = "it/replay.rs"]
mod replay;
#[path = "it/statuses.rs"]
mod statuses;
#[path = "it/support.rs"]
mod support;
