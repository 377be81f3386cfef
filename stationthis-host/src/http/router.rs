//! The routes and the layers around them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use stationthis_core::station::Station;
use stationthis_core::{CallerId, ErrorKind, Secret};
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::files::Files;
use crate::housekeeping::Backups;
use crate::http::cors::{self, Origin};
use crate::http::frame::{self, RequestTimes};
use crate::http::health::HostId;
use crate::http::identify::Identify;
use crate::http::limits::CallerLimits;
use crate::http::openapi::OpenApi;
use crate::http::problem::Problem;
use crate::http::routes::{ROUTES, Scope};
use crate::http::server::ServerLimits;
use crate::http::{asker, auth, files, health};
use crate::keys::ApiKeys;
use crate::metrics::Metrics;
use crate::outputs::Outputs;

/// Under it is what callers and the operator use.
const INTERNAL: &str = "/api/internal";

/// Under it, below [`INTERNAL`], is what is the operator's alone.
const ADMIN: &str = "/admin";

/// [`ADMIN`] in full.
const INTERNAL_ADMIN: &str = "/api/internal/admin";

/// How the HTTP face of a station behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpConfig {
    /// Who the operator's requests act for.
    pub caller: CallerId,
    /// The operator's key. Without one, the operator is whoever asks from this machine; with [`Self::identify`], nobody.
    pub api_key: Option<Secret>,
    /// What knows callers, in an application with users of its own. Without it their API keys do.
    pub identify: Option<Arc<dyn Identify>>,
    /// What each caller may ask.
    pub callers: CallerLimits,
    /// How long requests may take.
    pub server: ServerLimits,
    /// Where the operator's backups go; without it there are none.
    pub backups: Option<Backups>,
    /// What a scrape reads; without it there is nothing to scrape.
    pub metrics: Option<Metrics>,
    /// Where callers' files are kept; without it none are taken.
    pub files: Option<Files>,
    /// What fetches outputs; without it they are at their URLs alone.
    pub outputs: Option<Outputs>,
    /// What `/healthz` says of which host it is; anybody may see it.
    pub host_id: Option<Arc<str>>,
    /// Where web pages come from that may use it from a browser, each with a key.
    pub cors_origins: Vec<Origin>,
}

impl HttpConfig {
    /// A face whose operator acts for `caller` and is on this machine.
    #[must_use]
    pub fn new(caller: CallerId) -> Self {
        Self {
            caller,
            api_key: None,
            identify: None,
            callers: CallerLimits::default(),
            server: ServerLimits::default(),
            backups: None,
            metrics: None,
            files: None,
            outputs: None,
            host_id: None,
            cors_origins: Vec::new(),
        }
    }

    /// With a key.
    #[must_use]
    pub fn with_api_key(mut self, key: Option<Secret>) -> Self {
        self.api_key = key;
        self
    }

    /// For an application that knows its users itself, whom it names as callers: their API keys open nothing then, and
    /// without [`Self::with_api_key`] nobody is the operator, from this machine neither.
    #[must_use]
    pub fn with_identify(mut self, identify: Arc<dyn Identify>) -> Self {
        self.identify = Some(identify);
        self
    }

    /// With other limits of callers.
    #[must_use]
    pub const fn with_caller_limits(mut self, limits: CallerLimits) -> Self {
        self.callers = limits;
        self
    }

    /// With backups of the store on demand.
    #[must_use]
    pub fn with_backups(mut self, backups: Backups) -> Self {
        self.backups = Some(backups);
        self
    }

    /// With a name of the host for `/healthz`.
    #[must_use]
    pub fn with_host_id(mut self, id: Arc<str>) -> Self {
        self.host_id = Some(id);
        self
    }

    /// With metrics to scrape.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// With files that callers may keep here: those of the station's media source.
    #[must_use]
    pub fn with_files(mut self, files: Files) -> Self {
        self.files = Some(files);
        self
    }

    /// With outputs that are fetched through this host.
    #[must_use]
    pub fn with_outputs(mut self, outputs: Outputs) -> Self {
        self.outputs = Some(outputs);
        self
    }

