//! Tasks as generations.

use axum::Json;
use axum::extract::{Path, Request};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stationthis_core::notify::NotifyTarget;
use stationthis_core::station::RunRequest;
use stationthis_core::store::TaskQuery;
use stationthis_core::task::TaskRecord;
use stationthis_core::{CallerId, Error, ErrorKind, RunId, TaskId, Timestamp};

use crate::generations::{Generation, GenerationChange, GenerationStatus, NotificationContext};
use crate::http::about::{About, Answer, IDEMPOTENCY_KEY, LOCATION};
use crate::http::asker::Asker;
use crate::http::body;
use crate::http::frame;
use crate::http::mount::Mount;
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::run::idempotency_key;
use crate::http::tasks::task_id;
use crate::http::tools;

/// What a client sends for a new generation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewGeneration {
    /// A tool, by any of its names.
    tool_id: String,
    /// When given, it must be the tool's.
    #[serde(default)]
    service_name: Option<String>,
    #[serde(default)]
    request_payload: Map<String, Value>,
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(default)]
    initiating_event_id: Option<String>,
    #[serde(default)]
    notify: Option<Vec<NotifyTarget>>,
    #[serde(default)]
    notification_platform: Option<String>,
    #[serde(default)]
    notification_context: Option<NotificationContext>,
}

/// `?metadata.run_id=&status=&toolId=&userId=&since=&until=&limit=&cursor=`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GenerationsQuery {
    /// The run at the provider.
    #[serde(rename = "metadata.run_id")]
    run_id: Option<String>,
    /// Statuses, separated by commas.
    status: Option<String>,
    /// A tool, by any of its names.
    tool_id: Option<String>,
    /// A caller; the operator may name any, a caller itself alone.
    user_id: Option<String>,
    /// Accepted at this time or later.
    since: Option<Timestamp>,
    /// Accepted before this time.
    until: Option<Timestamp>,
    /// At most so many; 50 when left out.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    #[schemars(with = "Option<TaskId>")]
    cursor: Option<String>,
}

/// A page of generations, newest first.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "GenerationList")]
struct Page {
    generations: Vec<Generation>,
    /// Null on the last page.
    next_cursor: Option<String>,
}

pub(crate) const CREATE: About = About::new(
    "Run a tool, as a generation",
    &[Answer::json::<Generation>(201, "The generation.").with_headers(&[LOCATION])],
)
.headers(&[IDEMPOTENCY_KEY])
.body::<NewGeneration>()
.problems(&[404, 409, 410, 422]);

/// `POST /api/internal/generations`: runs a tool.
pub(crate) async fn create(asker: Asker, mount: Mount, request: Request) -> Result<Response, Problem> {
    let key = idempotency_key(request.headers())?;
    let wanted: NewGeneration = body::read_json(request).await?;
    let tool = asker.caller.resolve(&wanted.tool_id)?;
    let service = &tool.definition().service_name;
    if let Some(named) = wanted.service_name.as_ref().filter(|named| *named != service) {
        let detail = format!("This tool is of the service {service}, not of {named:?}.");
        return Err(Error::new(ErrorKind::InvalidInput, "create generation").with_message(detail).into());
    }
    GenerationChange::check_new(&wanted.metadata)?;
    let NewGeneration { notify, notification_platform, notification_context, .. } = wanted;
    let own = GenerationChange { notify, notification_platform, notification_context, ..GenerationChange::default() };
    let told = own.targets().map_err(|e| unreadable(&e))?.unwrap_or_default();
    let request = RunRequest::new(wanted.tool_id, wanted.request_payload)
        .with_idempotency_key(key)
        .with_initiating_event_id(wanted.initiating_event_id)
        .with_metadata(wanted.metadata)
        .with_notify(told);
    let task = asker.caller.run(request).await?;
    frame::about(task.task_id);
    let place = format!("/api/internal/generations/{}", task.task_id);
    let mut response = (StatusCode::CREATED, Json(Generation::of(task)?)).into_response();
    mount.locate(&mut response, &place);
    Ok(response)
}

pub(crate) const SHOW: About =
    About::new("One generation", &[Answer::json::<Generation>(200, "The generation.")]).problems(&[404]);

/// `GET …/generations/{id}`.
pub(crate) async fn show(asker: Asker, Path(id): Path<String>) -> Result<Json<Generation>, Problem> {
    Ok(Json(Generation::of(asker.caller.task(task_id(&id)?).await?)?))
}

