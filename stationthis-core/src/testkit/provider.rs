//! A provider that says what it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use crate::cost::{CardCostModel, CostModel, PinnedRate, Quote, RateCard, RateKey, Settlement, Unit, Usage};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::id::{ProviderId, RunId, TaskId, ToolId};
use crate::json_doc::JsonDoc;
use crate::provider::{
    CancelAnswer, Capabilities, Catalogue, Diagnosis, Lookup, LookupRequest, RunRef, ServiceProvider, Submission,
    SubmitRequest, UploadFile, UploadedFile, WebhookAuth, WebhookReading,
};
use crate::task::report::RunReport;
use crate::tool::{CostingModel, ExactlyOnce, Execution, ToolDefinition};
use crate::webhook::WebhookRequest;

/// The run of a scripted report that is about whichever run is asked about.
pub const ANY_RUN: &str = "any";

/// The header that signs the webhooks of a [`ScriptedProvider`] with signatures, and its one good value.
pub const SIGNATURE: (&str, &str) = ("x-scripted-signature", "genuine");

/// What a [`ScriptedProvider`] answers next. Each queue is taken from the front; the last poll answer stays.
#[derive(Debug, Default)]
pub struct Script {
    /// Answers to `submit`; without one, the run `run-N` is made.
    pub submits: VecDeque<Result<Submission>>,
    /// Tools of which no more runs are taken, and what is said of when to try again; those are not answered by `submits`.
    pub full: BTreeMap<ToolId, Retry>,
    /// Answers to `poll`; without one, `Unavailable`. A report of the run [`ANY_RUN`] is of the run that was asked about.
    pub polls: VecDeque<RunReport>,
    /// Answers to `lookup`; without one, `Absent`.
    pub lookups: VecDeque<Result<Lookup>>,
    /// Answers to `diagnose`; without one, nothing is known.
    pub diagnoses: VecDeque<Diagnosis>,
    /// The answer to `cancel`; `None`: refused.
    pub cancel: Option<CancelAnswer>,
    /// How often each method was called.
    pub calls: Calls,
    /// The tasks that were submitted, in order.
    pub submitted: Vec<TaskId>,
    /// The inputs of the last submission.
    pub inputs: Map<String, Value>,
    /// Answers to `upload`; without one, the file is at `https://files.example/N`.
    pub uploads: VecDeque<Result<UploadedFile>>,
    /// The files that were given, in order.
    pub uploaded: Vec<UploadFile>,
}

/// How often each method was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// `submit`, whether or not it was answered.
    pub submit: usize,
    /// `poll`.
    pub poll: usize,
    /// `lookup`.
    pub lookup: usize,
    /// `cancel`.
    pub cancel: usize,
    /// `diagnose`.
    pub diagnose: usize,
}

/// A provider with one tool, `scripted:echo` (inputs `prompt`, required text, and `steps`, 1 to 50, default 20; a run is
/// ended after 300 s; 0.0005 USD per second), that answers from its [`Script`].
///
/// A webhook's body is a [`RunReport`] as JSON.
#[derive(Clone, Debug)]
pub struct ScriptedProvider {
    id: ProviderId,
    /// Another tool than `echo`.
    tool: Option<ToolDefinition>,
    /// Tools beside it.
    others: Vec<ToolDefinition>,
    script: Arc<Mutex<Script>>,
    costs: CardCostModel,
    exactly_once: ExactlyOnce,
    webhooks: WebhookAuth,
    uploads: bool,
    inline_media: &'static [&'static str],
    /// Closed: `submit` waits, after it was counted, until permits are added.
    submit_gate: Arc<Semaphore>,
}

impl ScriptedProvider {
    /// The provider `scripted` with an empty script, whose submissions are answered at once.
    ///
    /// # Errors
    /// None in practice: the names are valid.
    pub fn new() -> Result<Self> {
        Self::named("scripted")
    }

