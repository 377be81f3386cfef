//! `stationthis run`.

mod ask;
mod files;
pub(crate) mod flags;

use std::io::{BufReader, stderr, stdin};
use std::path::PathBuf;

use futures_util::FutureExt;
use serde_json::{Map, Value};
use stationthis_core::TaskId;
use stationthis_core::task::TaskRecord;

use crate::cli::StationArgs;
use crate::cli::exit::End;
use crate::cli::run::RunArgs;
use crate::commands::report;
use crate::commands::run::flags::ToolFlags;
use crate::config::Config;
use crate::desk::Desk;
use crate::face::input::Fields;
use crate::face::summary;
use crate::output::preview::Terminal;
use crate::output::progress::TaskProgress;
use crate::output::save::save_outputs;
use crate::view::ToolView;

/// Runs a tool: asks for what is missing, says what it will cost, shows how far it is, saves what it made and says what
/// it cost. Interrupted, it cancels the task or leaves it going, as the person decides.
///
/// # Errors
/// As [`Desk::run`]; an [`End`] for a task that did not end well, after it was printed; the parser's for flags that the
/// tool does not have.
pub async fn run(config: &Config, args: &RunArgs) -> anyhow::Result<()> {
    let desk = super::open(config, &args.station).await?;
    let done = over(&desk, args).await;
    // The outputs before the end of the desk: with --sim they are served by it.
    desk.close().await?;
    let (task, saved) = done?;
    report::print(&task, &saved, args.station.json)?;
    let shows = !args.station.json && !args.no_preview && !saved.is_empty();
    if let Some(terminal) = shows.then(Terminal::detect).flatten() {
        for path in &saved {
            terminal.show(path, std::io::stdout())?;
        }
    }
    report::check_end(&task)
}

async fn over(desk: &Desk, args: &RunArgs) -> anyhow::Result<(TaskRecord, Vec<PathBuf>)> {
    let tool = desk.tool(&args.tool).await?;
    let inputs = inputs(desk, &tool, args).await?;
    // By its id: the name might mean another tool by now.
    let id = tool.definition.tool_id.as_str();
    if !args.station.json {
        let quote = desk.quote(id, &inputs).await?.quote;
        let typical = tool.typical_duration().map(|time| format!(", {}", summary::typical_time(time)));
        let estimate = summary::estimate(&quote);
        report::line("quote", &format!("{estimate}{} ({})", typical.unwrap_or_default(), quote.basis));
    }
    let task = desk.run(id, inputs, args.idempotency_key.as_deref()).await?;
    let task = follow(desk, task.task_id, &args.station).await?;
    let saved = tokio::select! {
        saved = save_outputs(&task, &args.out, async |n| desk.output(task.task_id, n).await) => saved?,
        _ = tokio::signal::ctrl_c() => return Err(left(task.task_id, &args.station).into()),
    };
    Ok((task, saved))
}

/// What the command line gives, and what a person adds.
async fn inputs(desk: &Desk, tool: &ToolView, args: &RunArgs) -> anyhow::Result<Map<String, Value>> {
    let fields = Fields::of(&tool.definition);
    let mut pairs = args.inputs.clone();
    pairs.extend(ToolFlags::of(&fields).read(tool, &args.words)?);
    if !args.station.json && ask::somebody() {
        ask::missing(&fields, &mut pairs, stdin().lock(), stderr())?;
    }
    Ok(files::inputs(desk, &fields, &pairs).await?)
}

/// The task at its end; meanwhile its progress is shown.
///
/// # Errors
/// [`End::Interrupted`] when somebody wants to go and leaves the task.
pub(super) async fn follow(desk: &Desk, id: TaskId, station: &StationArgs) -> anyhow::Result<TaskRecord> {
    let mut progress = TaskProgress::new(station.json);
    // One for all rounds, that listens from here on: an interrupt between two of them is heard as well.
    let mut interrupt = Box::pin(tokio::signal::ctrl_c());
    let _ = (&mut interrupt).now_or_never();
    loop {
        tokio::select! {
            task = desk.glance(id) => {
                let task = task?;
                progress.show(&task);
                if task.is_terminal() {
                    progress.finish();
                    return Ok(task);
                }
            }
            _ = &mut interrupt => {
                interrupt.set(tokio::signal::ctrl_c());
                let _ = (&mut interrupt).now_or_never();
                progress.finish();
                if station.json || !ask::somebody() || !wants_to_cancel().await? {
                    return Err(left(id, station).into());
                }
                desk.cancel(id).await?;
                progress = TaskProgress::new(station.json);
            }
        }
    }
}

/// Asks once; a second interrupt is an answer too.
async fn wants_to_cancel() -> anyhow::Result<bool> {
    let question = "\nCancel the task? No leaves it going.";
    let (answered, answer) = tokio::sync::oneshot::channel();
    // Not one of the runtime's threads: it waits for those at its end, and nobody may ever press return.
    std::thread::spawn(move || answered.send(ask::agrees(question, BufReader::new(stdin()), stderr())));
    tokio::select! {
        answer = answer => Ok(answer??),
        _ = tokio::signal::ctrl_c() => Ok(false),
    }
}

/// How to find again what goes on.
fn left(id: TaskId, station: &StationArgs) -> End {
    let place = match (&station.host, station.sim) {
        (Some(host), _) => format!(" --host {host}"),
        (None, true) => " --sim".to_owned(),
        (None, false) => String::new(),
    };
    let whose = if station.host.is_some() { "The host goes on with it" } else { "The next command goes on with it" };
    End::Interrupted(format!("interrupted. {whose}; see it with: stationthis tasks watch {id}{place}"))
}
