//! `stationthis explain`, `resolve` and `reconcile`.

use serde_json::json;
use stationthis_core::task::TaskRecord;
use stationthis_core::task::event::Resolution;

use crate::cli::operate::{ExplainArgs, Outcome, ReconcileArgs, ResolveArgs};
use crate::commands::report;
use crate::config::Config;
use crate::face::summary;
use crate::story::Story;

/// Tells all that happened to a task.
///
/// # Errors
/// As [`Desk::explain`](crate::desk::Desk::explain).
pub async fn explain(config: &Config, args: &ExplainArgs) -> anyhow::Result<()> {
    let desk = super::open(config, &args.station).await?;
    let story = desk.explain(args.task, args.all).await;
    desk.close().await?;
    let story = story?;
    if args.station.json {
        anstream::println!("{:#}", json!(story));
    } else {
        print_story(&story);
    }
    Ok(())
}

/// One line an event: when, how long after the acceptance, where the task was then, what happened.
fn print_story(story: &Story) {
    let task = &story.task;
    report::line("task", &format!("{} {} of {}", task.task_id, task.state.status, task.caller));
    report::line("cost", &summary::cost(task));
    if let Some(run) = &task.state.run_id {
        report::line("run", &format!("{run} at {}", task.provider_id));
    }
    if let Some(event) = &story.initiating_event {
        report::line("begun by", &format!("{} at {} (event {})", event.kind, event.at, event.event_id));
    }
    let replays = if story.replays { "the record follows from the events" } else { "NO: please report this" };
    report::line("replays", replays);
    anstream::println!();
    let mut status = None;
    for event in &story.events {
        // Seconds are enough beside the exact time of each event.
        let after = format!("+{}.{:03}s", event.after_ms / 1000, event.after_ms % 1000);
        let now = if status == Some(event.status) { String::new() } else { format!(" -> {}", event.status) };
        status = Some(event.status);
        anstream::println!("{}  {after:>12}  {}{now}", event.at, event.summary);
    }
}

/// Says what became of a submission.
///
/// # Errors
/// As [`Desk::resolve`](crate::desk::Desk::resolve).
pub async fn resolve(config: &Config, args: &ResolveArgs) -> anyhow::Result<()> {
    let resolution = match (args.outcome, &args.run) {
        (Outcome::Found, Some(run)) => Resolution::Found { run_id: run.clone() },
        (Outcome::NotSent, None) => Resolution::NotSent,
        (Outcome::GiveUp, None) => Resolution::GiveUp,
        (Outcome::Found, None) | (Outcome::NotSent | Outcome::GiveUp, Some(_)) => {
            anyhow::bail!("a run is named with `found`, and only there")
        }
    };
    let desk = super::open(config, &args.station).await?;
    let task = desk.resolve(args.task, &resolution).await;
    desk.close().await?;
    print_reviewed(&task?, args.station.json)
}

/// Asks the service about an ended task again.
///
/// # Errors
/// As [`Desk::reconcile`](crate::desk::Desk::reconcile).
pub async fn reconcile(config: &Config, args: &ReconcileArgs) -> anyhow::Result<()> {
    let desk = super::open(config, &args.station).await?;
    let task = desk.reconcile(args.task).await;
    desk.close().await?;
    print_reviewed(&task?, args.station.json)
}

fn print_reviewed(task: &TaskRecord, as_json: bool) -> anyhow::Result<()> {
    report::print(task, &[], as_json)?;
    if let Some(reconciled) = task.state.reconciled.as_ref().filter(|_| !as_json) {
        let cost = reconciled.settlement.cost_usd.map_or_else(|| "unknown".to_owned(), |cost| format!("${cost}"));
        report::line("reviewed", &format!("{cost} by what is known at {}", reconciled.at));
    }
    Ok(())
}
