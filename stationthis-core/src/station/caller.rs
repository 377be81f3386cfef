//! The station as one caller sees it.

mod amend;
mod notes;
mod notify;

pub use amend::TaskAmendment;

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tracing::{Instrument, field};

use crate::cost::{PinnedRate, Quote, RateCard};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CallerId, IdempotencyKey, RunId, TaskId, ToolId};
use crate::notify::NotifyTarget;
use crate::registry::{Resolution, Snapshot, Tool};
use crate::station::engine::{Engine, missing};
use crate::station::events::EventStream;
use crate::station::files;
use crate::station::metrics;
use crate::store::{EventQuery, Inserted, LeaseChange, StoredEvent, TaskPage, TaskQuery};
use crate::task::TaskRecord;
use crate::task::event::{Event, TaskEvent};
use crate::task::policy::UnpricedPolicy;
use crate::task::state::TaskState;
use crate::task::terms::{Rules, Terms};
use crate::time::Timestamp;
use crate::tool::problem::InputProblem;
use crate::tool::{CostingModel, Execution, ToolDefinition};

/// How often a waiting caller looks into the store: another process may have brought the task to its end.
const WAIT_LOOK: Duration = Duration::from_secs(2);

/// The station as one caller sees it, or as an administrator, who sees every caller's tasks.
///
/// Dropping any future of it never loses or doubles work: what was accepted goes on, and what was not is not there.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(crate) engine: Arc<Engine>,
    /// `None`: an administrator.
    pub(crate) id: Option<CallerId>,
}

/// The id that tasks run by an administrator belong to.
const ADMIN: &str = "admin";

/// A wish to run a tool.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RunRequest {
    /// The tool's id, slug or alias.
    pub tool: String,
    /// The inputs.
    pub inputs: Map<String, Value>,
    /// The caller's name for this request: a second one with the same name finds the first task.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The event in the caller's own system that led to it.
    pub initiating_event_id: Option<String>,
    /// Free facts.
    pub metadata: Map<String, Value>,
    /// Who is told about the end, besides the policy's and the caller's own.
    pub notify: Vec<NotifyTarget>,
}

impl RunRequest {
    /// A wish to run `tool` with these inputs.
    pub fn new(tool: impl Into<String>, inputs: Map<String, Value>) -> Self {
        Self { tool: tool.into(), inputs, ..Self::default() }
    }

    /// Under the caller's own name for it.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: Option<IdempotencyKey>) -> Self {
        self.idempotency_key = key;
        self
    }

    /// With the event that led to it.
    #[must_use]
    pub fn with_initiating_event_id(mut self, id: Option<String>) -> Self {
        self.initiating_event_id = id;
        self
    }

    /// With free facts.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Map<String, Value>) -> Self {
        self.metadata = metadata;
        self
    }

    /// With whom to tell.
    #[must_use]
    pub fn with_notify(mut self, notify: Vec<NotifyTarget>) -> Self {
        self.notify = notify;
        self
    }
}

/// What a run would cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct QuoteAnswer {
    /// The tool.
    pub tool_id: ToolId,
    /// The rate in force; absent for an unpriced tool that policy lets run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_rate: Option<PinnedRate>,
    /// What it is expected to cost, and the most it can.
    pub quote: Quote,
    /// The inputs as they would be sent.
    pub inputs_sent: Map<String, Value>,
}

struct Priced {
    rate: Option<PinnedRate>,
    quote: Quote,
    card: Arc<RateCard>,
}

impl Caller {
    /// Who it is; `None` for an administrator.
    #[must_use]
    pub const fn id(&self) -> Option<&CallerId> {
        self.id.as_ref()
    }

    /// Every tool, as of now; later changes do not show in it.
    #[must_use]
    pub fn tools(&self) -> Arc<Snapshot> {
        self.engine.registry.snapshot()
    }

