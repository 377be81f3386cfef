//! The routes and the layers around them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use stationthis_core::station::Station;
use stationthis_core::{CallerId, ErrorKind, Secret};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::http::limits::CallerLimits;
use crate::http::problem::Problem;
use crate::http::server::ServerLimits;
use crate::http::{asker, auth, frame, health, keys, notify, run, tasks, tools, webhook};
use crate::keys::ApiKeys;

/// Under it is what callers and the operator use.
const INTERNAL: &str = "/api/internal";

/// Under it, below [`INTERNAL`], is what is the operator's alone.
const ADMIN: &str = "/admin";

/// How the HTTP face of a station behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpConfig {
    /// Who the operator's requests act for.
    pub caller: CallerId,
    /// The operator's key. Without one, the operator is whoever asks from this machine.
    pub api_key: Option<Secret>,
    /// What each caller may ask.
    pub callers: CallerLimits,
    /// How long requests may take.
    pub server: ServerLimits,
}

impl HttpConfig {
    /// A face whose operator acts for `caller` and is on this machine.
    #[must_use]
    pub fn new(caller: CallerId) -> Self {
        Self { caller, api_key: None, callers: CallerLimits::default(), server: ServerLimits::default() }
    }

    /// With a key.
    #[must_use]
    pub fn with_api_key(mut self, key: Option<Secret>) -> Self {
        self.api_key = key;
        self
    }

    /// With other limits of callers.
    #[must_use]
    pub const fn with_caller_limits(mut self, limits: CallerLimits) -> Self {
        self.callers = limits;
        self
    }

    /// With other limits of requests.
    #[must_use]
    pub const fn with_server_limits(mut self, limits: ServerLimits) -> Self {
        self.server = limits;
        self
    }
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Face {
    pub(crate) station: Station,
    pub(crate) keys: Arc<ApiKeys>,
}

impl FromRef<Face> for Station {
    fn from_ref(face: &Face) -> Self {
        face.station.clone()
    }
}

/// Whom a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Anybody.
    Open,
    /// Providers: each request carries the token of its task.
    Provider,
    /// A caller, each with its own tasks, and the operator.
    Caller,
    /// The operator.
    Operator,
}

/// One request that a host answers.
#[derive(Debug)]
#[non_exhaustive]
pub struct Route {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path, whose variable parts stand in braces.
    pub path: &'static str,
    /// Whom it answers.
    pub scope: Scope,
    filter: MethodFilter,
    handler: fn(MethodFilter) -> MethodRouter<Face>,
}

const GET: (&str, MethodFilter) = ("GET", MethodFilter::GET);
const POST: (&str, MethodFilter) = ("POST", MethodFilter::POST);
const PUT: (&str, MethodFilter) = ("PUT", MethodFilter::PUT);

