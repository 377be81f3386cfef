//! `stationthis demo`: everything once, with nothing but this program.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, Value, json};
use stationthis_core::notify::{NotifyTarget, Receipt};
use stationthis_core::station::{Caller, RunRequest};
use stationthis_core::task::TaskRecord;
use stationthis_core::task::event::Event;
use stationthis_core::task::output::OutputKind;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::{App, SHUTDOWN_GRACE, Service};
use crate::cli::DemoArgs;
use crate::commands::{report, serve, tools};
use crate::config::{Config, Flags};
use crate::face::summary;
use crate::http;
use crate::http::server::ServerLimits;
use crate::output::progress::TaskProgress;
use crate::output::save::save_outputs;
use crate::view::ToolView;

/// What is drawn when nothing is asked for.
const PROMPT: &str = "a red fox in the snow at dawn";

/// The longest the demo waits for its task; the simulator needs about a second.
const TASK_WAIT: Duration = Duration::from_secs(60);

/// How long notices may take after the end.
const NOTICE_WAIT: Duration = Duration::from_secs(5);

/// The pause between two looks at task and notices.
const LOOK: Duration = Duration::from_millis(100);

/// Discovers the simulator's tools, quotes one, runs it, saves the picture and tells what happened.
///
/// # Errors
/// A task that did not complete, a folder that cannot be written.
pub async fn demo(args: &DemoArgs) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("stationthis-demo-{}", Uuid::new_v4()));
    let flags = Flags { data_dir: Some(folder.clone()), ..Flags::default() };
    // Not the environment's: a demo is the same everywhere.
    let config = Config::load(&flags, &|_| None)?;
    let done = with_station(&config, args).await;
    // What a demo kept is of no use to anybody; an old folder of temporary files does no harm either.
    let _ = tokio::fs::remove_dir_all(&folder).await;
    done
}

async fn with_station(config: &Config, args: &DemoArgs) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen for webhooks")?;
    let public_url = serve::own_url(listener.local_addr()?);
    let app = App::start(config, Service::simulator(None), Some(public_url)).await?;
    let stop = CancellationToken::new();
    let router = http::webhook_router(app.station().clone());
    let limits = ServerLimits::default();
    let server = tokio::spawn(http::server::serve(listener, router, limits, stop.clone(), SHUTDOWN_GRACE));
    let done = show(&app, args).await;
    stop.cancel();
    server.await??;
    app.shutdown().await?;
    let (task, saved) = done?;
    if args.json {
        report::print(&task, &saved, true)?;
    }
    report::check_end(&task)
}

async fn show(app: &App, args: &DemoArgs) -> anyhow::Result<(TaskRecord, Vec<PathBuf>)> {
    let say = |text: &str| {
        if !args.json {
            anstream::println!("{text}");
        }
    };
    say("Discovering the tools of a simulated ComfyDeploy account:\n");
    app.station().refresh().await?;
    let caller = app.caller()?;
    let found = ToolView::all(&caller);
    if !args.json {
        tools::print_all(&found);
    }
    // The cheapest that draws, as a careful user would.
    let drawing = found.iter().filter(|tool| draws_from_prompt(tool));
    let tool = drawing.min_by_key(|tool| tool.rate.as_ref().map(|rate| rate.amount));
    let tool = tool.context("the simulator has no text-to-image tool")?;
    let name = tool.definition.tool_id.as_str();
    let prompt = if args.prompt.is_empty() { PROMPT.to_owned() } else { args.prompt.join(" ") };
    let inputs = Map::from_iter([("prompt".to_owned(), json!(prompt))]);
    let quote = caller.quote(name, &inputs)?;
    say(&format!("\nRunning {} with prompt {prompt:?}", tool.definition.slug));
    say(&format!("{:<9}{} ({})", "quote", summary::estimate(&quote.quote), quote.quote.basis));
    let asked = RunRequest::new(name, inputs).with_notify(vec![NotifyTarget::new("events", "")]);
    let task = caller.run(asked).await?;
    let task = follow(&caller, task, args.json).await?;
    let outputs = app.outputs();
    let fetch = async |n| Ok(outputs.fetch(&caller, task.task_id, n, None).await?.content);
    let saved = save_outputs(&task, &args.out, fetch).await?;
    let told = told(&caller, &task).await?;
    if !args.json {
        report::print(&task, &saved, false)?;
        report::line("notified", &told.join(", "));
    }
    Ok((task, saved))
}

/// Takes a prompt, needs no picture, gives one, has a price.
fn draws_from_prompt(tool: &ToolView) -> bool {
    let schema = tool.definition.input_schema.to_value();
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.is_some_and(|inputs| {
        inputs.contains_key("prompt") && inputs.values().all(|input| input.get("contentMediaType").is_none())
    }) && tool.definition.outputs.contains(&OutputKind::Image)
        && tool.rate.is_some()
}

async fn follow(caller: &Caller, mut task: TaskRecord, quiet: bool) -> anyhow::Result<TaskRecord> {
    let mut progress = TaskProgress::new(quiet);
    let ended = tokio::time::timeout(TASK_WAIT, async {
        while !task.is_terminal() {
            task = caller.wait(task.task_id, LOOK).await?;
            progress.show(&task);
        }
        anyhow::Ok(task)
    });
    let task = ended.await.context("the task did not end within a minute")?;
    progress.finish();
    task
}

/// Who was told about the end, from the task's own events.
async fn told(caller: &Caller, task: &TaskRecord) -> anyhow::Result<Vec<String>> {
    let deadline = tokio::time::Instant::now() + NOTICE_WAIT;
    loop {
        let events = caller.events_after(Some(task.task_id), 0).await?;
        let delivered = |wanted: &NotifyTarget| {
            events.iter().any(|stored| match &stored.event.what {
                Event::NoticeTried { target, receipt: Receipt::Delivered, .. } => target == wanted,
                _ => false,
            })
        };
        let told: Vec<String> = task.notify.iter().filter(|t| delivered(t)).map(|t| t.channel.clone()).collect();
        if told.len() >= task.notify.len() || tokio::time::Instant::now() >= deadline {
            return Ok(told);
        }
        tokio::time::sleep(LOOK).await;
    }
}
