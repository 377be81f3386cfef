//! The operator's routes for API keys.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use stationthis_core::Timestamp;

use crate::http::body;
use crate::http::problem::Problem;
use crate::http::router::Face;
use crate::keys::{ApiKey, KeyWish};

#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    listed: &'a ApiKey,
    key: &'a str,
}

/// `GET /api/internal/admin/keys`.
pub(crate) async fn list(State(face): State<Face>) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({ "keys": face.keys.list().await? })))
}

/// `POST /api/internal/admin/keys`: the one answer that holds the key's text.
pub(crate) async fn create(State(face): State<Face>, request: Request) -> Result<Response, Problem> {
    let wish: KeyWish = body::read_json(request).await?;
    let made = face.keys.create(wish, Timestamp::now()).await?;
    let answer = Made { listed: &made.listed, key: made.key.expose() };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `POST /api/internal/admin/keys/{key_id}/revoke`.
pub(crate) async fn revoke(State(face): State<Face>, Path(key_id): Path<String>) -> Result<Json<ApiKey>, Problem> {
    Ok(Json(face.keys.revoke(&key_id, Timestamp::now()).await?))
}
