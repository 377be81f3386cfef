//! The commands: each prints to standard output, and what is in progress to standard error.

pub mod callers;
pub mod completions;
pub mod costs;
pub mod demo;
pub mod doctor;
pub mod housekeeping;
pub mod key_files;
pub mod notices;
mod report;
pub mod review;
pub mod run;
pub mod serve;
pub mod tasks;
pub mod tools;
pub mod watch;

use crate::app::Service;
use crate::cli::{Cli, Command, StationArgs};
use crate::config::Config;
use crate::desk::Desk;

/// Runs what the command line asks for.
///
/// # Errors
/// With the sentence to show; a task that did not end well is one too.
pub async fn dispatch(cli: &Cli) -> anyhow::Result<()> {
    match &cli.command {
        // Before the configuration: a demo needs none, and no broken file may stop it.
        Command::Demo(args) => demo::demo(args).await,
        Command::Serve(args) => serve::serve(&Config::from_env(&cli.flags())?, args).await,
        Command::Tools(args) => tools::tools(&Config::from_env(&cli.flags())?, args).await,
        Command::Run(args) => run::run(&Config::from_env(&cli.flags())?, args).await,
        Command::Tasks(args) => tasks::tasks(&Config::from_env(&cli.flags())?, args).await,
        Command::CallbackKeys(args) => key_files::callback_keys(&Config::from_env(&cli.flags())?, args),
        Command::Webhooks(args) => key_files::webhooks(&Config::from_env(&cli.flags())?, args),
        Command::Keys(args) => callers::keys(&Config::from_env(&cli.flags())?, args).await,
        Command::Notify(args) => callers::notify(&Config::from_env(&cli.flags())?, args).await,
        Command::Explain(args) => review::explain(&Config::from_env(&cli.flags())?, args).await,
        Command::Resolve(args) => review::resolve(&Config::from_env(&cli.flags())?, args).await,
        Command::Reconcile(args) => review::reconcile(&Config::from_env(&cli.flags())?, args).await,
        Command::Notices(args) => notices::notices(&Config::from_env(&cli.flags())?, args).await,
        Command::Costs(args) => costs::costs(&Config::from_env(&cli.flags())?, args).await,
        Command::Prune(args) => housekeeping::prune(&Config::from_env(&cli.flags())?, args).await,
        Command::Backup(args) => housekeeping::backup(&Config::from_env(&cli.flags())?, args).await,
        Command::Restore(args) => housekeeping::restore(&Config::from_env(&cli.flags())?, args).await,
        Command::Doctor(args) => doctor::doctor(&cli.flags(), args).await,
        Command::Completions(args) => completions::completions(args),
    }
}

async fn open(config: &Config, args: &StationArgs) -> anyhow::Result<Desk> {
    let service = if args.sim { Service::simulator(None) } else { Service::Configured };
    Ok(Desk::open(config, args.host.as_deref(), service).await?)
}
