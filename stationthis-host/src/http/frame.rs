//! What surrounds every request: an id, a time limit, and the writing of problems.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use stationthis_core::{ErrorKind, TaskId};
use tracing::Instrument;
use uuid::Uuid;

use crate::http::mount::Mount;
use crate::http::problem::Problem;
use crate::http::routes::{ROUTES, Route};
use crate::http::server::ServerLimits;
use crate::http::trace_context::TraceContext;
use crate::metrics;

/// The header that carries a request's id, in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ids from outside are replaced: they go into every log line.
const REQUEST_ID_CHARS_MAX: usize = 128;

/// The longest that requests may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestTimes {
    any: Duration,
    /// One that sends a file.
    upload: Duration,
}

impl RequestTimes {
    /// With what an upload may take besides.
    pub(crate) const fn new(limits: &ServerLimits, upload_time: Duration) -> Self {
        Self { any: limits.request_timeout, upload: limits.request_timeout.saturating_add(upload_time) }
    }

    fn of(self, method: &Method, route: Option<&MatchedPath>, mount: &Mount) -> Duration {
        let path = route.and_then(|route| route.as_str().strip_prefix(mount.as_str()));
        let is_it =
            |known: &Route| known.about.takes_form() && known.method == method && path.is_some_and(|p| known.path == p);
        if ROUTES.iter().any(is_it) { self.upload } else { self.any }
    }
}

/// The outermost layer, with the longest a request may take. An id that the client sent is kept when it is harmless, else
/// one is made.
pub(crate) async fn surround(State(times): State<RequestTimes>, mut request: Request, next: Next) -> Response {
    let id = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| harmless(id));
    let id = id.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    let mount = Mount::outermost(request.extensions());
    let (method, path) = (request.method().clone(), mount.path(request.uri().path()));
    let route = request.extensions().get::<MatchedPath>().cloned();
    let timeout = times.of(&method, route.as_ref(), &mount);
    request.extensions_mut().insert(mount);
    let began = Instant::now();
    // The path only: a query may hold a callback token. The task is named by a handler that knows it.
    let empty = tracing::field::Empty;
    let span = tracing::info_span!("request", %method, path, request_id = id, trace_id = empty, task_id = empty);
    if let Some(context) = TraceContext::of(request.headers()) {
        span.record("trace_id", format!("{:032x}", context.trace_id));
        #[cfg(feature = "otel")]
        context.adopt(&span);
    }
    // Dropping the handler leaves nothing half done: what it had committed stands, the rest did not happen.
    let answer = tokio::time::timeout(timeout, next.run(request)).instrument(span.clone()).await;
    let mut response = answer.unwrap_or_else(|_| {
        Problem::new(StatusCode::GATEWAY_TIMEOUT, ErrorKind::Timeout, "The request took too long.").into_response()
    });
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        let headers = std::mem::take(response.headers_mut());
        problem.instance = Some(path.clone());
        problem.request_id = Some(id.clone());
        response = problem.into_response();
        // What the inner layers said besides the body (Retry-After, Allow) stays.
        for (name, value) in &headers {
            if name != axum::http::header::CONTENT_LENGTH {
                response.headers_mut().insert(name.clone(), value.clone());
            }
        }
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), took_ms, "answered"));
    metrics::answered(&method, route.as_ref(), response.status(), began);
    response
}

/// Refuses a path that is no text, which routes could not read.
pub(crate) async fn text_path(request: Request, next: Next) -> Response {
    if is_text(request.uri().path()) {
        return next.run(request).await;
    }
    Problem::malformed("The path is not UTF-8 when its escapes are resolved.").into_response()
}

fn is_text(path: &str) -> bool {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        // What is no escape stands for itself, which is text.
        bytes.extend(part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()));
        bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// Says that the present request is about a task: its span is then in that task's trace.
pub(crate) fn about(task: TaskId) {
    tracing::Span::current().record("task_id", tracing::field::display(task));
}

fn harmless(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= REQUEST_ID_CHARS_MAX
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_text_when_its_escapes_are() {
        for text in ["/a/b", "/caf%C3%A9", "/100%", "/%zz", "/%2", "/a%00b"] {
            assert!(is_text(text), "{text}");
        }
        for other in ["/%ff", "/caf%C3", "/%C3x", "/%A9%C3"] {
            assert!(!is_text(other), "{other}");
        }
    }

    #[test]
    fn ids_from_outside_are_kept_only_when_harmless() {
        assert!(harmless("3f2b-a.b:c_D"));
        assert!(!harmless("") && !harmless("a b") && !harmless("a\"b") && !harmless(&"x".repeat(129)));
    }
}
