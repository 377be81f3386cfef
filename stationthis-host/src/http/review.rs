//! Why a task is what it is, and what a person does about it.

use axum::Json;
use axum::extract::{Path, Request, State};
use stationthis_core::task::TaskRecord;
use stationthis_core::task::event::Resolution;

use crate::http::about::{About, Answer};
use crate::http::asker::Asker;
use crate::http::body;
use crate::http::problem::Problem;
use crate::http::router::Face;
use crate::http::tasks::task_id;
use crate::story::Story;

pub(crate) const EXPLAIN: About =
    About::new("All that happened to a task", &[Answer::json::<Story>(200, "The story.")]).problems(&[404]);

/// `GET …/tasks/{id}/explain`: the whole story, and whether the record follows from it.
pub(crate) async fn explain(
    State(face): State<Face>,
    asker: Asker,
    Path(id): Path<String>,
) -> Result<Json<Story>, Problem> {
    Ok(Json(Story::tell(&face.station, &asker.caller, task_id(&id)?).await?))
}

pub(crate) const RESOLVE: About =
    About::new("Say what became of a submission in doubt", &[Answer::json::<TaskRecord>(200, "The task.")])
        .body::<Resolution>()
        .problems(&[404, 409, 501, 502]);

/// `POST /api/internal/admin/tasks/{id}/resolve`.
pub(crate) async fn resolve(
    asker: Asker,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<TaskRecord>, Problem> {
    let resolution: Resolution = body::read_json(request).await?;
    Ok(Json(asker.caller.resolve_task(task_id(&id)?, resolution).await?))
}

pub(crate) const RECONCILE: About =
    About::new("Ask the service again about a task that has ended", &[Answer::json::<TaskRecord>(200, "The task.")])
        .problems(&[404, 409, 501, 502]);

/// `POST /api/internal/admin/tasks/{id}/reconcile`.
pub(crate) async fn reconcile(asker: Asker, Path(id): Path<String>) -> Result<Json<TaskRecord>, Problem> {
    Ok(Json(asker.caller.reconcile(task_id(&id)?).await?))
}
