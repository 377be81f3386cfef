//! The face of `docs/guides/face.md`.

use std::time::Duration;

use stationthis_core::task::output::OutputKind;
use stationthis_core::{Caller, ErrorKind, IdempotencyKey, Result, RunRequest, TaskId, TaskRecord};
use stationthis_host::face::input::{Field, Fields};
use stationthis_host::face::{failure, summary};
use stationthis_host::view::ToolView;

/// How long a message waits for a run. Nobody looks at a terminal for longer without wondering.
const WAIT: Duration = Duration::from_secs(60);

const HELP: &str = "tools · help TOOL · run TOOL name=value … · task ID · cancel ID";

/// A counter at which one person asks for tools, a line at a time.
#[derive(Debug)]
pub struct Counter {
    caller: Caller,
}

impl Counter {
    /// A counter for a caller, who pays for what is run at it and sees nobody else's tasks.
    #[must_use]
    pub const fn new(caller: Caller) -> Self {
        Self { caller }
    }

    /// The answer to a line. `message` is the line's own name where it comes from, the same when it comes twice.
    pub async fn answer(&self, message: &str, line: &str) -> String {
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let answer = match word {
            "tools" => Ok(self.tools()),
            "help" => self.help(rest),
            "run" => self.run(message, rest).await,
            "task" => self.task(rest).await,
            "cancel" => self.cancel(rest).await,
            _ => Ok(HELP.to_owned()),
        };
        answer.unwrap_or_else(|error| {
            // What nobody here can do anything about is for the log.
            if error.kind() == ErrorKind::Unexpected {
                tracing::warn!(%error, "a line could not be answered");
            }
            failure::lines(&error).join("\n")
        })
    }

    fn tools(&self) -> String {
        let line = |tool: &ToolView| format!("{}: {}", tool.definition.slug, summary::price(tool));
        ToolView::all(&self.caller).iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn help(&self, name: &str) -> Result<String> {
        let tool = self.caller.resolve(name)?;
        let fields = Fields::of(tool.definition());
        let default = |field: &Field| field.default_text().map(|text| format!("; default {text}")).unwrap_or_default();
        let lines = fields.iter().map(|field| format!("{}: {}{}", field.name, field.hint(), default(field)));
        Ok(std::iter::once(tool.definition().display_name.clone()).chain(lines).collect::<Vec<_>>().join("\n"))
    }

    async fn run(&self, message: &str, rest: &str) -> Result<String> {
        let (name, inputs) = rest.split_once(' ').unwrap_or((rest, ""));
        let tool = self.caller.resolve(name)?;
        let fields = Fields::of(tool.definition());
        let pairs = inputs.split(';').filter_map(|pair| pair.trim().split_once('='));
        let request = RunRequest::new(tool.definition().tool_id.to_string(), fields.read(pairs))
            .with_idempotency_key(Some(IdempotencyKey::new(message)?));
        let task = self.caller.run(request).await?;
        Ok(story(&self.caller.wait(task.task_id, WAIT).await?))
    }

    async fn task(&self, id: &str) -> Result<String> {
        Ok(story(&self.caller.task(id.parse::<TaskId>()?).await?))
    }

    async fn cancel(&self, id: &str) -> Result<String> {
        Ok(story(&self.caller.cancel(id.parse::<TaskId>()?).await?))
    }
}

/// Where a task is, what it gave, and what it cost.
fn story(task: &TaskRecord) -> String {
    if let Some(end) = failure::end(task) {
        return format!("{end} Cost: {}.", summary::cost(task));
    }
    if !task.is_terminal() {
        return format!("{} is {} (task {}).", task.tool_name, task.state.status, task.task_id);
    }
    let outputs = task.state.outputs.iter().map(|output| match output.kind {
        OutputKind::Text => output.text.clone().unwrap_or_default(),
        _ => output.url.clone().unwrap_or_default(),
    });
    let outputs = outputs.collect::<Vec<_>>().join("\n");
    format!("{outputs}\n{} is done. Cost: {}.", task.tool_name, summary::cost(task))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stationthis_comfydeploy::ComfyDeploy;
    use stationthis_comfydeploy::sim::{Sim, SimConfig, SimTiming};
    use stationthis_core::{CallerId, Secret, Station};

    use super::*;

    #[tokio::test]
    async fn a_person_asks_and_gets_what_every_face_gives() {
        let sim = Sim::serve(SimConfig { timing: SimTiming::instant(), ..SimConfig::default() }).await.unwrap();
        let provider = ComfyDeploy::builder(Secret::new("any-key")).base_url(sim.base_url()).build().unwrap();
        let station = Station::builder().provider(Arc::new(provider)).build().unwrap();
        station.refresh().await.unwrap();
        let handle = station.start().await.unwrap();
        let counter = |name: &str| Counter::new(station.as_caller(CallerId::new(name).unwrap()));
        let (ada, bob) = (counter("ada"), counter("bob"));

        assert_eq!(ada.answer("1", "hello").await, HELP);
        assert!(ada.answer("2", "tools").await.contains("sdxl-portrait: at most $0.11 ($0.000337 per second on A10G)"));
        assert!(ada.answer("3", "help sdxl-portrait").await.contains("steps: integer from 1 to 60; default 28"));
        assert!(ada.answer("4", "run sdxl-portrai").await.contains("There is no tool"));
        let wrong = ada.answer("5", "run sdxl-portrait stepps=5; guidance=99").await;
        assert!(wrong.contains("guidance must be at most 20") && wrong.contains("Did you mean steps?"), "{wrong}");

        let line = "run sdxl-portrait prompt=a red fox; steps=5";
        let done = ada.answer("6", line).await;
        assert!(done.contains("sdxl-portrait is done. Cost: $0.000"), "{done}");
        assert_eq!(ada.answer("6", line).await, done, "the same message, the same task");
        assert_eq!(sim.sim.books().runs.len(), 1);

        let tasks = station.admin().list(stationthis_core::store::TaskQuery::default()).await.unwrap().tasks;
        let id = tasks[0].task_id;
        assert_eq!(ada.answer("7", &format!("task {id}")).await, done);
        assert!(!bob.answer("8", &format!("task {id}")).await.contains("done"), "it is ada's");

        handle.shutdown(Duration::from_secs(5)).await.unwrap();
        sim.shutdown().await;
    }
}
