//! Whom a caller's tasks tell by default.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use stationthis_core::notify::NotifyTarget;
use stationthis_core::station::Caller;
use stationthis_core::{CallerId, ErrorKind};

use crate::http::asker::Asker;
use crate::http::body;
use crate::http::problem::Problem;
use crate::http::router::Face;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notify {
    notify: Vec<NotifyTarget>,
}

/// `GET /api/internal/notify`: the caller's own.
pub(crate) async fn show(asker: Asker) -> Result<Json<Notify>, Problem> {
    read(&asker.caller).await
}

/// `PUT /api/internal/notify`.
pub(crate) async fn set(asker: Asker, request: Request) -> Result<Json<Notify>, Problem> {
    write(&asker.caller, request).await
}

/// `GET /api/internal/admin/callers/{caller}/notify`: any caller's.
pub(crate) async fn show_of(State(face): State<Face>, Path(caller): Path<String>) -> Result<Json<Notify>, Problem> {
    read(&as_caller(&face, caller)?).await
}

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