    /// The tool of a name.
    ///
    /// # Errors
    /// `NotFound` with suggestions, `Gone` for a tool that was removed, or `Conflict` when several tools answer to it.
    pub fn resolve(&self, name: &str) -> Result<Arc<Tool>> {
        let snapshot = self.engine.registry.snapshot();
        let shown: String = name.chars().take(80).collect();
        match snapshot.resolve(name) {
            Resolution::Exact(tool) => Ok(tool.clone()),
            Resolution::Ambiguous(tools) => {
                let ids = tools.iter().map(|t| t.definition().tool_id.to_string()).collect::<Vec<_>>().join(", ");
                Err(Error::new(ErrorKind::Conflict, "find tool")
                    .with_message(format!("{shown:?} may be any of {ids}: name one of them.")))
            }
            Resolution::Removed { names, suggestions } => {
                let provider = names.tool_id.as_str().split(':').next().unwrap_or_default();
                let day = names.removed_at.map(|at| at.to_string());
                let since = day.as_deref().and_then(|at| at.get(..10)).map(|day| format!(" since {day}"));
                let message =
                    format!("{shown:?} was a tool that {provider} does not have{}.", since.unwrap_or_default());
                Err(absent(ErrorKind::Gone, message, &suggestions))
            }
            Resolution::Unknown { suggestions } => {
                Err(absent(ErrorKind::NotFound, format!("There is no tool {shown:?}."), &suggestions))
            }
        }
    }

    /// The rate at which a tool would run now.
    ///
    /// # Errors
    /// `Unpriced`, with a sentence that names what is missing; `NotFound` when its provider is not configured.
    pub fn rate(&self, tool: &Tool) -> Result<PinnedRate> {
        let definition = tool.definition();
        let card = self.engine.rates.current(&definition.provider_id);
        self.engine.backend(&definition.provider_id)?.cost.rate(definition, &card)
    }

    /// What a run of a tool is expected to cost before anything is known of its inputs: with its defaults.
    ///
    /// # Errors
    /// As [`rate`](Self::rate); for a tool without a price that policy lets run there is an empty quote.
    pub fn estimate(&self, tool: &Tool) -> Result<Quote> {
        let definition = tool.definition();
        let inputs = match definition.costing_model {
            CostingModel::Table { .. } => defaults_of(definition),
            _ if !definition.limits.run_timeout_when.is_empty() => defaults_of(definition),
            // The price of all others does not depend on inputs, and reading the schema takes its time.
            _ => Map::new(),
        };
        Ok(self.price(tool, &inputs)?.quote)
    }

    /// How long a run of a tool usually takes from its submission to its end, as the last runs of its present revision
    /// did: three in four took no longer. `None` while none has ended well.
    #[must_use]
    pub fn typical_duration(&self, tool: &Tool) -> Option<Duration> {
        let definition = tool.definition();
        self.engine.learned.duration_ms(&definition.tool_id, &definition.revision).map(Duration::from_millis)
    }

