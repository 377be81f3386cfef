//! The error shapes of ComfyDeploy protocol notes §1.3.

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

/// A 200 with a body.
pub(super) fn ok(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => text(StatusCode::OK, "application/json", bytes),
        Err(_) => crash(),
    }
}

/// `{"detail": "…"}`.
pub(super) fn detail(status: StatusCode, detail: &str) -> Response {
    let body = json!({ "detail": detail }).to_string();
    text(status, "application/json", body)
}

/// 422 with a list of problems.
pub(super) fn invalid(problems: Vec<Value>) -> Response {
    let body = json!({ "detail": problems }).to_string();
    text(StatusCode::UNPROCESSABLE_ENTITY, "application/json", body)
}

/// An uncaught exception: 500 in plain text.
pub(super) fn crash() -> Response {
    let body = "Internal Server Error";
    text(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", body)
}

/// What an S3 bucket says.
pub(super) fn bucket(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{message}</Message></Error>"
    );
    text(status, "application/xml", body)
}

/// No answer at all: the connection is closed.
pub(super) fn dropped() -> Response {
    // The server writes nothing before the first piece of the body, and closes when that fails.
    let broken = futures_util::stream::once(async {
        Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    Response::new(Body::from_stream(broken))
}

/// Any body.
pub(super) fn text(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    (status, [(header::CONTENT_TYPE, kind)], body.into()).into_response()
}

/// An unknown path with a good key.
pub(super) async fn not_found() -> Response {
    detail(StatusCode::NOT_FOUND, "Not Found")
}

/// A known path with another method.
pub(super) async fn method_not_allowed() -> Response {
    detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}
