//! Is it alive, and is it of use?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use stationthis_core::registry::ProviderStatus;
use stationthis_core::station::Station;

/// What tells one host from another to those who ask `/healthz`.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostId(pub(crate) Option<Arc<str>>);

/// `GET /healthz`: that it lives, and which host it is.
pub(crate) async fn live(State(HostId(id)): State<HostId>) -> Json<Value> {
    match id {
        Some(id) => Json(json!({ "status": "ok", "hostId": id.as_ref() })),
        None => Json(json!({ "status": "ok" })),
    }
}

/// `GET /readyz`: ready with a store that answers and a catalogue to serve; a provider that is down does not make the
/// host so, and is named.
pub(crate) async fn ready(State(station): State<Station>) -> Response {
    let store = station.health().await;
    if let Err(error) = &store {
        tracing::warn!(%error, "the store does not answer");
    }
    let snapshot = station.registry().snapshot();
    let catalogue = snapshot.providers().iter().any(|provider| provider.refreshed_at.is_some());
    let ready = store.is_ok() && catalogue;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "status": if ready { "ready" } else { "notReady" },
        "store": if store.is_ok() { "ok" } else { "unavailable" },
        "catalogue": if catalogue { "ok" } else { "none yet" },
        "tools": snapshot.tools().len(),
        "providers": snapshot.providers().iter().map(provider).collect::<Vec<_>>(),
    });
    (status, Json(body)).into_response()
}

/// Without the service's own words: no key is needed to ask this.
fn provider(status: &ProviderStatus) -> Value {
    json!({
        "providerId": status.provider_id,
        "stale": status.stale,
        "refreshedAt": status.refreshed_at,
        "tools": status.tools,
        "error": status.error.as_ref().map(|failure| &failure.message),
    })
}
