//! A provider that does everything that services were seen to do, and keeps books of the truth.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::cost::{CardCostModel, CostModel, PinnedRate, Quote, RateCard, RateKey, Settlement, Unit, Usage};
use crate::error::{Effect, Error, ErrorKind, FailureRecord, Result, Retry};
use crate::id::{ProviderId, RunId, TaskId, ToolId};
use crate::json_doc::JsonDoc;
use crate::provider::{
    CancelAnswer, Capabilities, Catalogue, Diagnosis, Lookup, LookupRequest, RunRef, ServiceProvider, Submission,
    SubmitRequest, UploadFile, UploadedFile, WebhookAuth, WebhookReading,
};
use crate::secret::Secret;
use crate::task::report::{RunReport, RunStatus};
use crate::testkit::campaign::books::{Books, Run, Tells, Urls, outputs_of};
use crate::testkit::campaign::custody::Vault;
use crate::testkit::campaign::hooks;
use crate::testkit::campaign::rng::Rng;
use crate::testkit::campaign::scenario::Scenario;
use crate::time::{Clock, Timestamp, TokioClock};
use crate::tool::{CostingModel, ExactlyOnce, Execution, ToolDefinition};
use crate::webhook::WebhookRequest;

/// US dollars per second on the two resource classes, per request and per credit.
pub(super) const SECOND_USD: &str = "0.000337";
pub(super) const FAST_SECOND_USD: &str = "0.001097";
pub(super) const REQUEST_USD: &str = "0.02";
pub(super) const CREDIT_USD: &str = "0.0125";

/// The resource class that tools are quoted for, and the one that some runs go to instead.
const RESOURCE: &str = "A10G";
const FAST_RESOURCE: &str = "H100";

/// One of the four promises about lost answers, each by an instance of its own, with a price of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// An idempotency key; priced by credits that the provider counts.
    Idem,
    /// Run ids that we choose; priced by request; webhooks are signed and name no task.
    Chosen,
    /// Runs can be looked up; priced by second, and the provider tells all times.
    Lookup,
    /// Nothing; priced by second, and the provider tells no times.
    None,
}

impl Class {
    pub(super) const ALL: [Self; 4] = [Self::Idem, Self::Chosen, Self::Lookup, Self::None];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Idem => "idem",
            Self::Chosen => "chosen",
            Self::Lookup => "lookup",
            Self::None => "none",
        }
    }

    pub(super) const fn exactly_once(self) -> ExactlyOnce {
        match self {
            Self::Idem => ExactlyOnce::IdempotencyKey,
            Self::Chosen => ExactlyOnce::ClientChosenId,
            Self::Lookup => ExactlyOnce::Lookup,
            Self::None => ExactlyOnce::None,
        }
    }

    pub(super) const fn auth(self) -> WebhookAuth {
        match self {
            Self::Chosen => WebhookAuth::ProviderSignature,
            Self::Idem | Self::Lookup | Self::None => WebhookAuth::TaskUrl,
        }
    }
}

/// The outside, which outlives every process of the station.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) scenario: Scenario,
    pub(super) clock: TokioClock,
    books: Mutex<Books>,
    vault: Mutex<Vault>,
}

impl Outside {
    pub(super) fn new(scenario: Scenario, clock: TokioClock, books: Books) -> Self {
        let vault = Mutex::new(Vault::new(scenario.seed));
        Self { scenario, clock, books: Mutex::new(books), vault }
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn vault(&self) -> MutexGuard<'_, Vault> {
        self.vault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One instance.
#[derive(Clone, Debug)]
pub(super) struct HostileProvider {
    id: ProviderId,
    pub(super) class: Class,
    outside: Arc<Outside>,
    costs: CardCostModel,
}

/// The seconds of each minute in which the instance without promises takes no more runs, and what it says to wait.
const FULL_SECONDS: i64 = 20;
const FULL_PAUSE: Duration = Duration::from_secs(7);

/// How a submission is answered.
struct Answer {
    after: Duration,
    result: Result<Submission>,
}

impl HostileProvider {
    pub(super) fn new(class: Class, outside: Arc<Outside>) -> Result<Self> {
        let resource = |name: &str| RateKey::Resource(name.to_owned());
        let card = RateCard::new("hostile, 2026-11");
        let card = match class {
            Class::Idem => card.with(resource("hostile"), CREDIT_USD.parse()?, Unit::Credit),
            Class::Chosen => card.with(resource("hostile"), REQUEST_USD.parse()?, Unit::Request),
            Class::Lookup | Class::None => card.with(resource(RESOURCE), SECOND_USD.parse()?, Unit::Second).with(
                resource(FAST_RESOURCE),
                FAST_SECOND_USD.parse()?,
                Unit::Second,
            ),
        };
        Ok(Self { id: ProviderId::new(class.name())?, class, outside, costs: CardCostModel::new(card) })
    }

    fn now(&self) -> Timestamp {
        self.outside.clock.now()
    }

    fn tool(&self) -> Result<ToolDefinition> {
        let key = ToolId::for_key(&self.id, "make")?;
        let mut tool = ToolDefinition::new(key, self.id.clone(), "hostile", format!("Make {}", self.id));
        tool.input_schema = JsonDoc::from_value(&json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": { "prompt": { "type": "string" } },
            "required": ["prompt"],
            "additionalProperties": false
        }));
        tool.costing_model = match self.class {
            Class::Idem => CostingModel::PerCredit,
            Class::Chosen => CostingModel::PerRequest,
            Class::Lookup | Class::None => {
                CostingModel::PerSecond { resource: Some(RESOURCE.to_owned()), machine: None }
            }
        };
        tool.execution = Execution::CallbackAndPoll;
        tool.exactly_once = self.class.exactly_once();
        tool.limits.run_timeout_s = Some(300);
        Ok(tool.seal())
    }

