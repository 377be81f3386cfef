//! The `stationthis` program.

use std::process::ExitCode;

use clap::Parser;
use stationthis_host::cli::{Cli, Command};
use stationthis_host::commands;
use stationthis_host::telemetry::Telemetry;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Commands that end are quiet but for trouble; RUST_LOG overrides.
    let level = if matches!(cli.command, Command::Serve(_)) { "info" } else { "warn" };
    match Telemetry::start(level).map_err(Into::into).and_then(|telemetry| run(&cli, telemetry)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli, telemetry: Telemetry) -> anyhow::Result<()> {
    // Two workers are plenty for a host that waits for others, and keep an idle one small.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(commands::dispatch(cli));
    // Before the telemetry: what still runs has spans.
    drop(runtime);
    telemetry.end();
    done
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
