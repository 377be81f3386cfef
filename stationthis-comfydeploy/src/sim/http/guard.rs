//! What happens to every request before its route: the books, outages, authentication.

use super::answer;
use crate::sim::service::Sim;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

/// The largest JSON body read. The service states no limit; data URLs make bodies large.
pub(super) const MAX_JSON_BODY: usize = 64 * 1024 * 1024;

/// Answered without a key (ComfyDeploy protocol notes §1.2).
const PUBLIC: [&str; 1] = ["/api/platform/gpu-pricing"];

pub(super) async fn guard(State(sim): State<Sim>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if !path.starts_with("/api") {
        return next.run(request).await;
    }
    let request = match note(&sim, request).await {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    if !sim.available() {
        let body = "Service Unavailable";
        return answer::text(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", body);
    }
    if !PUBLIC.contains(&path.as_str()) {
        let token = token(request.headers(), request.uri());
        let wanted = sim.inner.config.api_key.as_deref();
        let refusal = match (&token, wanted) {
            (None, _) => Some("Invalid or missing token"),
            (Some(given), Some(wanted)) if given != wanted => Some("Invalid or expired token"),
            _ => None,
        };
        if let Some(text) = refusal {
            return answer::detail(StatusCode::UNAUTHORIZED, text);
        }
    }
    next.run(request).await
}

/// Writes the request into the books, with its body when that is JSON.
async fn note(sim: &Sim, request: Request) -> Result<Request, Response> {
    let method = request.method().to_string();
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"));
    if !is_json {
        sim.requests().push(&method, &target, None);
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_JSON_BODY).await else {
        return Err(answer::detail(StatusCode::PAYLOAD_TOO_LARGE, "Request body too large"));
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    sim.requests().push(&method, &target, Some(text));
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// The caller's token, looked for where and in the order the server does.
fn token(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let cookie = || {
        let mut pairs = text("cookie")?.split(';').map(str::trim);
        pairs.find_map(|pair| pair.strip_prefix("__session="))
    };
    let query = || uri.query()?.split('&').find_map(|pair| pair.strip_prefix("cd_token="));
    let bearer = || text("authorization")?.strip_prefix("Bearer ")?.split(' ').next();
    let token = cookie().or_else(query).or_else(bearer).or_else(|| text("x-api-key"))?;
    (!token.is_empty()).then(|| token.to_owned())
}
