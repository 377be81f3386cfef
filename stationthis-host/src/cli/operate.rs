//! The commands of whoever runs a host.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use stationthis_core::{NoticeId, RunId, TaskId};

use crate::cli::{FolderArgs, StationArgs};
use crate::housekeeping::PRUNE_DAYS_MAX;

/// Options of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The task.
    #[arg(value_name = "TASK_ID")]
    pub task: TaskId,
    /// Whoever's it is, as the operator.
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub station: StationArgs,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Outcome {
    /// There is a run.
    Found,
    /// There is none.
    NotSent,
    /// It will not be found out.
    GiveUp,
}

/// Options of `resolve`.
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// The task: one that is in doubt, or that has ended and needs review.
    #[arg(value_name = "TASK_ID")]
    pub task: TaskId,
    /// What became of its submission.
    #[arg(value_name = "OUTCOME")]
    pub outcome: Outcome,
    /// The run that was found, by its name at the service.
    #[arg(value_name = "RUN_ID", required_if_eq("outcome", "found"))]
    pub run: Option<RunId>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub station: StationArgs,
}

/// Options of `reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// The task; it has ended, and its run is known.
    #[arg(value_name = "TASK_ID")]
    pub task: TaskId,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub station: StationArgs,
}

/// Options of `notices`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct NoticesArgs {
    /// What to do; without it they are listed.
    #[command(subcommand)]
    pub command: Option<NoticesCommand>,
    /// Only those that were given up.
    #[arg(long)]
    pub dead: bool,
    /// Only those about this task.
    #[arg(long, value_name = "TASK_ID")]
    pub task: Option<TaskId>,
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

/// What to do with notices.
#[derive(Debug, Subcommand)]
pub enum NoticesCommand {
    /// Try a dead notice again, from the first attempt on.
    Requeue {
        /// The task that it is about.
        #[arg(value_name = "TASK_ID")]
        task: TaskId,
        /// The notice.
        #[arg(value_name = "NOTICE_ID")]
        notice: NoticeId,
        /// Whoever's it is, as the operator.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        #[allow(missing_docs)]
        station: StationArgs,
    },
}

/// What a sum of costs is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CostsBy {
    /// The day of the end (UTC).
    Day,
    /// The month of the end (UTC).
    Month,
    /// Whose tasks.
    Caller,
    /// Of which tool.
    Tool,
}

/// Options of `costs`.
#[derive(Debug, Args)]
pub struct CostsArgs {
    /// Only tasks that ended in this month (UTC), as 2026-11.
    #[arg(long, value_name = "MONTH")]
    pub month: Option<String>,
    /// What each sum is of, separated by commas.
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_values = ["month", "caller", "tool"])]
    pub by: Vec<CostsBy>,
    /// Of every caller, as the operator.
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub station: StationArgs,
}

/// Options of `prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// How long ago a task must have ended, in days: `90d`.
    #[arg(long, value_name = "DAYS", value_parser = parse_days)]
    pub older_than: u32,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub station: StationArgs,
}

/// Options of `backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Where the copy goes, a new file. A running host takes a bare name, for a file in `backups/` in its data folder.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub station: StationArgs,
}

/// Options of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Move a database that is there aside.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub folder: FolderArgs,
}

fn parse_days(text: &str) -> Result<u32, String> {
    let days = text.strip_suffix('d').unwrap_or(text).parse().ok();
    days.filter(|days| (1..=PRUNE_DAYS_MAX).contains(days))
        .ok_or_else(|| format!("an age is 1 to {PRUNE_DAYS_MAX} days, as 90d"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    #[test]
    fn an_age_is_a_number_of_days() {
        assert_eq!(parse_days("90d"), Ok(90));
        assert_eq!(parse_days("1"), Ok(1));
        for bad in ["", "d", "0d", "90h", "-1d", "1.5d", "36501d"] {
            assert!(parse_days(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_run_is_named_with_found_and_only_then_needed() {
        let id = TaskId::generate().to_string();
        let resolve = |rest: &[&str]| {
            let args = ["stationthis", "resolve", id.as_str()].into_iter().chain(rest.iter().copied());
            Cli::try_parse_from(args).map(|cli| match cli.command {
                Command::Resolve(args) => (args.outcome, args.run.map(|run| run.to_string())),
                _ => panic!("not resolve"),
            })
        };
        assert_eq!(resolve(&["found", "run-1"]).unwrap(), (Outcome::Found, Some("run-1".to_owned())));
        assert_eq!(resolve(&["not-sent", "--json"]).unwrap(), (Outcome::NotSent, None));
        assert!(resolve(&["found"]).is_err() && resolve(&["maybe"]).is_err());
    }
}
