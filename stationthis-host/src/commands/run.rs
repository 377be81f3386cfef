//! `stationthis run`.

use std::time::Duration;

use stationthis_core::task::TaskRecord;
use stationthis_core::{ErrorKind, Retry, TaskId};

use crate::cli::RunArgs;
use crate::commands::report;
use crate::config::Config;
use crate::desk::Desk;
use crate::output::progress::TaskProgress;
use crate::output::save::save_outputs;

/// The longest pause between two looks at a task, whatever a host that is asked too often says.
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(60);

/// Runs a tool, shows how far it is, saves what it made and says what it cost. Interrupted, it leaves the task going:
/// with the same idempotency key the next run finds it again.
///
/// # Errors
/// As [`Desk::run`]; a task that did not end well, after it was printed.
pub async fn run(config: &Config, args: &RunArgs) -> anyhow::Result<()> {
    let desk = super::open(config, &args.station).await?;
    let task = desk.run(&args.tool, args.inputs(), args.idempotency_key.as_deref()).await;
    let ended = match task {
        Ok(task) => follow(&desk, task.task_id, args.station.json).await,
        Err(error) => Err(error),
    };
    // The outputs before the end of the desk: with --sim they are served by it.
    let saved = match &ended {
        Ok(task) => save_outputs(desk.downloads(), task, &args.out).await,
        Err(_) => Ok(Vec::new()),
    };
    desk.close().await?;
    let task = ended?;
    report::print(&task, saved.as_deref().unwrap_or_default(), args.station.json)?;
    saved?;
    report::check_end(&task)
}

/// The task at its end; meanwhile its progress is shown.
pub(super) async fn follow(desk: &Desk, id: TaskId, quiet: bool) -> stationthis_core::Result<TaskRecord> {
    let mut progress = TaskProgress::new(quiet);
    loop {
        let task = match desk.glance(id).await {
            Ok(task) => task,
            // The task goes on meanwhile; only the looking has to be less often.
            Err(error) => match (error.kind(), error.retry()) {
                (ErrorKind::RateLimited, Retry::After(wait)) => {
                    tokio::time::sleep(wait.min(LOOK_PAUSE_MAX)).await;
                    continue;
                }
                _ => return Err(error),
            },
        };
        progress.show(&task);
        if task.is_terminal() {
            progress.finish();
            return Ok(task);
        }
    }
}
