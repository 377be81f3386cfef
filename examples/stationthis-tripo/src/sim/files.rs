//! Uploads and outputs.

use super::answer;
use super::server::Sim;
use axum::body::Bytes;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use stationthis_core::Timestamp;
use std::collections::HashMap;
use uuid::Uuid;

/// A GLB with an empty scene.
const GLB: &[u8] = b"glTF\x02\x00\x00\x00\x34\x00\x00\x00\x20\x00\x00\x00JSON{\"asset\":{\"version\":\"2.0\"}}     ";

/// A PNG of one pixel.
const PNG: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\x0dIDATx\xdac\xf8\xdf\xa0\xf0\x1f\x00\x06\xc0\x02\x9f\xcfi\xc6\xf2\x00\x00\x00\x00IEND\xaeB`\x82";

/// `POST /v3/files`.
pub(super) async fn upload(State(sim): State<Sim>, form: Result<Multipart, MultipartRejection>) -> Response {
    let Ok(mut form) = form else { return answer::error(400, 1003, "not a form") };
    while let Ok(Some(field)) = form.next_field().await {
        if field.name() == Some("file") && field.file_name().is_some() {
            let Ok(bytes) = field.bytes().await else { break };
            let token = new_token();
            sim.account().keep_file(token.clone(), Some(bytes.len()));
            return answer::ok(&json!({ "file_token": token }));
        }
    }
    answer::error(400, 1004, "file is required")
}

fn new_token() -> String {
    format!("file_{}", Uuid::new_v4())
}

/// `POST /v3/files/presign`.
pub(super) async fn presign(State(sim): State<Sim>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if body.get("format").and_then(Value::as_str).is_none_or(str::is_empty) {
        return answer::error(400, 1004, "format is required");
    }
    let token = new_token();
    sim.account().keep_file(token.clone(), None);
    let url = format!("{}/storage/{token}?signature=1", sim.inner.origin);
    answer::ok(&json!({ "presigned_url": url, "file_token": token, "expires_in": 1800 }))
}

/// `PUT` to a presigned URL: storage refuses two credentials.
pub(super) async fn put(
    State(sim): State<Sim>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if headers.contains_key(header::AUTHORIZATION) {
        return StatusCode::BAD_REQUEST;
    }
    match sim.account().files.get_mut(&token) {
        Some(size) => {
            *size = Some(body.len());
            StatusCode::OK
        }
        None => StatusCode::FORBIDDEN,
    }
}

/// `GET` of an output, while its URL lives.
pub(super) async fn output(
    State(sim): State<Sim>,
    Path((task, name)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let until = query.get("e").and_then(|text| text.parse().ok()).map(Timestamp::from_micros);
    if until.is_none_or(|until| until < Timestamp::now()) || sim.account().task(&task).is_none() {
        return (StatusCode::FORBIDDEN, "<Error><Code>AccessDenied</Code></Error>").into_response();
    }
    let (kind, bytes) = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("png") => ("image/png", PNG),
        Some("glb") => ("model/gltf-binary", GLB),
        _ => ("application/octet-stream", GLB),
    };
    ([(header::CONTENT_TYPE, kind)], bytes).into_response()
}