    /// Decides what becomes of a submission, and makes the run, if there is to be one, at once or a little later,
    /// whether or not anybody is still waiting for the answer by then.
    fn taken(&self, request: &SubmitRequest) -> Result<Answer> {
        let now = self.now();
        let mut books = self.outside.books();
        books.submissions += 1;
        let quick = books.rng.millis(20, 900);
        if self.is_full(now) {
            return Ok(Answer { after: quick, result: Err(no_room(Retry::After(FULL_PAUSE))) });
        }
        if !books.rng.chance(self.outside.scenario.call_faults) {
            let run_id = self.run_of(&mut books, request, now.plus(quick / 2))?;
            return Ok(Answer { after: quick, result: Ok(Submission::new(run_id)) });
        }
        let late = books.rng.millis(1000, 56_000);
        let answer = |after, result| Ok(Answer { after, result });
        match books.rng.below(11) {
            // Executed, and the answer says nothing of it.
            0 | 1 => {
                self.run_of(&mut books, request, now.plus(quick / 2))?;
                answer(quick, Err(lost()))
            }
            2 => {
                self.run_of(&mut books, request, now.plus(quick / 2))?;
                answer(quick, Err(refused_by(500, Effect::Unknown, Retry::Backoff)))
            }
            3 => {
                self.run_of(&mut books, request, now.plus(quick / 2))?;
                answer(quick, Err(refused_by(400, Effect::Unknown, Retry::Never)))
            }
            // Executed late, after the caller has given up or died.
            4 => {
                self.run_of(&mut books, request, now.plus(late))?;
                answer(quick, Err(lost()))
            }
            // Executed, and answered late or never.
            5 => {
                let run_id = self.run_of(&mut books, request, now.plus(late))?;
                answer(late, Ok(Submission::new(run_id)))
            }
            6 => {
                self.run_of(&mut books, request, now.plus(quick))?;
                answer(Duration::from_secs(3600), Err(lost()))
            }
            // Not executed.
            7 => answer(quick, Err(lost())),
            8 => answer(quick, Err(refused_by(422, Effect::No, Retry::Never))),
            9 => answer(quick, Err(refused_by(429, Effect::No, Retry::Backoff))),
            _ => answer(quick, Err(no_room(Retry::Backoff))),
        }
    }

    /// Does it take no more runs for the moment? One instance does so for a part of every minute, whatever is at work.
    fn is_full(&self, now: Timestamp) -> bool {
        let second = now.as_micros().div_euclid(1_000_000).rem_euclid(60);
        self.class == Class::None && self.outside.scenario.call_faults > 0 && second < FULL_SECONDS
    }

    /// The run of a task: the one there is, where the class promises that, else a new one.
    fn run_of(&self, books: &mut Books, request: &SubmitRequest, made_at: Timestamp) -> Result<RunId> {
        if self.class == Class::Idem
            && let Some((_, run)) = books.runs_of(request.task_id).next()
        {
            return Ok(run.id.clone());
        }
        let nth = books.by_task.get(&request.task_id).map_or(0, Vec::len);
        let id = RunId::new(format!("{}-{}-{nth}", self.id, request.task_id))?;
        let run = self.drawn(books, id.clone(), request.task_id, made_at);
        let (started_at, ended_at) = (run.started_at, run.ended_at);
        let nth = books.add(run);
        for at in [made_at, started_at].into_iter().chain(ended_at) {
            self.hook(books, nth, at, request.callback_url.as_ref());
        }
        Ok(id)
    }

