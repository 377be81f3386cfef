//! Tasks: list, show, cancel.

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use stationthis_core::store::TaskQuery;
use stationthis_core::task::TaskRecord;
use stationthis_core::{ErrorKind, TaskId};

use crate::http::about::{About, Answer, PREFER, PREFERENCE_APPLIED};
use crate::http::asker::Asker;
use crate::http::etag;
use crate::http::frame;
use crate::http::problem::Problem;
use crate::http::query::{self, ListQuery, WaitQuery};
use crate::http::tools;
use crate::http::wait::Wait;

/// A page of tasks, newest first.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TaskList")]
struct Page {
    tasks: Vec<TaskRecord>,
    /// Null on the last page.
    next_cursor: Option<String>,
}

pub(crate) const LIST: About = About::new("Tasks, newest first", &[Answer::json::<Page>(200, "A page of tasks.")])
    .query::<ListQuery>()
    .problems(&[404, 409, 410]);

/// `GET /api/internal/tasks`.
pub(crate) async fn list(asker: Asker, uri: Uri) -> Result<Response, Problem> {
    let wanted: ListQuery = query::parse(&uri)?;
    let mut query = TaskQuery::default();
    if let Some(words) = &wanted.status {
        let statuses = words.split(',').map(|word| word.trim().parse());
        let statuses = statuses.collect::<Result<Vec<_>, stationthis_core::Error>>();
        query.statuses = statuses.map_err(|e| Problem::malformed(format!("status: {}", e.message().unwrap_or(""))))?;
    }
    if let Some(name) = &wanted.tool {
        query.tool = Some(tools::resolve_id(&asker.caller, name)?);
    }
    if let Some(cursor) = &wanted.cursor {
        let refused = |_| Problem::malformed("cursor is the nextCursor of an earlier page.");
        query.before = Some(cursor.parse().map_err(refused)?);
    }
    query.needs_review = wanted.needs_review;
    query.limit = query::page_size(wanted.limit)?;
    let page = asker.caller.list(query).await?;
    let next_cursor = page.next.map(|id| id.to_string());
    Ok(Json(Page { tasks: page.tasks, next_cursor }).into_response())
}

pub(crate) const SHOW: About =
    About::new("One task", &[Answer::json::<TaskRecord>(200, "The task.").with_headers(&[PREFERENCE_APPLIED])])
        .query::<WaitQuery>()
        .headers(&[PREFER])
        .problems(&[404])
        .tagged();

/// `GET /api/internal/tasks/{id}`.
pub(crate) async fn show(
    asker: Asker,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = task_id(&id)?;
    let wait = Wait::of(&uri, &headers)?;
    let task = match wait.duration() {
        Some(wait) => {
            let _place = asker.wait()?;
            asker.caller.wait(id, wait).await?
        }
        None => asker.caller.task(id).await?,
    };
    Ok(wait.tell(etag::task(&headers, &task)?))
}

pub(crate) const CANCEL: About = About::new(
    "Ask for a task to be cancelled",
    &[Answer::json::<TaskRecord>(200, "The task, with the wish recorded.")],
)
.problems(&[404]);

/// `POST /api/internal/tasks/{id}/cancel`: the wish is durable when this answers; what came of it is on the record.
pub(crate) async fn cancel(asker: Asker, Path(id): Path<String>) -> Result<Json<TaskRecord>, Problem> {
    let task = asker.caller.cancel(task_id(&id)?).await?;
    frame::about(task.task_id);
    Ok(Json(task))
}

/// What is no task id names no task.
pub(crate) fn task_id(text: &str) -> Result<TaskId, Problem> {
    text.parse().map_err(|_| Problem::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, "There is no such task."))
}
