//! `stationthis tasks`.

use serde_json::json;

use crate::cli::{TasksArgs, TasksCommand};
use crate::commands::{report, watch};
use crate::config::Config;
use crate::desk::TaskFilter;
use crate::face::summary;
use crate::output::table::table;

/// Prints tasks, newest first, or one.
///
/// # Errors
/// As [`Desk::tasks`](crate::desk::Desk::tasks).
pub async fn tasks(config: &Config, args: &TasksArgs) -> anyhow::Result<()> {
    if let Some(TasksCommand::Watch(args)) = &args.command {
        return watch::watch(config, args).await;
    }
    let desk = super::open(config, &args.station).await?;
    if let Some(id) = &args.task {
        let task = match id.parse() {
            Ok(id) => desk.task(id, args.all).await,
            Err(error) => Err(error),
        };
        desk.close().await?;
        return report::print(&task?, &[], args.station.json);
    }
    let filter = TaskFilter {
        status: args.status.clone(),
        tool: args.tool.clone(),
        needs_review: args.needs_review,
        all: args.all,
        limit: args.limit,
    };
    let found = desk.tasks(&filter).await;
    desk.close().await?;
    let found = found?;
    if args.station.json {
        anstream::println!("{:#}", json!({ "tasks": found }));
        return Ok(());
    }
    let rows = found.iter().map(|task| {
        let began = task.state.times.accepted_at.to_string();
        let began = began.get(..19).unwrap_or(&began).replace('T', " ");
        [task.task_id.to_string(), began, task.tool_name.clone(), task.state.status.to_string(), summary::cost(task)]
    });
    anstream::println!("{}", table(["TASK", "ACCEPTED (UTC)", "TOOL", "STATUS", "COST"], rows).trim_fmt());
    Ok(())
}
