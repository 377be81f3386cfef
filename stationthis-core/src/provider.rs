//! The contract with an outside service.

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::cost::RateCard;
use crate::error::{FailureRecord, Result};
use crate::id::{ProviderId, RunId, TaskId, ToolId};
use crate::json_doc::JsonDoc;
use crate::secret::Secret;
use crate::task::report::{NodeTime, RunReport};
use crate::time::Timestamp;
use crate::tool::{ExactlyOnce, ToolDefinition};
use crate::webhook::WebhookRequest;

/// One configured instance of one outside service: discovers its tools, submits runs, reads their status.
///
/// # Contract
/// - Every method may be called at any time, by many tasks at once, and again after any error.
/// - Nothing is remembered between calls that a restart would lose: what a later call needs is in its arguments.
/// - Times, statuses, outputs and failures are translated to this crate's types here and nowhere else.
/// - What is declared in [`capabilities`](Self::capabilities) is done, what is not declared answers `Unsupported`.
///
/// # Implementing
/// Required methods only; there are no defaults to forget. Bound every call by a timeout, every list by a page size,
/// every answer by a size. Never resend a submission on your own.
///
/// # Cancellation
/// Each future may be dropped at any point. A dropped `submit` may have made a run: the station treats it as unknown.
///
/// # Errors
/// Each error answers two questions: [`retry`](crate::Error::retry) (may the same call be made again) and
/// [`effect`](crate::Error::effect) (could it have happened). HTTP status and the start of the body are kept.
///
/// # Proving it
/// Replay recorded traffic; check the declared capabilities in both directions.
#[async_trait]
pub trait ServiceProvider: Send + Sync + std::fmt::Debug {
    /// The configured instance's id; constant.
    fn id(&self) -> &ProviderId;

    /// The kind of service; constant.
    fn service_name(&self) -> &str;

    /// What this provider can do; constant.
    fn capabilities(&self) -> Capabilities;

    /// The whole catalogue as it is now.
    ///
    /// All or nothing: when any list of the service fails this is an error, so that an outage never looks like a
    /// removal (I9); a service without a list has a catalogue that comes with its provider, whole at any time. A single entry that cannot be read is left out and named in [`Catalogue::warnings`].
    async fn discover(&self) -> Result<Catalogue>;

    /// Starts one run. Called at most once per attempt that the record shows, after the intent is durable.
    ///
    /// # Errors
    /// `Effect::No` only where it is certain that no run was made: a refused connection, or a refusal that precedes
    /// dispatch. Everything else, timeouts included, is `Effect::Unknown`. `AtCapacity` when the service refuses because as
    /// many of our runs are at work as it takes: the task then waits, whatever `retry` says, and is tried again.
    async fn submit(&self, request: &SubmitRequest) -> Result<Submission>;

    /// What the service says about a run now.
    async fn poll(&self, run: &RunRef) -> Result<RunReport>;

    /// Asks the service to stop a run. A refusal is an answer, not an error.
    async fn cancel(&self, run: &RunRef) -> Result<CancelAnswer>;

    /// Gives a file to the service; the answer's URL can stand as an input's value.
    async fn upload(&self, file: UploadFile) -> Result<UploadedFile>;

    /// Looks for a run that was made for a task, when the answer to its submission was lost.
    ///
    /// `Absent` only when the service was asked and everything since [`LookupRequest::since`] was seen.
    async fn lookup(&self, request: &LookupRequest) -> Result<Lookup>;

    /// Why a failed run failed, where status answers do not say; `None` when nothing is known (yet).
    ///
    /// Must be bounded: the end of the task waits for it for a few seconds only.
    async fn diagnose(&self, run: &RunRef) -> Result<Option<Diagnosis>>;

    /// Reads a webhook. Pure: no I/O, no clock.
    ///
    /// # Errors
    /// `InvalidInput` when the body is not what the service sends, `Unauthorized` when a signature does not match.
    fn read_webhook(&self, request: &WebhookRequest) -> Result<WebhookReading>;
}

/// What a provider can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// How its webhooks prove where they come from; `None` when it sends none.
    pub webhooks: Option<WebhookAuth>,
    /// Can some run be cancelled?
    pub cancel: bool,
    /// Can it take files?
    pub upload: bool,
    /// Types whose data URLs, `data:TYPE;base64,…` to the letter, it takes as inputs by itself; all others are uploaded
    /// before, where it can take files.
    pub inline_media: &'static [&'static str],
    /// Can a run be found by our task id?
    pub lookup: bool,
    /// Can it tell afterwards why a run failed?
    pub diagnose: bool,
    /// Its promise about lost answers.
    pub exactly_once: ExactlyOnce,
}

impl Capabilities {
    /// A provider that only submits and polls.
    #[must_use]
    pub const fn poll_only() -> Self {
        Self {
            webhooks: None,
            cancel: false,
            upload: false,
            inline_media: &[],
            lookup: false,
            diagnose: false,
            exactly_once: ExactlyOnce::None,
        }
    }
}

