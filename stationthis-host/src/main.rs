//! The `stationthis` program.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use stationthis_host::cli::{Cli, Command};
use stationthis_host::commands;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Commands that end are quiet but for trouble; RUST_LOG overrides.
    let level = if matches!(cli.command, Command::Serve(_)) { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    // Two workers are plenty for a host that waits for others, and keep an idle one small.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(commands::dispatch(&cli)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}

/// The sentence for people, and every problem of the inputs.
fn print_error(error: &anyhow::Error) {
    let Some(known) = error.downcast_ref::<stationthis_core::Error>() else {
        anstream::eprintln!("error: {error:#}");
        return;
    };
    anstream::eprintln!("error: {}", known.message().map_or_else(|| known.to_string(), str::to_owned));
    for problem in known.problems() {
        let hint = problem.suggestion.as_ref().map(|word| format!(" Did you mean {word}?")).unwrap_or_default();
        anstream::eprintln!("  {}: {}{hint}", problem.pointer, problem.message);
    }
}
