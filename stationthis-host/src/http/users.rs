//! Users and their identities elsewhere.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use schemars::JsonSchema;
use serde::Deserialize;
use stationthis_core::{CallerId, ErrorKind};

use crate::http::about::{About, Answer};
use crate::http::asker::Asker;
use crate::http::body;
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::router::Face;
use crate::users::{Identity, User, Users};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UserWish {
    /// All of them; what is left out is unlinked. At most 16.
    identities: Vec<Identity>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IdentityQuery {
    /// The platform, such as `telegram`.
    platform: String,
    /// The id there.
    id: String,
}

pub(crate) const SHOW: About =
    About::new("You, and who you are elsewhere", &[Answer::json::<User>(200, "The user.")]).problems(&[422]);

/// `GET /api/internal/users/me`.
pub(crate) async fn show(State(face): State<Face>, asker: Asker) -> Result<Json<User>, Problem> {
    Ok(Json(Users::new(face.station).get(asker.id()?).await?))
}

pub(crate) const FIND: About = About::new("Whose an identity is", &[Answer::json::<User>(200, "The user.")])
    .query::<IdentityQuery>()
    .problems(&[404, 422]);

/// `GET /api/internal/admin/users?platform=&id=`: whose an identity is.
pub(crate) async fn find(State(face): State<Face>, uri: Uri) -> Result<Json<User>, Problem> {
    let wanted: IdentityQuery = query::parse(&uri)?;
    let found = Users::new(face.station).find(&wanted.platform, &wanted.id).await?;
    found.map(Json).ok_or_else(|| absent("This identity is linked with no caller."))
}

pub(crate) const SHOW_OF: About =
    About::new("A caller, and who they are elsewhere", &[Answer::json::<User>(200, "The user.")]).problems(&[404]);

/// `GET /api/internal/admin/users/{caller}`.
pub(crate) async fn show_of(State(face): State<Face>, Path(caller): Path<String>) -> Result<Json<User>, Problem> {
    Ok(Json(Users::new(face.station).get(&caller_id(caller)?).await?))
}

pub(crate) const SET_OF: About = About::new("Say who a caller is elsewhere", &[Answer::json::<User>(200, "The user.")])
    .body::<UserWish>()
    .problems(&[404, 409, 422]);

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