/// How a webhook proves where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookAuth {
    /// By our own MAC in the callback URL, which the station checks.
    TaskUrl,
    /// By the service's signature over the whole request, body included, which the provider checks in `read_webhook`.
    ProviderSignature,
    /// By the service's signature over method, path and query but not over the body, which the provider checks in
    /// `read_webhook`. It proves which task is meant and not what is said of it: the provider must take nothing from the
    /// body that a poll does not give again, neither outputs nor usage.
    RequestSignature,
}

/// Everything a service offers.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Catalogue {
    /// The tools; `slug` and `aliases` are left to the registry.
    pub tools: Vec<ToolDefinition>,
    /// The service's own price list of this moment, where it publishes one.
    pub rate_card: Option<RateCard>,
    /// What was left out or looked odd, a sentence each.
    pub warnings: Vec<String>,
}

impl Catalogue {
    /// A catalogue of these tools.
    #[must_use]
    pub fn new(tools: Vec<ToolDefinition>) -> Self {
        Self { tools, rate_card: None, warnings: Vec::new() }
    }
}

/// What to run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SubmitRequest {
    /// Our task; goes with the run so that it can be looked up.
    pub task_id: TaskId,
    /// The tool.
    pub tool_id: ToolId,
    /// The provider's facts about the tool, as they were when the task was accepted.
    pub endpoint_details: JsonDoc,
    /// The validated inputs, defaults filled in.
    pub inputs: Map<String, Value>,
    /// Where webhooks come back; `None` when this host has no public URL. Holds a token: never log it.
    pub callback_url: Option<Secret>,
}

impl SubmitRequest {
    /// A request without a callback.
    #[must_use]
    pub fn new(task_id: TaskId, tool_id: ToolId, endpoint_details: JsonDoc, inputs: Map<String, Value>) -> Self {
        Self { task_id, tool_id, endpoint_details, inputs, callback_url: None }
    }

    /// With a callback.
    #[must_use]
    pub fn with_callback(mut self, url: Option<Secret>) -> Self {
        self.callback_url = url;
        self
    }
}

/// A run that was made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Submission {
    /// The service's name for it.
    pub run_id: RunId,
    /// Its state, where the answer to the submission tells it: the end, for a tool that answers at once
    /// ([`Execution::Immediate`](crate::tool::Execution)); credits that the service has taken for it already.
    pub report: Option<RunReport>,
}

impl Submission {
    /// A run about which nothing else is known yet.
    #[must_use]
    pub const fn new(run_id: RunId) -> Self {
        Self { run_id, report: None }
    }
}

/// A run of ours.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunRef {
    /// Our task.
    pub task_id: TaskId,
    /// The service's run.
    pub run_id: RunId,
    /// The provider's facts about the tool, as they were when the task was accepted.
    pub endpoint_details: JsonDoc,
}

impl RunRef {
    /// A run of a task.
    #[must_use]
    pub const fn new(task_id: TaskId, run_id: RunId, endpoint_details: JsonDoc) -> Self {
        Self { task_id, run_id, endpoint_details }
    }
}

/// The answer to a wish to cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelAnswer {
    /// It was taken; a report will tell when the run has ended.
    Accepted,
    /// This run cannot be cancelled; it goes on.
    Refused(String),
}

/// A file for the service.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UploadFile {
    /// Its name with its extension, from which services guess the type.
    pub filename: String,
    /// Its media type.
    pub content_type: String,
    /// Its content.
    pub bytes: Bytes,
}

impl UploadFile {
    /// A file.
    pub fn new(filename: impl Into<String>, content_type: impl Into<String>, bytes: Bytes) -> Self {
        Self { filename: filename.into(), content_type: content_type.into(), bytes }
    }
}

/// A file that the service has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadedFile {
    /// What to give as the input's value.
    pub url: String,
    /// When the URL stops working, where that is known.
    pub expires_at: Option<Timestamp>,
}

impl UploadedFile {
    /// A file at a URL.
    pub fn new(url: impl Into<String>, expires_at: Option<Timestamp>) -> Self {
        Self { url: url.into(), expires_at }
    }
}

/// A search for the run of a task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LookupRequest {
    /// Our task.
    pub task_id: TaskId,
    /// The provider's facts about the tool.
    pub endpoint_details: JsonDoc,
    /// When the submission was begun, by our clock.
    pub since: Timestamp,
}

impl LookupRequest {
    /// A search.
    #[must_use]
    pub const fn new(task_id: TaskId, endpoint_details: JsonDoc, since: Timestamp) -> Self {
        Self { task_id, endpoint_details, since }
    }
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The run.
    Found(RunId),
    /// No run carries our task id.
    Absent,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The reason, without tracebacks and callback URLs.
    pub failure: FailureRecord,
    /// The time each node took, where the service tells.
    pub nodes: Vec<NodeTime>,
}

impl Diagnosis {
    /// A reason.
    #[must_use]
    pub const fn new(failure: FailureRecord, nodes: Vec<NodeTime>) -> Self {
        Self { failure, nodes }
    }
}

/// A webhook as its provider understands it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WebhookReading {
    /// How it proves where it comes from; must be the declared capability.
    pub auth: WebhookAuth,
    /// What it says, about one run or several.
    pub reports: Vec<RunReport>,
}

impl WebhookReading {
    /// A reading.
    #[must_use]
    pub const fn new(auth: WebhookAuth, reports: Vec<RunReport>) -> Self {
        Self { auth, reports }
    }
}