    /// As [`new`](Self::new), under another provider id.
    ///
    /// # Errors
    /// `InvalidInput` for an id that is not one.
    pub fn named(id: &str) -> Result<Self> {
        let card = RateCard::new("scripted, 2026-11").with(
            RateKey::Resource("GPU".to_owned()),
            "0.0005".parse()?,
            Unit::Second,
        );
        Ok(Self {
            id: ProviderId::new(id)?,
            tool: None,
            others: Vec::new(),
            script: Arc::default(),
            costs: CardCostModel::new(card),
            exactly_once: ExactlyOnce::Lookup,
            webhooks: WebhookAuth::TaskUrl,
            uploads: false,
            inline_media: &[],
            submit_gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        })
    }

    /// With another promise about lost answers than [`ExactlyOnce::Lookup`].
    #[must_use]
    pub const fn with_exactly_once(mut self, class: ExactlyOnce) -> Self {
        self.exactly_once = class;
        self
    }

    /// With webhooks that are signed ([`SIGNATURE`]) and need no token of ours.
    #[must_use]
    pub const fn with_signatures(mut self) -> Self {
        self.webhooks = WebhookAuth::ProviderSignature;
        self
    }

    /// That takes files.
    #[must_use]
    pub const fn with_uploads(mut self) -> Self {
        self.uploads = true;
        self
    }

    /// Takes data URLs of these types as inputs by itself.
    #[must_use]
    pub const fn with_inline_media(mut self, types: &'static [&'static str]) -> Self {
        self.inline_media = types;
        self
    }

    /// As this one, with another tool in place of `echo`, priced on another card.
    #[must_use]
    pub fn offering(mut self, tool: ToolDefinition, card: RateCard) -> Self {
        self.tool = Some(tool.seal());
        self.costs = CardCostModel::new(card);
        self
    }

    /// With one more tool, priced on the same card.
    #[must_use]
    pub fn with_tool(mut self, tool: ToolDefinition) -> Self {
        self.others.push(tool.seal());
        self
    }

    /// Its script, to read and to change.
    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on submissions wait; [`open_gate`](Self::open_gate) lets them through.
    pub fn close_gate(&self) {
        self.submit_gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Lets one waiting submission through.
    pub fn open_gate(&self) {
        self.submit_gate.add_permits(1);
    }

    /// Its tool.
    ///
    /// # Errors
    /// None in practice: the names are valid.
    pub fn tool(&self) -> Result<ToolDefinition> {
        if let Some(tool) = &self.tool {
            return Ok(tool.clone());
        }
        let mut tool = ToolDefinition::new(ToolId::for_key(&self.id, "echo")?, self.id.clone(), "scripted", "Echo");
        tool.input_schema = JsonDoc::from_value(&json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "prompt": { "type": "string", "title": "Prompt" },
                "steps": { "type": "integer", "minimum": 1, "maximum": 50, "default": 20 }
            },
            "required": ["prompt"],
            "additionalProperties": false
        }));
        tool.costing_model = CostingModel::PerSecond { resource: Some("GPU".to_owned()), machine: None };
        tool.execution = Execution::CallbackAndPoll;
        tool.exactly_once = self.exactly_once;
        tool.limits.run_timeout_s = Some(300);
        Ok(tool.seal())
    }
}

