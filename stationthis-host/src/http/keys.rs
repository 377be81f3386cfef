//! The operator's routes for API keys.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use stationthis_core::Timestamp;

use crate::http::about::{About, Answer};
use crate::http::body;
use crate::http::problem::Problem;
use crate::http::router::Face;
use crate::keys::{ApiKey, KeyWish};

/// A key that was just made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewApiKey")]
struct Made<'a> {
    #[serde(flatten)]
    listed: &'a ApiKey,
    /// Its text, which is in this answer and nowhere else.
    key: &'a str,
}

/// All keys.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApiKeyList")]
pub(crate) struct Keys {
    keys: Vec<ApiKey>,
}

pub(crate) const LIST: About =
    About::new("Every API key", &[Answer::json::<Keys>(200, "The keys, without their texts.")]);

/// `GET /api/internal/admin/keys`.
pub(crate) async fn list(State(face): State<Face>) -> Result<Json<Keys>, Problem> {
    Ok(Json(Keys { keys: face.keys.list().await? }))
}

pub(crate) const CREATE: About =
    About::new("Make an API key", &[Answer::json::<Made<'_>>(201, "The key, with its text.")])
        .body::<KeyWish>()
        .problems(&[409, 422]);

/// `POST /api/internal/admin/keys`: the one answer that holds the key's text.
pub(crate) async fn create(State(face): State<Face>, request: Request) -> Result<Response, Problem> {
    let wish: KeyWish = body::read_json(request).await?;
    let made = face.keys.create(wish, Timestamp::now()).await?;
    let answer = Made { listed: &made.listed, key: made.key.expose() };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

pub(crate) const REVOKE: About =
    About::new("End an API key", &[Answer::json::<ApiKey>(200, "The key as it is now.")]).problems(&[404]);

/// `POST /api/internal/admin/keys/{key_id}/revoke`.
pub(crate) async fn revoke(State(face): State<Face>, Path(key_id): Path<String>) -> Result<Json<ApiKey>, Problem> {
    Ok(Json(face.keys.revoke(&key_id, Timestamp::now()).await?))
}
