//! The routes and the layers around them.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use stationthis_core::station::{Caller, Station};
use stationthis_core::{CallerId, ErrorKind, Secret};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::http::problem::Problem;
use crate::http::{auth, frame, health, run, tasks, tools, webhook};

/// The longest pause between two pieces of a request's body.
const BODY_PAUSE_MAX: Duration = Duration::from_secs(15);

/// How the HTTP face of a station behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpConfig {
    /// Who every request acts for.
    pub caller: CallerId,
    /// The key that requests must carry; without one, only this machine is answered (see [`auth::Gate`]).
    pub api_key: Option<Secret>,
}

impl HttpConfig {
    /// A face that acts for `caller` and answers this machine only.
    #[must_use]
    pub const fn new(caller: CallerId) -> Self {
        Self { caller, api_key: None }
    }

    /// With a key.
    #[must_use]
    pub fn with_api_key(mut self, key: Option<Secret>) -> Self {
        self.api_key = key;
        self
    }
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Face {
    pub(crate) caller: Caller,
}

/// The whole HTTP face of a station.
///
/// Webhooks and health need no key: a webhook carries its own token. Request ids, time limits, body limits and the
/// writing of problems are inside, and so is the answer to unknown paths.
///
/// Merge it into a router of yours that has no fallback of its own. Do not nest it: the paths in its answers (`Location`,
/// `instance`) have no prefix.
pub fn router(station: Station, config: &HttpConfig) -> Router {
    let gate = auth::Gate::new(config.api_key.as_ref());
    let face = Face { caller: station.as_caller(config.caller.clone()) };
    let internal = Router::new()
        .route("/tools", get(tools::list))
        .route("/tools/{id}", get(tools::show))
        .route("/run/{workflow_name}", post(run::run))
        .route("/quote/{workflow_name}", post(run::quote))
        .route("/tasks", get(tasks::list))
        .route("/tasks/{id}", get(tasks::show))
        .route("/tasks/{id}/cancel", post(tasks::cancel))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        // Over the fallback too: without a key nobody learns which paths exist.
        .layer(from_fn_with_state(gate, auth::check))
        .with_state(face);
    let routes = Router::new()
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .with_state(station.clone())
        .nest("/api/internal", internal)
        .merge(webhook_routes(station));
    surround(routes)
}

/// Only the webhooks of a station, for an application whose other routes are its own.
pub fn webhook_router(station: Station) -> Router {
    surround(webhook_routes(station))
}

fn webhook_routes(station: Station) -> Router {
    Router::new()
        .route("/api/webhook/{provider_id}/{task_id}", get(webhook::receive).post(webhook::receive))
        .route("/api/webhook/{provider_id}", get(webhook::receive).post(webhook::receive))
        .with_state(station)
}

fn surround(routes: Router) -> Router {
    let nosniff = HeaderName::from_static("x-content-type-options");
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            tracing::error!("a request handler panicked");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Unexpected, "").into_response()
        }))
        .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE_MAX))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(SetResponseHeaderLayer::if_not_present(nosniff, HeaderValue::from_static("nosniff")))
        .layer(from_fn(frame::surround))
}

async fn not_found() -> Response {
    Problem::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, "There is nothing at this path.").into_response()
}

async fn wrong_method(request: Request) -> Response {
    let detail = format!("{} is not a method of this path.", request.method());
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, ErrorKind::Unsupported, detail);
    problem.into_response()
}
