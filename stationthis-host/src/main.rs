//! The `stationthis` program.

use std::process::ExitCode;

use clap::FromArgMatches;
use clap_complete::CompleteEnv;
use stationthis_host::cli::run::own_first;
use stationthis_host::cli::{Cli, Command, exit};
use stationthis_host::commands::{self, completions};
use stationthis_host::face::failure;
use stationthis_host::telemetry::Telemetry;

fn main() -> ExitCode {
    // For a shell that asks what could stand where its cursor is; it answers and ends there.
    CompleteEnv::with_factory(|| completions::command(std::env::args_os())).complete();
    let words = own_first(std::env::args_os().collect());
    let matches = Cli::with_examples().get_matches_from(words);
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    // Commands that end are quiet but for trouble; RUST_LOG overrides.
    let level = if matches!(cli.command, Command::Serve(_)) { "info" } else { "warn" };
    match Telemetry::start(level).map_err(Into::into).and_then(|telemetry| run(&cli, telemetry)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::from(exit::code(&error))
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

/// The sentence for people, or every problem of the inputs.
fn print_error(error: &anyhow::Error) {
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        // To standard output when it is the help that was asked for; a closed one is nobody's loss.
        let _ = error.print();
    } else if let Some(known) = error.downcast_ref::<stationthis_core::Error>() {
        for line in failure::lines(known) {
            anstream::eprintln!("error: {line}");
        }
    } else {
        anstream::eprintln!("error: {error:#}");
    }
}