pub(crate) const CHANGE: About =
    About::new("Change what is yours on a generation", &[Answer::json::<Generation>(200, "The generation.")])
        .body::<Map<String, Value>>()
        .problems(&[404, 409, 422]);

/// `PUT /api/internal/generations/{id}`: changes what is the caller's.
pub(crate) async fn change(
    asker: Asker,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Generation>, Problem> {
    let task = asker.caller.task(task_id(&id)?).await?;
    frame::about(task.task_id);
    let body: Map<String, Value> = body::read_json(request).await?;
    let change = GenerationChange::read(&task, body).and_then(GenerationChange::into_amendment);
    let amendment = change.map_err(|e| unreadable(&e))?;
    Ok(Json(Generation::of(asker.caller.amend(task.task_id, amendment).await?)?))
}

pub(crate) const LIST: About =
    About::new("Generations, newest first", &[Answer::json::<Page>(200, "A page of generations.")])
        .query::<GenerationsQuery>()
        .problems(&[404, 409, 410]);

/// `GET …/generations`, newest first.
pub(crate) async fn list(asker: Asker, uri: Uri) -> Result<Response, Problem> {
    let wanted: GenerationsQuery = query::parse(&uri)?;
    let (query, run) = read(&asker, wanted)?;
    let (tasks, next) = match run {
        Some(run) => {
            let found = asker.caller.find_by_run(&run).await?;
            (found.into_iter().filter(|task| holds(&query, task)).collect(), None)
        }
        None => {
            let page = asker.caller.list(query).await?;
            (page.tasks, page.next)
        }
    };
    let generations = tasks.into_iter().map(Generation::of).collect::<Result<_, _>>()?;
    Ok(Json(Page { generations, next_cursor: next.map(|id: TaskId| id.to_string()) }).into_response())
}

fn read(asker: &Asker, wanted: GenerationsQuery) -> Result<(TaskQuery, Option<RunId>), Problem> {
    let mut query = TaskQuery { limit: query::page_size(wanted.limit)?, ..TaskQuery::default() };
    for word in wanted.status.iter().flat_map(|words| words.split(',')) {
        let status: GenerationStatus = word.trim().parse().map_err(|e: Error| malformed("status", &e))?;
        query.statuses.extend(status.of_tasks());
    }
    if let Some(name) = &wanted.tool_id {
        query.tool = Some(tools::resolve_id(&asker.caller, name)?);
    }
    if let Some(user) = wanted.user_id {
        let user = CallerId::new(user).map_err(|e| malformed("userId", &e))?;
        if asker.caller.id().is_some_and(|own| *own != user) {
            return Err(Problem::malformed("userId is another caller: ask the operator's route for theirs."));
        }
        query.caller = Some(user);
    }
    query.since = wanted.since.map(TaskId::first_at);
    query.before = wanted.until.map(TaskId::first_at);
    if let Some(cursor) = &wanted.cursor {
        let refused = |_| Problem::malformed("cursor is the nextCursor of an earlier page.");
        let cursor: TaskId = cursor.parse().map_err(refused)?;
        query.before = Some(query.before.map_or(cursor, |until| until.min(cursor)));
    }
    let run = wanted.run_id.map(RunId::new).transpose().map_err(|e| malformed("metadata.run_id", &e))?;
    Ok((query, run))
}

/// Does a task that was found by its run meet the other conditions?
fn holds(query: &TaskQuery, task: &TaskRecord) -> bool {
    query.caller.as_ref().is_none_or(|caller| *caller == task.caller)
        && query.tool.as_ref().is_none_or(|tool| *tool == task.tool_id)
        && (query.statuses.is_empty() || query.statuses.contains(&task.state.status))
        && query.since.is_none_or(|since| task.task_id >= since)
        && query.before.is_none_or(|before| task.task_id < before)
}

/// A body that is no generation is malformed; one that changes what is the station's is a conflict.
fn unreadable(error: &Error) -> Problem {
    match error.kind() {
        ErrorKind::InvalidInput => Problem::malformed(error.message().unwrap_or_default()),
        _ => Problem::from_error(error),
    }
}

fn malformed(name: &str, error: &Error) -> Problem {
    let sentence = error.message().map_or_else(|| error.to_string(), str::to_owned);
    Problem::malformed(format!("{name}: {sentence}"))
}
