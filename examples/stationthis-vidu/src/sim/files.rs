//! Uploads in three steps, the bucket behind them, and what tasks made.

use super::answers::{checked, refusal};
use super::callbacks::etag;
use super::state::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

type Server = State<Arc<Shared>>;

pub(super) async fn begin(State(server): Server, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if let Err(refused) = checked(&server, &headers) {
        return *refused;
    }
    if body != json!({ "scene": "vidu" }) {
        return refusal(400, "FieldInvalid", "scene is invalid");
    }
    let id = server.begin_upload();
    let put_url = format!("{}/bucket/{id}?X-Sig=z", server.origin);
    Json(json!({ "id": id.to_string(), "put_url": put_url, "expires_at": "2026-11-23T11:00:00Z" })).into_response()
}

/// The bucket wants no key, and a media type.
pub(super) async fn put(State(server): Server, Path(id): Path<usize>, headers: HeaderMap, bytes: Bytes) -> Response {
    if headers.contains_key("authorization") || !headers.contains_key("content-type") || !server.put(id, bytes.len()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    ([("etag", etag(bytes.len()))], "").into_response()
}

pub(super) async fn finish(
    State(server): Server,
    Path(id): Path<usize>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Err(refused) = checked(&server, &headers) {
        return *refused;
    }
    if server.end_upload(id, body.get("etag").and_then(Value::as_str).unwrap_or_default()) {
        Json(json!({ "uri": format!("ssupload:?id={id}") })).into_response()
    } else {
        refusal(400, "FieldInvalid", "etag is invalid")
    }
}

pub(super) async fn output(State(server): Server, Path(file): Path<String>) -> Response {
    if server.script().outputs_ended {
        return StatusCode::FORBIDDEN.into_response();
    }
    let kind = match file.rsplit_once('.') {
        Some((_, "mp4")) => "video/mp4",
        Some((_, "png")) => "image/png",
        Some((_, "mp3")) => "audio/mpeg",
        _ => "image/jpeg",
    };
    ([("content-type", kind)], format!("the bytes of {file}")).into_response()
}