    /// What a run with these inputs would cost; the inputs are validated as for a run.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn quote(&self, tool: &str, inputs: &Map<String, Value>) -> Result<QuoteAnswer> {
        let tool = self.resolve(tool)?;
        let inputs_sent = validated(&tool, inputs)?;
        let priced = self.price(&tool, &inputs_sent)?;
        let tool_id = tool.definition().tool_id.clone();
        Ok(QuoteAnswer { tool_id, cost_rate: priced.rate, quote: priced.quote, inputs_sent })
    }

    /// Accepts a request: validated, quoted and recorded when this returns; everything else happens by itself. The same
    /// request under the same idempotency key gives the first one's task, whatever but the tool is gone or has changed since.
    ///
    /// # Errors
    /// `NotFound` (with suggestions) or `Gone` for the tool, `InvalidInput` with every problem or for a notification target that
    /// could never be told, `Unpriced`, `Conflict` when the idempotency key was used for another request, `Closed` while
    /// shutting down, `StoreUnavailable`.
    pub async fn run(&self, request: RunRequest) -> Result<TaskRecord> {
        if self.engine.closed.is_cancelled() {
            return Err(Error::new(ErrorKind::Closed, "run tool").with_message("The station is shutting down."));
        }
        let tool = self.resolve(&request.tool)?;
        let (definition, owner) = (tool.definition(), self.owner()?);
        let request_hash = hash_of(definition.tool_id.as_str(), &request);
        if let Some(key) = &request.idempotency_key {
            // Before anything is checked: what was right then may not be any more, a file that has ended for one.
            if let Some(first) = self.engine.store.find_by_key(&owner, key).await? {
                return repeated(first, &request_hash);
            }
        }
        let inputs_sent = validated(&tool, &request.inputs)?;
        let file_inputs = files::to_be_given(&self.engine, &owner, &tool, &inputs_sent).await?;
        let notify = self.targets(&request.notify).await?;
        notes::check(&request)?;
        let priced = self.price(&tool, &inputs_sent)?;
        if priced.rate.is_some() {
            self.engine.rates.pin(self.engine.store.as_ref(), &priced.card).await?;
        }
        let now = self.engine.now();
        let policy = &self.engine.policy;
        let run_timeout = definition.run_timeout_s(&inputs_sent).map(|s| Duration::from_secs(s.into()));
        let allowed = policy.task_deadline.unwrap_or_else(|| {
            run_timeout.unwrap_or(policy.default_run_timeout).saturating_add(policy.queue_allowance)
        });
        let terms = self.terms(definition, now.plus(allowed))?;
        let state = TaskState::accepted(now, &terms);
        let mut task = TaskRecord::new(TaskId::generate(), owner, definition, state);
        task.request_hash = request_hash;
        task.idempotency_key = request.idempotency_key;
        task.initiating_event_id = request.initiating_event_id;
        task.inputs_asked = request.inputs;
        task.inputs_sent = inputs_sent;
        task.file_inputs = file_inputs;
        task.cost_rate = priced.rate;
        task.quote = priced.quote;
        task.notify = notify;
        task.metadata = request.metadata;
        let accepted = Event::Accepted { tool_revision: definition.revision.clone(), terms: Box::new(terms) };
        let span = tracing::info_span!("run", task_id = field::Empty, provider = %task.provider_id);
        match self.engine.store.insert(&task, &[TaskEvent::new(now, accepted)]).instrument(span.clone()).await? {
            Inserted::New(seq) => {
                span.record("task_id", field::display(task.task_id));
                metrics::accepted(&task);
                self.engine.published(&task, seq, false);
                Ok(task)
            }
            Inserted::Duplicate(first) => repeated(*first, &task.request_hash),
        }
    }

    /// One task.
    ///
    /// # Errors
    /// `NotFound` when there is none, or it is another caller's.
    pub async fn task(&self, id: TaskId) -> Result<TaskRecord> {
        let task = self.engine.store.get(id).await?;
        task.filter(|task| self.id.as_ref().is_none_or(|caller| *caller == task.caller)).ok_or_else(|| missing(id))
    }

    /// The task of a run: of each configured provider's run of this name, since two may use the same. A caller sees its
    /// own only.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn find_by_run(&self, run: &RunId) -> Result<Vec<TaskRecord>> {
        let mut found = Vec::new();
        for provider in self.engine.backends.keys() {
            let task = self.engine.store.find_by_run(provider, run).await?;
            found.extend(task.filter(|task| self.id.as_ref().is_none_or(|caller| *caller == task.caller)));
        }
        Ok(found)
    }

    /// Tasks, newest first, a page at a time; a caller sees its own only.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn list(&self, mut query: TaskQuery) -> Result<TaskPage> {
        if self.id.is_some() {
            query.caller.clone_from(&self.id);
        }
        self.engine.store.list(&query).await
    }

    /// The task at its end, or as it is after `timeout`, whichever comes first.
    ///
    /// # Errors
    /// As [`task`](Self::task).
    pub async fn wait(&self, id: TaskId, timeout: Duration) -> Result<TaskRecord> {
        let mut updates = self.events_of(id);
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            let task = self.task(id).await?;
            let now = tokio::time::Instant::now();
            if task.is_terminal() || now >= deadline {
                return Ok(task);
            }
            // Looks again on any news of it, now and then, and at the end.
            let look = async {
                while let Some(Ok(update)) = updates.next().await {
                    if update.task.is_terminal() {
                        break;
                    }
                }
            };
            let _ = tokio::time::timeout_at(deadline.min(now + WAIT_LOOK), look).await;
        }
    }

    /// Asks to cancel a task: a wish, recorded at once and sent to the provider after; the record tells what came of it.
    ///
    /// # Errors
    /// As [`task`](Self::task).
    pub async fn cancel(&self, id: TaskId) -> Result<TaskRecord> {
        let task = self.task(id).await?;
        if task.is_terminal() || task.state.cancel.is_some() {
            return Ok(task);
        }
        self.engine.apply_one(task, Event::CancelAsked, LeaseChange::Keep).await
    }

    /// Updates of the caller's tasks from now on.
    #[must_use]
    pub fn events(&self) -> EventStream {
        self.engine.updates.subscribe(self.id.clone(), None)
    }

    /// Updates of one of the caller's tasks from now on; none ever when it is another caller's.
    #[must_use]
    pub fn events_of(&self, task: TaskId) -> EventStream {
        self.engine.updates.subscribe(self.id.clone(), Some(task))
    }

    /// The number of the last event of any task so far, zero when there was none: where
    /// [`events_after`](Self::events_after) begins for who wants news only.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn last_event(&self) -> Result<u64> {
        Ok(self.engine.store.stats().await?.last_event)
    }

    /// What happened to the caller's tasks after event number `after`, from the store: at most 500 at a time.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn events_after(&self, task: Option<TaskId>, after: u64) -> Result<Vec<StoredEvent>> {
        let query = EventQuery { task, caller: self.id.clone(), after, limit: 0 };
        self.engine.store.events(&query).await
    }

    fn terms(&self, definition: &ToolDefinition, deadline_at: Timestamp) -> Result<Terms> {
        let can = self.engine.backend(&definition.provider_id)?.provider.capabilities();
        Ok(Terms {
            deadline_at,
            exactly_once: definition.exactly_once,
            can_diagnose: can.diagnose,
            can_cancel: can.cancel,
            immediate: definition.execution == Execution::Immediate,
            custody: self.engine.custody.is_some(),
            expected_ms: self.engine.learned.duration_ms(&definition.tool_id, &definition.revision),
            rules: Rules::of(&self.engine.policy),
        })
    }

    fn owner(&self) -> Result<CallerId> {
        self.id.clone().map_or_else(|| CallerId::new(ADMIN), Ok)
    }

    fn price(&self, tool: &Tool, inputs: &Map<String, Value>) -> Result<Priced> {
        let definition = tool.definition();
        let backend = self.engine.backend(&definition.provider_id)?;
        let card = self.engine.rates.current(&definition.provider_id);
        match backend.cost.rate(definition, &card) {
            Ok(rate) => {
                let typical = self.engine.learned.usage(&definition.tool_id, &definition.revision);
                let quote = backend.cost.quote(&rate, definition, inputs, typical.as_ref());
                Ok(Priced { rate: Some(rate), quote, card })
            }
            Err(error)
                if error.kind() == ErrorKind::Unpriced && self.engine.policy.unpriced == UnpricedPolicy::Allow =>
            {
                let quote = Quote::new(None, None, "this tool has no known price; its cost will be unknown");
                Ok(Priced { rate: None, quote, card })
            }
            Err(error) => Err(error),
        }
    }
}

