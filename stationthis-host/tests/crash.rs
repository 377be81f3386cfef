//! The served program, killed at each step of its work and started again.
//!
//! The service behind it is the simulator, in this process, so that it outlives every host; its own books say what
//! really happened.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

#[path = "crash/case.rs"]
mod case;
#[path = "crash/check.rs"]
mod check;
#[path = "crash/host.rs"]
mod host;
#[path = "crash/kill.rs"]
mod kill;
#[path = "crash/scene.rs"]
mod scene;
#[path = "crash/stop.rs"]
mod stop;
