//! The command line.

pub mod callers;
mod examples;
pub mod exit;
mod key_files;
pub mod operate;
pub mod run;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use stationthis_core::TaskId;

use crate::cli::callers::{KeysArgs, NotifyArgs};
use crate::cli::operate::{
    BackupArgs, CostsArgs, ExplainArgs, NoticesArgs, PruneArgs, ReconcileArgs, ResolveArgs, RestoreArgs,
};
use crate::cli::run::RunArgs;
use crate::config::Flags;

pub use key_files::{CallbackKeysArgs, FolderArgs, KeyAction, WebhooksAction, WebhooksArgs};

/// AI generation tools that are durable, priced and validated: discover them, run them, serve them.
#[derive(Debug, Parser)]
#[command(name = "stationthis", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// A configuration file (TOML); docs/operate/settings.md has its keys.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where tasks and the catalogue are kept.
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one tool of a built-in simulator, from discovery to a picture: no key, no network.
    Demo(DemoArgs),
    /// Serve the HTTP API and receive webhooks.
    Serve(ServeArgs),
    /// List the tools.
    Tools(ToolsArgs),
    /// Run a tool, wait for its end and save what it made.
    Run(RunArgs),
    /// List tasks, or show one.
    Tasks(TasksArgs),
    /// List, rotate or revoke the keys that sign callback URLs.
    CallbackKeys(CallbackKeysArgs),
    /// Print a caller's webhook secret; list, rotate or revoke the keys that secrets are derived from.
    Webhooks(WebhooksArgs),
    /// Make, list and revoke the API keys of callers.
    Keys(KeysArgs),
    /// Say whom a caller's tasks tell about their end.
    Notify(NotifyArgs),
    /// Tell all that happened to a task, and why it is what it is.
    Explain(ExplainArgs),
    /// Say what became of a submission whose answer was lost; the operator's.
    Resolve(ResolveArgs),
    /// Ask the service about an ended task, and write down its cost by what it says now; the operator's.
    Reconcile(ReconcileArgs),
    /// List notices, or try a dead one again.
    Notices(NoticesArgs),
    /// Add up what ended tasks cost.
    Costs(CostsArgs),
    /// Forget old tasks and keep their costs; the operator's.
    Prune(PruneArgs),
    /// Copy the database, also of a running host; the operator's.
    Backup(BackupArgs),
    /// Put a backup in the place of the database.
    Restore(RestoreArgs),
    /// Find out what keeps a host from working: configuration, store, service, prices, public URL.
    Doctor(DoctorArgs),
    /// Print a script that completes commands, flags and the names of tools.
    Completions(CompletionsArgs),
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// What the picture shows.
    #[arg(value_name = "PROMPT")]
    pub prompt: Vec<String>,
    /// Where the picture goes.
    #[arg(long, value_name = "DIR", default_value = "stationthis-out")]
    pub out: PathBuf,
    /// Print the task as JSON and nothing else.
    #[arg(long)]
    pub json: bool,
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Serve a built-in simulator of ComfyDeploy instead of the service.
    #[arg(long)]
    pub sim: bool,
    /// The simulator's port on 127.0.0.1; a free one when not given.
    #[arg(long, requires = "sim", value_name = "PORT")]
    pub sim_port: Option<u16>,
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where services reach this host for their webhooks.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
}

/// Which station a command asks.
#[derive(Clone, Debug, Args)]
pub struct StationArgs {
    /// Ask a running host (its key from STATIONTHIS_API_KEY) instead of opening the data folder.
    #[arg(long, value_name = "URL")]
    pub host: Option<String>,
    /// Use a built-in simulator of ComfyDeploy instead of the service.
    #[arg(long, conflicts_with = "host")]
    pub sim: bool,
    /// Print JSON and nothing else.
    #[arg(long)]
    pub json: bool,
}

/// Options of `tools`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ToolsArgs {
    /// What else to do.
    #[command(subcommand)]
    pub command: Option<ToolsCommand>,
    /// One tool only, with its inputs.
    #[arg(value_name = "TOOL")]
    pub tool: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub station: StationArgs,
}

/// What else there is to know of tools.
#[derive(Debug, Subcommand)]
pub enum ToolsCommand {
    /// Tell what the last refresh changed that changed anything.
    Diff {
        #[command(flatten)]
        #[allow(missing_docs)]
        station: StationArgs,
    },
}

/// Options of `tasks`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct TasksArgs {
    /// What else to do.
    #[command(subcommand)]
    pub command: Option<TasksCommand>,
    /// One task only.
    #[arg(value_name = "TASK_ID")]
    pub task: Option<String>,
    /// Only tasks in these states, separated by commas.
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
    /// Only tasks of this tool.
    #[arg(long, value_name = "TOOL")]
    pub tool: Option<String>,
    /// Only tasks that need review.
    #[arg(long)]
    pub needs_review: bool,
    /// Of every caller, as the operator.
    #[arg(long)]
    pub all: bool,
    /// At most so many, newest first.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub limit: u16,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub station: StationArgs,
}

/// What else to do with tasks.
#[derive(Debug, Subcommand)]
pub enum TasksCommand {
    /// Show the newest tasks as they go on, until Ctrl-C; or one task, until its end.
    Watch(WatchArgs),
}

/// Options of `tasks watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// One task only; the exit code is that of its end, as of `run`.
    #[arg(value_name = "TASK_ID")]
    pub task: Option<TaskId>,
    /// Of every caller, as the operator.
    #[arg(long, conflicts_with = "task")]
    pub all: bool,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub limit: u16,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub station: StationArgs,
}

/// Options of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Look at the built-in simulator's folder, and at the simulator instead of the service.
    #[arg(long)]
    pub sim: bool,
    /// Print JSON and nothing else.
    #[arg(long)]
    pub json: bool,
}

/// Options of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_name = "SHELL", value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    pub shell: String,
}

impl Cli {
    /// What the command line sets of the configuration.
    #[must_use]
    pub fn flags(&self) -> Flags {
        let mut flags = Flags { config: self.config.clone(), data_dir: self.data_dir.clone(), ..Flags::default() };
        if let Command::Serve(serve) = &self.command {
            flags.listen.clone_from(&serve.listen);
            flags.public_url.clone_from(&serve.public_url);
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