impl Route {
    const fn new(
        scope: Scope,
        (method, filter): (&'static str, MethodFilter),
        path: &'static str,
        handler: fn(MethodFilter) -> MethodRouter<Face>,
    ) -> Self {
        Self { method, path, scope, filter, handler }
    }
}

/// Every request that [`router`] answers; there is no other.
pub static ROUTES: [Route; 20] = [
    Route::new(Scope::Open, GET, "/healthz", |f| on(f, health::live)),
    Route::new(Scope::Open, GET, "/readyz", |f| on(f, health::ready)),
    Route::new(Scope::Provider, GET, "/api/webhook/{provider_id}/{task_id}", |f| on(f, webhook::receive)),
    Route::new(Scope::Provider, POST, "/api/webhook/{provider_id}/{task_id}", |f| on(f, webhook::receive)),
    Route::new(Scope::Provider, GET, "/api/webhook/{provider_id}", |f| on(f, webhook::receive)),
    Route::new(Scope::Provider, POST, "/api/webhook/{provider_id}", |f| on(f, webhook::receive)),
    Route::new(Scope::Caller, GET, "/api/internal/tools", |f| on(f, tools::list)),
    Route::new(Scope::Caller, GET, "/api/internal/tools/{id}", |f| on(f, tools::show)),
    Route::new(Scope::Caller, POST, "/api/internal/run/{workflow_name}", |f| on(f, run::run)),
    Route::new(Scope::Caller, POST, "/api/internal/quote/{workflow_name}", |f| on(f, run::quote)),
    Route::new(Scope::Caller, GET, "/api/internal/tasks", |f| on(f, tasks::list)),
    Route::new(Scope::Caller, GET, "/api/internal/tasks/{id}", |f| on(f, tasks::show)),
    Route::new(Scope::Caller, POST, "/api/internal/tasks/{id}/cancel", |f| on(f, tasks::cancel)),
    Route::new(Scope::Caller, GET, "/api/internal/notify", |f| on(f, notify::show)),
    Route::new(Scope::Caller, PUT, "/api/internal/notify", |f| on(f, notify::set)),
    Route::new(Scope::Operator, GET, "/api/internal/admin/callers/{caller}/notify", |f| on(f, notify::show_of)),
    Route::new(Scope::Operator, PUT, "/api/internal/admin/callers/{caller}/notify", |f| on(f, notify::set_of)),
    Route::new(Scope::Operator, GET, "/api/internal/admin/keys", |f| on(f, keys::list)),
    Route::new(Scope::Operator, POST, "/api/internal/admin/keys", |f| on(f, keys::create)),
    Route::new(Scope::Operator, POST, "/api/internal/admin/keys/{key_id}/revoke", |f| on(f, keys::revoke)),
];

/// The whole HTTP face of a station.
///
/// Webhooks and health need no key: a webhook carries its own token. Request ids, time limits, body limits and the
/// writing of problems are inside, and so is the answer to unknown paths.
///
/// Merge it into a router of yours that has no fallback of its own. Do not nest it: the paths in its answers (`Location`,
/// `instance`) have no prefix.
pub fn router(station: Station, config: &HttpConfig) -> Router {
    let keys = Arc::new(ApiKeys::new(station.clone()));
    let gate = Arc::new(auth::Gate::new(station.clone(), Arc::clone(&keys), config));
    let admin = routes(Scope::Operator).layer(from_fn(asker::operator_only));
    let internal = routes(Scope::Caller)
        .nest(ADMIN, admin)
        // Over the fallback too: without a key nobody learns which paths exist.
        .layer(from_fn_with_state(gate, auth::check));
    let all = routes(Scope::Open).merge(routes(Scope::Provider)).nest(INTERNAL, internal);
    surround(all, Face { station, keys }, &config.server)
}

/// Only the webhooks of a station, for an application whose other routes are its own.
pub fn webhook_router(station: Station) -> Router {
    let keys = Arc::new(ApiKeys::new(station.clone()));
    surround(routes(Scope::Provider), Face { station, keys }, &ServerLimits::default())
}

/// The routes of a scope, below its prefix; inner ones answer for the whole of it.
fn routes(scope: Scope) -> Router<Face> {
    let prefix = match scope {
        Scope::Open | Scope::Provider => "",
        Scope::Caller => INTERNAL,
        Scope::Operator => "/api/internal/admin",
    };
    let mut router = Router::new();
    for route in ROUTES.iter().filter(|route| route.scope == scope) {
        let path = route.path.strip_prefix(prefix).unwrap_or(route.path);
        router = router.route(path, (route.handler)(route.filter));
    }
    match scope {
        Scope::Open | Scope::Provider => router,
        Scope::Caller | Scope::Operator => router.fallback(not_found).method_not_allowed_fallback(wrong_method),
    }
}

fn surround(routes: Router<Face>, face: Face, limits: &ServerLimits) -> Router {
    let nosniff = HeaderName::from_static("x-content-type-options");
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .with_state(face)
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            tracing::error!("a request handler panicked");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Unexpected, "").into_response()
        }))
        .layer(RequestBodyTimeoutLayer::new(limits.body_pause))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(SetResponseHeaderLayer::if_not_present(nosniff, HeaderValue::from_static("nosniff")))
        .layer(from_fn_with_state(limits.request_timeout, frame::surround))
}

async fn not_found() -> Response {
    Problem::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, "There is nothing at this path.").into_response()
}

async fn wrong_method(request: Request) -> Response {
    let detail = format!("{} is not a method of this path.", request.method());
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, ErrorKind::Unsupported, detail);
    problem.into_response()
}