/// What is sent of each input that is left out, as the schema states it.
fn defaults_of(definition: &ToolDefinition) -> Map<String, Value> {
    let schema = definition.input_schema.to_value();
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone()))).collect()
}

/// The error of a name that no tool has, with what may have been meant.
fn absent(kind: ErrorKind, mut message: String, suggestions: &[&Arc<Tool>]) -> Error {
    let suggestions: Vec<String> = suggestions.iter().map(|t| t.definition().slug.clone()).collect();
    if !suggestions.is_empty() {
        message.push_str(&format!(" Did you mean {}?", suggestions.join(", ")));
    }
    Error::new(kind, "find tool").with_message(message).with_suggestions(suggestions)
}

fn validated(tool: &Tool, inputs: &Map<String, Value>) -> Result<Map<String, Value>> {
    tool.validator()?.check(inputs).map_err(InputProblem::refusal)
}

/// The answer to a request under a key that has a task.
fn repeated(first: TaskRecord, request_hash: &str) -> Result<TaskRecord> {
    if first.request_hash == request_hash {
        return Ok(first);
    }
    Err(Error::new(ErrorKind::Conflict, "run tool")
        .with_message("This idempotency key was used for another request.")
        .with_context("task", first.task_id))
}

/// What makes two requests the same: tool, inputs, event. serde_json's maps are ordered, so the text is canonical.
fn hash_of(tool_id: &str, request: &RunRequest) -> String {
    let text = serde_json::to_string(&(tool_id, &request.inputs, &request.initiating_event_id)).unwrap_or_default();
    crate::hex(Sha256::digest(text).get(..16).unwrap_or_default())
}