    /// For web pages from these origins too.
    #[must_use]
    pub fn with_cors_origins(mut self, origins: Vec<Origin>) -> Self {
        self.cors_origins = origins;
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
    pub(crate) backups: Option<Backups>,
    pub(crate) metrics: Option<Metrics>,
    pub(crate) openapi: Arc<OpenApi>,
    pub(crate) files: Option<Files>,
    pub(crate) outputs: Option<Outputs>,
    pub(crate) host_id: HostId,
}

impl FromRef<Face> for HostId {
    fn from_ref(face: &Face) -> Self {
        face.host_id.clone()
    }
}

impl FromRef<Face> for Station {
    fn from_ref(face: &Face) -> Self {
        face.station.clone()
    }
}

/// The whole HTTP face of a station.
///
/// Webhooks and health need no key: a webhook carries its own token. Request ids, time limits, body limits and the
/// writing of problems are inside, and so is the answer to unknown paths.
///
/// Nest it in a router of yours, under a path without variables, or merge it into one that has no fallback of its own.
/// Nested, the paths in its answers (`Location`, `instance`, the `servers` of the OpenAPI document) begin with that path;
/// the station's `public_url` must end in it, or webhooks go astray. A proxy that cuts a path off before the application
/// is not seen.
pub fn router(station: Station, config: &HttpConfig) -> Router {
    let keys = Arc::new(ApiKeys::new(station.clone()));
    let gate = Arc::new(auth::Gate::new(station.clone(), Arc::clone(&keys), config));
    let operator_only = from_fn_with_state(station.admin(), asker::operator_only);
    // Over the fallbacks too: without a key nobody learns which paths exist.
    let gate = from_fn_with_state(gate, auth::check);
    let admin = routes_below(INTERNAL_ADMIN, Scope::Operator).layer(operator_only.clone());
    let internal = routes_below(INTERNAL, Scope::Caller).nest(ADMIN, admin).layer(gate.clone());
    let outside = routes_outside(Scope::Operator).layer(operator_only).layer(gate);
    let open = routes_outside(Scope::Open).merge(routes_outside(Scope::Provider));
    let all = open.merge(outside).nest(INTERNAL, internal);
    let (backups, metrics) = (config.backups.clone(), config.metrics.clone());
    let (files, outputs) = (config.files.clone(), config.outputs.clone());
    let host_id = HostId(config.host_id.clone());
    let upload_time = files.as_ref().map_or(Duration::ZERO, files::upload_time);
    let openapi = Arc::new(OpenApi::new(config.identify.is_some()));
    let face = Face { station, keys, backups, metrics, files, outputs, openapi, host_id };
    let times = RequestTimes::new(&config.server, upload_time);
    surround(all, face, &config.server, times, &config.cors_origins)
}

/// Only `/healthz` of a host that does not run, for the time of a question whether it would be reached.
pub(crate) fn health_router(host_id: Arc<str>) -> Router {
    Router::new().route("/healthz", get(health::live)).with_state(HostId(Some(host_id)))
}

/// Only the webhooks of a station, for an application whose other routes are its own.
pub fn webhook_router(station: Station) -> Router {
    let keys = Arc::new(ApiKeys::new(station.clone()));
    let face = Face {
        station,
        keys,
        backups: None,
        metrics: None,
        files: None,
        outputs: None,
        openapi: Arc::default(),
        host_id: HostId::default(),
    };
    let limits = ServerLimits::default();
    let times = RequestTimes::new(&limits, Duration::ZERO);
    surround(routes_outside(Scope::Provider), face, &limits, times, &[])
}

/// The routes of a scope below a prefix, which they answer for the whole of.
fn routes_below(prefix: &str, scope: Scope) -> Router<Face> {
    let mut router = Router::new();
    for route in ROUTES.iter().filter(|route| route.scope == scope) {
        if let Some(path) = route.path.strip_prefix(prefix) {
            router = router.route(path, (route.handler)(route.filter));
        }
    }
    router.fallback(not_found).method_not_allowed_fallback(wrong_method)
}

/// The routes of a scope that are not below [`INTERNAL`].
fn routes_outside(scope: Scope) -> Router<Face> {
    let outside = ROUTES.iter().filter(|route| route.scope == scope && !route.path.starts_with(INTERNAL));
    outside.fold(Router::new(), |router, route| router.route(route.path, (route.handler)(route.filter)))
}

fn surround(
    routes: Router<Face>,
    face: Face,
    limits: &ServerLimits,
    times: RequestTimes,
    origins: &[Origin],
) -> Router {
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
        .layer(from_fn(frame::text_path))
        // Around the gate: a browser asks what it may do before it sends the key.
        .layer(option_layer(cors::layer(origins)))
        .layer(from_fn_with_state(times, frame::surround))
}

async fn not_found() -> Response {
    Problem::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, "There is nothing at this path.").into_response()
}

async fn wrong_method(request: Request) -> Response {
    let detail = format!("{} is not a method of this path.", request.method());
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, ErrorKind::Unsupported, detail);
    problem.into_response()
}