    fn hook(&self, books: &mut Books, nth: usize, at: Timestamp, url: Option<&Secret>) {
        hooks::plan(books, self.outside.scenario.hooks, nth, at, url);
    }

    fn drawn(&self, books: &mut Books, id: RunId, task: TaskId, made_at: Timestamp) -> Run {
        let rng = &mut books.rng;
        let odd = rng.chance(self.outside.scenario.odd_runs);
        let started_at = made_at.plus(rng.millis(0, 15_000));
        let works = if rng.chance(150) { rng.millis(60_000, 280_000) } else { rng.millis(1000, 60_000) };
        let mut end = match rng.below(20) {
            0 | 1 => RunStatus::Failed,
            2 => RunStatus::TimedOut,
            3 if odd => RunStatus::Cancelled,
            _ => RunStatus::Succeeded,
        };
        let mut ended_at = Some(started_at.plus(works));
        let mut tells = if self.class == Class::None { Tells::Nothing } else { Tells::Everything };
        let mut outputs = 1 + rng.below(3);
        if odd {
            match rng.below(5) {
                0 => ended_at = None,
                1 => ended_at = Some(started_at.plus(rng.millis(700_000, 1_500_000))),
                2 => tells = Tells::Nonsense,
                3 => outputs = 0,
                _ => end = RunStatus::Succeeded,
            }
        }
        let credits = (self.class == Class::Idem).then(|| u32::try_from(1 + rng.below(400)).unwrap_or(1));
        let per_second = matches!(self.class, Class::Lookup | Class::None);
        let resource = per_second.then(|| if rng.chance(100) { FAST_RESOURCE } else { RESOURCE });
        let outputs = if end == RunStatus::Succeeded { outputs_of(&id, outputs) } else { Vec::new() };
        let lag = if rng.chance(50) { rng.millis(0, 2000) } else { Duration::ZERO };
        let skew_ms = i64::try_from(rng.below(6001)).unwrap_or(0) - 3000;
        let outputs_at = ended_at.unwrap_or(started_at).plus(lag);
        let urls = self.outside.scenario.keep_faults.and_then(|_| urls(&mut books.rng, outputs_at));
        let provider = self.id.clone();
        Run {
            id,
            provider,
            task,
            made_at,
            started_at,
            ended_at,
            end,
            outputs,
            outputs_at,
            tells,
            skew_ms,
            resource,
            credits,
            urls,
        }
    }

    fn asked(&self, run: &RunRef) -> (Duration, Result<RunReport>) {
        let now = self.now();
        let faults = self.outside.scenario.call_faults;
        let mut books = self.outside.books();
        books.polls += 1;
        let quick = books.rng.millis(20, 80);
        let fault = if books.rng.chance(faults) { books.rng.below(8) } else { u64::MAX };
        let Some(nth) = books.nth(&self.id, &run.run_id) else { return (quick, Err(unknown_run())) };
        let Some(known) = books.runs.get(nth).filter(|run| run.made_at <= now) else {
            return (quick, Err(unknown_run()));
        };
        let report = match fault {
            0 | 1 => return (quick, Err(refused_by(503, Effect::No, Retry::Backoff))),
            2 => return (Duration::from_secs(3600), Err(lost())),
            // An answer from a cache.
            3 => known.report_at(now.minus(Duration::from_secs(2)).max(known.made_at)),
            4 => RunReport::new(known.id.clone(), RunStatus::Unknown, "marinating"),
            _ => known.report_at(now),
        };
        if report.status.is_terminal() {
            books.end_polled.entry(nth).or_insert(now);
        }
        (quick, Ok(report))
    }

    fn cancelled(&self, run: &RunRef) -> (Duration, Result<CancelAnswer>) {
        let now = self.now();
        let mut books = self.outside.books();
        let (quick, kind, dies_after) = (books.rng.millis(20, 200), books.rng.below(8), books.rng.millis(0, 5000));
        let Some(nth) = books.nth(&self.id, &run.run_id) else { return (quick, Err(unknown_run())) };
        let (stops, answer) = match kind {
            0..=3 => (true, Ok(CancelAnswer::Accepted)),
            // It says so and goes on.
            4 => (false, Ok(CancelAnswer::Accepted)),
            5 => (false, Ok(CancelAnswer::Refused("This machine does not cancel.".to_owned()))),
            6 => (false, Err(refused_by(500, Effect::Unknown, Retry::Backoff))),
            _ => (true, Err(refused_by(500, Effect::Unknown, Retry::Backoff))),
        };
        if let Some(run) = books.runs.get_mut(nth).filter(|run| stops && !run.ended_by(now.plus(dies_after))) {
            let at = now.plus(dies_after).max(run.started_at);
            (run.ended_at, run.end, run.outputs) = (Some(at), RunStatus::Cancelled, Vec::new());
        }
        (quick, answer)
    }
}

