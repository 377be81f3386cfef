//! What the operator does about the store.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use stationthis_core::{ErrorKind, Timestamp};

use crate::housekeeping::{self, Backup, Pruned};
use crate::http::about::{About, Answer};
use crate::http::body;
use crate::http::problem::Problem;
use crate::http::router::Face;
use crate::outputs::Outputs;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PruneWish {
    /// How many days ago tasks must have ended.
    #[schemars(range(min = 1, max = 36_500))]
    older_than_days: u32,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BackupWish {
    /// The bare name of a new file: letters, digits, `.`, `-` and `_`, the first no dot.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$"))]
    file: String,
}

pub(crate) const PRUNE: About =
    About::new("Forget tasks that ended long ago", &[Answer::json::<Pruned>(200, "What was forgotten.")])
        .body::<PruneWish>()
        .problems(&[422]);

/// `POST /api/internal/admin/prune`.
pub(crate) async fn prune(State(face): State<Face>, request: Request) -> Result<Response, Problem> {
    let wish: PruneWish = body::read_json(request).await?;
    let custody = face.outputs.as_ref().and_then(Outputs::custody);
    let pruned = housekeeping::prune(&face.station, custody, wish.older_than_days, Timestamp::now()).await?;
    Ok(Json(pruned).into_response())
}

pub(crate) const BACKUP: About =
    About::new("Copy the store into the host's folder of backups", &[Answer::json::<Backup>(201, "The copy.")])
        .body::<BackupWish>()
        .problems(&[409, 422, 501]);

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
