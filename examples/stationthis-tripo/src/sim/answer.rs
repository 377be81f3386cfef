//! The envelope.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// `{"code":0,"status":"success","data":…}`.
pub(super) fn ok(data: &Value) -> Response {
    traced((StatusCode::OK, axum::Json(json!({ "code": 0, "status": "success", "data": data }))).into_response())
}

/// `{"code":…,"status":"error","message":…}`.
pub(super) fn error(status: u16, code: i64, message: &str) -> Response {
    let body = json!({ "code": code, "status": "error", "message": message, "suggestion": "see the docs", "request_id": "req-77" });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    traced((status, axum::Json(body)).into_response())
}

pub(super) fn retry_after(mut response: Response, pause: Duration) -> Response {
    // Whole seconds, at least one.
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(pause.as_secs().max(1)));
    response
}

/// An answer that breaks off before its first byte: the server writes nothing before the first piece of the body.
pub(super) fn dropped() -> Response {
    let broken = futures_util::stream::once(async {
        Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    Response::new(Body::from_stream(broken))
}

fn traced(mut response: Response) -> Response {
    response.headers_mut().insert("x-tripo-trace-id", HeaderValue::from_static("trace-4711"));
    response
}
