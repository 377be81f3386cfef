//! Running and quoting.

use axum::Json;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use stationthis_core::IdempotencyKey;
use stationthis_core::notify::NotifyTarget;
use stationthis_core::station::{QuoteAnswer, RunRequest};
use stationthis_core::task::TaskRecord;

use crate::http::about::{self, About, Answer, Header, LOCATION, PREFER, PREFERENCE_APPLIED};
use crate::http::asker::Asker;
use crate::http::body;
use crate::http::frame;
use crate::http::mount::Mount;
use crate::http::named::{self, MOVED, Named};
use crate::http::problem::Problem;
use crate::http::query::WaitQuery;
use crate::http::tools;
use crate::http::wait::Wait;
use crate::view::ToolView;

/// The header by which a client names a request, so that a repeated one finds the first one's task.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Below them are the tools, by name.
const RUN: &str = "/api/internal/run";
const QUOTE: &str = "/api/internal/quote";

/// What a client sends to run a tool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RunBody {
    /// By name; what is left out gets the tool's default.
    #[serde(default)]
    inputs: Map<String, Value>,
    /// The event in your own system that led to it; at most 256 bytes.
    #[serde(default)]
    initiating_event_id: Option<String>,
    /// Yours; at most 64 KiB.
    #[serde(default)]
    metadata: Map<String, Value>,
    /// Whom to tell at the end, besides the host's and your default; at most 16 in all.
    #[serde(default)]
    notify: Vec<NotifyTarget>,
}

/// What a client sends to have a tool quoted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QuoteBody {
    /// By name; what is left out gets the tool's default.
    #[serde(default)]
    inputs: Map<String, Value>,
}

pub(crate) const SHOW: About =
    About::new("A tool, its price and typical duration", &[Answer::json::<ToolView>(200, "The tool."), MOVED])
        .problems(&[404, 409, 410])
        .tagged();

/// `GET /api/internal/run/{workflow_name}`: what there is to run, and what it takes.
pub(crate) async fn show(asker: Asker, Path(name): Path<String>, request: Request) -> Result<Response, Problem> {
    tools::show_at(RUN, &name, &asker, request).await
}

pub(crate) const RUN_TOOL: About = About::new(
    "Run a tool",
    &[
        Answer::json::<TaskRecord>(202, "The task is durable and goes on by itself.").with_headers(TASK_HEADERS),
        Answer::json::<TaskRecord>(200, "The task has ended, well or not: look at `status`.")
            .with_headers(TASK_HEADERS),
        MOVED,
    ],
)
.query::<WaitQuery>()
.headers(&[PREFER, about::IDEMPOTENCY_KEY])
.body::<RunBody>()
.problems(&[404, 409, 410, 422]);

const TASK_HEADERS: &[Header] = &[LOCATION, PREFERENCE_APPLIED];

/// `POST /api/internal/run/{workflow_name}`.
pub(crate) async fn run(asker: Asker, Path(name): Path<String>, mut request: Request) -> Result<Response, Problem> {
    let (wait, mount) = (Wait::of(request.uri(), request.headers())?, Mount::of(request.extensions()));
    let key = idempotency_key(request.headers())?;
    // Before anything is accepted: a refusal means that nothing was.
    let _place = wait.duration().map(|_| asker.wait()).transpose()?;
    let tool = match named::tool_at(RUN, &name, &asker.caller, &mut request).await? {
        Named::Tool(tool) => tool,
        Named::Moved(answer) => return Ok(answer),
    };
    let body: RunBody = body::read_json(request).await?;
    let wanted = RunRequest::new(tool.definition().tool_id.as_str(), body.inputs)
        .with_idempotency_key(key)
        .with_initiating_event_id(body.initiating_event_id)
        .with_metadata(body.metadata)
        .with_notify(body.notify);
    let mut task = asker.caller.run(wanted).await?;
    frame::about(task.task_id);
    if let Some(wait) = wait.duration().filter(|_| !task.is_terminal()) {
        task = asker.caller.wait(task.task_id, wait).await?;
    }
    Ok(wait.tell(answer(&task, &mount)))
}

pub(crate) const QUOTE_TOOL: About = About::new(
    "What a run would cost",
    &[Answer::json::<QuoteAnswer>(200, "Rate, quote, and what would be sent."), MOVED],
)
.body::<QuoteBody>()
.problems(&[404, 409, 410, 422]);

/// `POST /api/internal/quote/{workflow_name}`.
pub(crate) async fn quote(asker: Asker, Path(name): Path<String>, mut request: Request) -> Result<Response, Problem> {
    let tool = match named::tool_at(QUOTE, &name, &asker.caller, &mut request).await? {
        Named::Tool(tool) => tool,
        Named::Moved(answer) => return Ok(answer),
    };
    let body: QuoteBody = body::read_json(request).await?;
    Ok(Json(asker.caller.quote(tool.definition().tool_id.as_str(), &body.inputs)?).into_response())
}

/// 200 for a task that has ended, 202 for one that goes on; its place is in `Location`.
fn answer(task: &TaskRecord, mount: &Mount) -> Response {
    let status = if task.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let mut response = (status, Json(task)).into_response();
    mount.locate(&mut response, &format!("/api/internal/tasks/{}", task.task_id));
    response
}

pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().ok().and_then(|text| IdempotencyKey::new(text).ok());
    let refused = || Problem::malformed("Idempotency-Key is 1 to 255 printable ASCII characters.");
    key.map(Some).ok_or_else(refused)
}
