//! The simulator over real HTTP.

#![cfg(feature = "sim")]
// Helpers of tests may fail like tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::future_not_send)]

#[path = "sim/discovery.rs"]
mod discovery;
#[path = "sim/errors.rs"]
mod errors;
#[path = "sim/faults.rs"]
mod faults;
#[path = "sim/files.rs"]
mod files;
#[path = "sim/hook_faults.rs"]
mod hook_faults;
#[path = "sim/lists.rs"]
mod lists;
#[path = "sim/queue_faults.rs"]
mod queue_faults;
#[path = "sim/receiver.rs"]
mod receiver;
#[path = "sim/runs.rs"]
mod runs;
#[path = "sim/support.rs"]
mod support;
#[path = "sim/told.rs"]
mod told;
#[path = "sim/webhooks.rs"]
mod webhooks;
