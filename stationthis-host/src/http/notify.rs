//! Whom a caller's tasks tell by default.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stationthis_core::notify::NotifyTarget;
use stationthis_core::station::Caller;
use stationthis_core::{CallerId, ErrorKind};

use crate::http::about::{About, Answer};
use crate::http::asker::Asker;
use crate::http::body;
use crate::http::problem::Problem;
use crate::http::router::Face;

/// Whom tasks tell.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notify {
    /// At most 16.
    notify: Vec<NotifyTarget>,
}

pub(crate) const SHOW: About =
    About::new("Whom all your tasks tell about their end", &[Answer::json::<Notify>(200, "Whom they tell.")]);

/// `GET /api/internal/notify`: the caller's own.
pub(crate) async fn show(asker: Asker) -> Result<Json<Notify>, Problem> {
    read(&asker.caller).await
}

pub(crate) const SET: About =
    About::new("Say whom all your tasks tell", &[Answer::json::<Notify>(200, "Whom they tell from now on.")])
        .body::<Notify>()
        .problems(&[409, 422]);

/// `PUT /api/internal/notify`.
pub(crate) async fn set(asker: Asker, request: Request) -> Result<Json<Notify>, Problem> {
    write(&asker.caller, request).await
}

pub(crate) const SHOW_OF: About =
    About::new("Whom all tasks of a caller tell", &[Answer::json::<Notify>(200, "Whom they tell.")]).problems(&[404]);

/// `GET /api/internal/admin/callers/{caller}/notify`: any caller's.
pub(crate) async fn show_of(State(face): State<Face>, Path(caller): Path<String>) -> Result<Json<Notify>, Problem> {
    read(&as_caller(&face, caller)?).await
}

pub(crate) const SET_OF: About =
    About::new("Say whom all tasks of a caller tell", &[Answer::json::<Notify>(200, "Whom they tell from now on.")])
        .body::<Notify>()
        .problems(&[404, 409, 422]);

/// `PUT /api/internal/admin/callers/{caller}/notify`.
pub(crate) async fn set_of(
    State(face): State<Face>,
    Path(caller): Path<String>,
    request: Request,
) -> Result<Json<Notify>, Problem> {
    write(&as_caller(&face, caller)?, request).await
}

async fn read(caller: &Caller) -> Result<Json<Notify>, Problem> {
    Ok(Json(Notify { notify: caller.default_notify().await? }))
}

async fn write(caller: &Caller, request: Request) -> Result<Json<Notify>, Problem> {
    let wanted: Notify = body::read_json(request).await?;
    Ok(Json(Notify { notify: caller.set_default_notify(&wanted.notify).await? }))
}

fn as_caller(face: &Face, name: String) -> Result<Caller, Problem> {
    let refused = |_| Problem::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, "No caller can have this name.");
    Ok(face.station.as_caller(CallerId::new(name).map_err(refused)?))
}
