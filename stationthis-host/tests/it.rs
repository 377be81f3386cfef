//! The host over real HTTP, on loopback, with the simulator behind it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

#[path = "it/bad_input.rs"]
mod bad_input;
#[path = "it/bench.rs"]
mod bench;
#[path = "it/cli.rs"]
mod cli;
#[path = "it/commands.rs"]
mod commands;
#[path = "it/conventions.rs"]
mod conventions;
#[path = "it/custody.rs"]
mod custody;
#[path = "it/events.rs"]
mod events;
#[path = "it/files.rs"]
mod files;
#[path = "it/follows.rs"]
mod follows;
#[path = "it/generations.rs"]
mod generations;
#[path = "it/hooks.rs"]
mod hooks;
#[path = "it/isolation.rs"]
mod isolation;
#[path = "it/keys.rs"]
mod keys;
#[path = "it/metrics.rs"]
mod metrics;
#[path = "it/nested.rs"]
mod nested;
#[path = "it/operate.rs"]
mod operate;
#[path = "it/outage.rs"]
mod outage;
#[path = "it/outgoing.rs"]
mod outgoing;
#[path = "it/outputs.rs"]
mod outputs;
#[path = "it/own_callers.rs"]
mod own_callers;
#[path = "it/parity.rs"]
mod parity;
#[path = "it/receiver.rs"]
mod receiver;
#[path = "it/restore.rs"]
mod restore;
#[path = "it/runs.rs"]
mod runs;
#[path = "it/secrets.rs"]
mod secrets;
#[path = "it/server.rs"]
mod server;
#[path = "it/slow_clients.rs"]
mod slow_clients;
#[path = "it/telegram.rs"]
mod telegram;
#[cfg(target_os = "linux")]
#[path = "it/terminal.rs"]
mod terminal;
#[cfg(feature = "tripo")]
#[path = "it/tripo.rs"]
mod tripo;
#[path = "it/users.rs"]
mod users;
#[cfg(feature = "vidu")]
#[path = "it/vidu.rs"]
mod vidu;
