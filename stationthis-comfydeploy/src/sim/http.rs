//! The service over HTTP: routes, authentication, and the answers that every route shares.

mod answer;
mod discovery;
mod files;
mod guard;
mod lists;
mod params;
mod queue;
mod runs;

use super::service::Sim;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};

impl Sim {
    /// The service as an axum router: its API under `/api`, its bucket under `/outputs` and `/inputs`.
    ///
    /// Output URLs get the `Host` of the queue call, so the router can stand behind any address.
    pub fn router(&self) -> Router {
        let api = Router::new()
            .route("/deployments", get(discovery::deployments))
            .route("/deployment/{id}", get(discovery::deployment))
            .route("/workflow/{id}/deployments", get(discovery::workflow_deployments))
            .route("/workflows", get(discovery::workflows))
            .route("/machines", get(discovery::machines))
            .route("/machine/{id}", get(discovery::machine))
            .route("/platform/gpu-pricing", get(discovery::gpu_pricing))
            .route("/run/deployment/queue", post(queue::queue).layer(DefaultBodyLimit::max(guard::MAX_JSON_BODY)))
            .route("/run/{id}", get(runs::run))
            .route("/run/{id}/cancel", post(runs::cancel))
            .route("/v2/clickhouse-run-logs/{id}", get(runs::logs))
            .route("/v2/workflow/{id}/runs", get(lists::light))
            .route("/workflow/{id}/runs", get(lists::heavy))
            .route("/file/upload", post(files::upload))
            .route("/assets/presigned-url", get(files::presigned))
            .fallback(answer::not_found)
            .method_not_allowed_fallback(answer::method_not_allowed);
        Router::new()
            .nest("/api", api)
            .route("/outputs/runs/{run}/{file}", get(files::output))
            .route("/inputs/{file}", get(files::input).put(files::put_input))
            .layer(middleware::from_fn_with_state(self.clone(), guard::guard))
            // Each other reader of a body has its own limit.
            .layer(DefaultBodyLimit::disable())
            .with_state(self.clone())
    }
}
