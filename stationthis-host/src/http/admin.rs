//! What the operator does about the store.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stationthis_core::{ErrorKind, Timestamp};

use crate::housekeeping;
use crate::http::body;
use crate::http::problem::Problem;
use crate::http::router::Face;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PruneWish {
    older_than_days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupWish {
    file: String,
}

/// `POST /api/internal/admin/prune`.
pub(crate) async fn prune(State(face): State<Face>, request: Request) -> Result<Response, Problem> {
    let wish: PruneWish = body::read_json(request).await?;
    Ok(Json(housekeeping::prune(&face.station, wish.older_than_days, Timestamp::now()).await?).into_response())
}

/// `POST /api/internal/admin/backup`: a file of this name in the host's folder of backups.
pub(crate) async fn backup(State(face): State<Face>, request: Request) -> Result<Response, Problem> {
    let Some(backups) = &face.backups else {
        let detail = "This host's store makes no backups of itself.";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, ErrorKind::Unsupported, detail));
    };
    let wish: BackupWish = body::read_json(request).await?;
    let made = backups.make(&wish.file).await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}