#[async_trait]
impl ServiceProvider for ScriptedProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn service_name(&self) -> &str {
        "scripted"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            webhooks: Some(self.webhooks),
            cancel: true,
            upload: self.uploads,
            inline_media: self.inline_media,
            lookup: matches!(self.exactly_once, ExactlyOnce::Lookup | ExactlyOnce::ClientChosenId),
            diagnose: true,
            exactly_once: self.exactly_once,
            ..Capabilities::poll_only()
        }
    }

    async fn discover(&self) -> Result<Catalogue> {
        let mut tools = vec![self.tool()?];
        tools.extend(self.others.iter().cloned());
        Ok(Catalogue::new(tools))
    }

    async fn submit(&self, request: &SubmitRequest) -> Result<Submission> {
        let (answer, nth) = {
            let mut script = self.script();
            script.calls.submit += 1;
            script.submitted.push(request.task_id);
            script.inputs.clone_from(&request.inputs);
            if let Some(retry) = script.full.get(&request.tool_id).copied() {
                let full = Error::new(ErrorKind::AtCapacity, "submit run").with_http(429, "too many runs");
                return Err(full.with_retry(retry));
            }
            (script.submits.pop_front(), script.calls.submit)
        };
        if let Ok(permit) = self.submit_gate.acquire().await {
            permit.forget();
        }
        match answer {
            Some(answer) => answer,
            None => Ok(Submission::new(RunId::new(format!("run-{nth}"))?)),
        }
    }

    async fn poll(&self, run: &RunRef) -> Result<RunReport> {
        let mut script = self.script();
        script.calls.poll += 1;
        let answer = if script.polls.len() > 1 { script.polls.pop_front() } else { script.polls.front().cloned() };
        let mut report = answer.ok_or_else(|| Error::new(ErrorKind::Unavailable, "poll run"))?;
        if report.run_id.as_str() == ANY_RUN {
            report.run_id = run.run_id.clone();
        }
        Ok(report)
    }

    async fn cancel(&self, _: &RunRef) -> Result<CancelAnswer> {
        let mut script = self.script();
        script.calls.cancel += 1;
        Ok(script.cancel.clone().unwrap_or_else(|| CancelAnswer::Refused("It cannot be cancelled.".to_owned())))
    }

    async fn upload(&self, file: UploadFile) -> Result<UploadedFile> {
        if !self.uploads {
            return Err(Error::new(ErrorKind::Unsupported, "upload file"));
        }
        let mut script = self.script();
        script.uploaded.push(file);
        let url = format!("https://files.example/{}", script.uploaded.len());
        script.uploads.pop_front().unwrap_or_else(|| Ok(UploadedFile::new(url, None)))
    }

    async fn lookup(&self, _: &LookupRequest) -> Result<Lookup> {
        if !self.capabilities().lookup {
            return Err(Error::new(ErrorKind::Unsupported, "look up run"));
        }
        let mut script = self.script();
        script.calls.lookup += 1;
        script.lookups.pop_front().unwrap_or(Ok(Lookup::Absent))
    }

    async fn diagnose(&self, _: &RunRef) -> Result<Option<Diagnosis>> {
        let mut script = self.script();
        script.calls.diagnose += 1;
        Ok(script.diagnoses.pop_front())
    }

    fn read_webhook(&self, request: &WebhookRequest) -> Result<WebhookReading> {
        let signed = request.headers.iter().any(|(name, value)| (name.as_str(), value.as_str()) == SIGNATURE);
        if self.webhooks == WebhookAuth::ProviderSignature && !signed {
            return Err(Error::new(ErrorKind::Unauthorized, "read webhook"));
        }
        let report: RunReport = serde_json::from_slice(&request.body)
            .map_err(|e| Error::new(ErrorKind::InvalidInput, "read webhook").with_source(e))?;
        Ok(WebhookReading::new(self.webhooks, vec![report]))
    }
}

impl CostModel for ScriptedProvider {
    fn builtin_card(&self) -> RateCard {
        self.costs.builtin_card()
    }

    fn rate(&self, tool: &ToolDefinition, card: &RateCard) -> Result<PinnedRate> {
        self.costs.rate(tool, card)
    }

    fn quote(
        &self,
        rate: &PinnedRate,
        tool: &ToolDefinition,
        inputs: &Map<String, Value>,
        typical: Option<&Usage>,
    ) -> Quote {
        self.costs.quote(rate, tool, inputs, typical)
    }

    fn settle(&self, rate: &PinnedRate, card: &RateCard, usage: &Usage) -> Settlement {
        self.costs.settle(rate, card, usage)
    }
}
