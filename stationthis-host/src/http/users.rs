//! Users and their identities elsewhere.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use stationthis_core::{CallerId, ErrorKind};

use crate::http::asker::Asker;
use crate::http::body;
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::router::Face;
use crate::users::{Identity, User, Users};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserWish {
    identities: Vec<Identity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityQuery {
    platform: String,
    id: String,
}

/// `GET /api/internal/users/me`.
pub(crate) async fn show(State(face): State<Face>, asker: Asker) -> Result<Json<User>, Problem> {
    Ok(Json(Users::new(face.station).get(asker.id()?).await?))
}

/// `GET /api/internal/admin/users?platform=&id=`: whose an identity is.
pub(crate) async fn find(State(face): State<Face>, uri: Uri) -> Result<Json<User>, Problem> {
    let wanted: IdentityQuery = query::parse(&uri)?;
    let found = Users::new(face.station).find(&wanted.platform, &wanted.id).await?;
    found.map(Json).ok_or_else(|| absent("This identity is linked with no caller."))
}

/// `GET /api/internal/admin/users/{caller}`.
pub(crate) async fn show_of(State(face): State<Face>, Path(caller): Path<String>) -> Result<Json<User>, Problem> {
    Ok(Json(Users::new(face.station).get(&caller_id(caller)?).await?))
}

/// `PUT /api/internal/admin/users/{caller}`: links the identities that are new, unlinks those that are left out.
pub(crate) async fn set_of(
    State(face): State<Face>,
    Path(caller): Path<String>,
    request: Request,
) -> Result<Json<User>, Problem> {
    let caller = caller_id(caller)?;
    let wish: UserWish = body::read_json(request).await?;
    Ok(Json(Users::new(face.station).set(&caller, &wish.identities).await?))
}

fn caller_id(name: String) -> Result<CallerId, Problem> {
    CallerId::new(name).map_err(|_| absent("No caller can have this name."))
}

fn absent(detail: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, detail)
}
