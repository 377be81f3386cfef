//! `stationthis tasks watch`.

use std::collections::BTreeMap;
use std::time::Duration;

use stationthis_core::task::TaskRecord;
use stationthis_core::{TaskId, Timestamp};

use crate::cli::WatchArgs;
use crate::commands::{report, run};
use crate::config::Config;
use crate::desk::{Desk, TaskFilter};
use crate::face::summary;
use crate::output::screen::Screen;
use crate::output::table::table;

/// The pause between two looks: people see no more, and a host is not asked too often.
const LOOK: Duration = Duration::from_secs(1);

/// Shows tasks as they go on: a table that changes on a terminal, a line for each change elsewhere, a JSON record in a
/// line for each change with `--json`. One task is shown until its end.
///
/// # Errors
/// As [`Desk::tasks`]; for one task as [`run`](run::run).
pub async fn watch(config: &Config, args: &WatchArgs) -> anyhow::Result<()> {
    let desk = super::open(config, &args.station).await?;
    if let Some(id) = args.task {
        let ended = run::follow(&desk, id, &args.station).await;
        desk.close().await?;
        let task = ended?;
        report::print(&task, &[], args.station.json)?;
        return report::check_end(&task);
    }
    let watched = tokio::select! {
        watched = look_on(&desk, args) => watched,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    desk.close().await?;
    watched
}

/// Until an error; who wants it to end drops it.
async fn look_on(desk: &Desk, args: &WatchArgs) -> anyhow::Result<()> {
    let filter = TaskFilter { all: args.all, limit: args.limit, ..TaskFilter::default() };
    let mut screen = Screen::of_stdout().filter(|_| !args.station.json);
    let mut known: BTreeMap<TaskId, String> = BTreeMap::new();
    loop {
        let tasks = desk.tasks(&filter).await?;
        if let Some(screen) = &mut screen {
            screen.show(&rows(&tasks, Timestamp::now()))?;
        } else {
            // The oldest first, as they happened.
            for task in tasks.iter().rev() {
                let line = line(task);
                if known.insert(task.task_id, line.clone()).as_ref() != Some(&line) {
                    let text = if args.station.json { serde_json::to_string(task)? } else { line };
                    anstream::println!("{text}");
                }
            }
            // Those that are not among the newest any more change no more lines.
            known.retain(|id, _| tasks.iter().any(|task| task.task_id == *id));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn rows(tasks: &[TaskRecord], now: Timestamp) -> String {
    let rows = tasks.iter().map(|task| {
        let until = task.state.times.ended_at.unwrap_or(now);
        let time = summary::time(until.since(task.state.times.accepted_at));
        let (id, tool) = (task.task_id.to_string(), task.tool_name.clone());
        [id, tool, state(task), time, summary::cost(task)]
    });
    table(["TASK", "TOOL", "STATUS", "TIME", "COST"], rows).trim_fmt()
}

fn line(task: &TaskRecord) -> String {
    format!("{}  {}  {}  {}", task.task_id, task.tool_name, state(task), summary::cost(task))
}

/// Where it is, with how far and what it does while it runs.
fn state(task: &TaskRecord) -> String {
    let status = task.state.status;
    if task.is_terminal() {
        return status.to_string();
    }
    let far = task.state.progress.map(|progress| format!(" {:.0}%", progress.fraction() * 100.0)).unwrap_or_default();
    let live = task.state.live_status.as_ref().map(|live| format!(": {live}")).unwrap_or_default();
    format!("{status}{far}{live}")
}

#[cfg(test)]
mod tests {
    use stationthis_core::task::report::Progress;
    use stationthis_core::task::state::{TaskState, TaskStatus};
    use stationthis_core::task::terms::Terms;
    use stationthis_core::tool::{ExactlyOnce, ToolDefinition};
    use stationthis_core::{CallerId, ProviderId, ToolId};

    use super::*;

    fn task(id: &str, status: TaskStatus) -> TaskRecord {
        let provider = ProviderId::new("p").unwrap();
        let tool = ToolDefinition::new(ToolId::for_key(&provider, "t").unwrap(), provider, "service", "Portrait");
        let terms = Terms::new(Timestamp::from_micros(1), ExactlyOnce::None);
        let state = TaskState::accepted(Timestamp::from_micros(0), &terms);
        let mut task = TaskRecord::new(id.parse().unwrap(), CallerId::new("c").unwrap(), &tool, state);
        task.state.status = status;
        task
    }

    #[test]
    fn a_table_tells_where_each_task_is() {
        let mut running = task("01890a5d-ac96-774b-bcce-b302099a8057", TaskStatus::Running);
        running.state.progress = Progress::from_fraction(0.42);
        running.state.live_status = Some("KSampler".to_owned());
        let mut done = task("01890a5d-ac96-774b-bcce-b302099a8058", TaskStatus::Completed);
        done.state.times.ended_at = Some(Timestamp::from_micros(6_400_000));
        done.state.cost_usd = Some("0.002021000".parse().unwrap());
        insta::assert_snapshot!(rows(&[running.clone(), done], Timestamp::from_micros(90_000_000)));
        assert_eq!(line(&running), format!("{}  Portrait  running 42%: KSampler  not settled yet", running.task_id));
    }
}