/// Half of the runs have URLs that end within minutes, and some of them are soon not renewed.
fn urls(rng: &mut Rng, shown_at: Timestamp) -> Option<Urls> {
    let (some, life, soon) = (rng.chance(500), rng.millis(15_000, 180_000), rng.chance(150));
    let gone_at = if soon { shown_at.plus(rng.millis(0, 60_000)) } else { shown_at.plus(Duration::from_secs(86_400)) };
    some.then_some(Urls { life, gone_at })
}

/// No answer came: it may have happened.
fn lost() -> Error {
    Error::new(ErrorKind::Timeout, "call provider").with_retry(Retry::Backoff).with_effect(Effect::Unknown)
}

/// As many runs are at work as it takes.
fn no_room(retry: Retry) -> Error {
    Error::new(ErrorKind::AtCapacity, "submit run").with_http(429, "too many runs").with_retry(retry)
}

fn refused_by(status: u16, effect: Effect, retry: Retry) -> Error {
    let kind = match status {
        429 => ErrorKind::RateLimited,
        400 | 422 => ErrorKind::InvalidInput,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "call provider").with_http(status, "no").with_effect(effect).with_retry(retry)
}

fn unknown_run() -> Error {
    Error::new(ErrorKind::NotFound, "call provider").with_http(404, "no such run")
}

#[async_trait]
impl ServiceProvider for HostileProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn service_name(&self) -> &str {
        "hostile"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            webhooks: Some(self.class.auth()),
            cancel: true,
            lookup: matches!(self.class, Class::Chosen | Class::Lookup),
            diagnose: self.class == Class::Lookup,
            exactly_once: self.class.exactly_once(),
            ..Capabilities::poll_only()
        }
    }

    async fn discover(&self) -> Result<Catalogue> {
        Ok(Catalogue::new(vec![self.tool()?]))
    }

    async fn submit(&self, request: &SubmitRequest) -> Result<Submission> {
        let answer = self.taken(request)?;
        tokio::time::sleep(answer.after).await;
        answer.result
    }

    async fn poll(&self, run: &RunRef) -> Result<RunReport> {
        let (after, answer) = self.asked(run);
        tokio::time::sleep(after).await;
        answer
    }

    async fn cancel(&self, run: &RunRef) -> Result<CancelAnswer> {
        let (after, answer) = self.cancelled(run);
        tokio::time::sleep(after).await;
        answer
    }

    async fn upload(&self, _: UploadFile) -> Result<UploadedFile> {
        Err(Error::new(ErrorKind::Unsupported, "upload file"))
    }

    async fn lookup(&self, request: &LookupRequest) -> Result<Lookup> {
        let (now, faults) = (self.now(), self.outside.scenario.call_faults);
        let answer = {
            let mut books = self.outside.books();
            books.lookups += 1;
            let fails = books.rng.chance(faults);
            let found =
                books.runs_of(request.task_id).find(|(_, run)| run.made_at <= now).map(|(_, run)| run.id.clone());
            match found {
                _ if fails => Err(lost()),
                Some(run_id) => Ok(Lookup::Found(run_id)),
                None => Ok(Lookup::Absent),
            }
        };
        tokio::time::sleep(Duration::from_millis(120)).await;
        answer
    }

    async fn diagnose(&self, _: &RunRef) -> Result<Option<Diagnosis>> {
        let found = self.outside.books().rng.chance(500);
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(found.then(|| Diagnosis::new(FailureRecord::new("runFailed", "Out of memory."), Vec::new())))
    }

    fn read_webhook(&self, request: &WebhookRequest) -> Result<WebhookReading> {
        if self.class.auth() == WebhookAuth::ProviderSignature && !hooks::is_signed(request) {
            return Err(Error::new(ErrorKind::Unauthorized, "read webhook"));
        }
        let report: RunReport = serde_json::from_slice(&request.body)
            .map_err(|e| Error::new(ErrorKind::InvalidInput, "read webhook").with_source(e))?;
        Ok(WebhookReading::new(self.class.auth(), vec![report]))
    }
}

impl CostModel for HostileProvider {
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
