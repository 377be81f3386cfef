//! Is it alive, and is it of use?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use stationthis_core::registry::ProviderStatus;
use stationthis_core::station::Station;
use stationthis_core::{ProviderId, Timestamp};

use crate::http::about::{About, Answer};

/// It lives.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Live {
    status: Word,
    /// What tells it from other hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    host_id: Option<String>,
}

/// Of what use it is.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Ready {
    /// Everything taken together.
    status: Word,
    store: Word,
    catalogue: Word,
    /// How many tools there are.
    tools: usize,
    providers: Vec<Provider>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Word {
    Ok,
    Ready,
    NotReady,
    Unavailable,
    #[serde(rename = "none yet")]
    NoneYet,
}

/// A provider, without the service's own words: no key is needed to ask this.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ProviderHealth")]
struct Provider {
    provider_id: ProviderId,
    /// Could it not be asked of late?
    stale: bool,
    /// When it last gave its catalogue.
    refreshed_at: Option<Timestamp>,
    tools: usize,
    /// Why it could not be asked, in a sentence.
    error: Option<String>,
}

pub(crate) const LIVE: About = About::new("Does the process live?", &[Answer::json::<Live>(200, "It does.")]);

/// What tells one host from another to those who ask `/healthz`.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostId(pub(crate) Option<Arc<str>>);

/// `GET /healthz`: that it lives, and which host it is.
pub(crate) async fn live(State(HostId(id)): State<HostId>) -> Json<Live> {
    Json(Live { status: Word::Ok, host_id: id.as_deref().map(str::to_owned) })
}

pub(crate) const READY: About = About::new(
    "Is it of use?",
    &[
        Answer::json::<Ready>(200, "The store answers, and there is a catalogue."),
        Answer::json::<Ready>(503, "Not both of it."),
    ],
);

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
    let body = Ready {
        status: if ready { Word::Ready } else { Word::NotReady },
        store: if store.is_ok() { Word::Ok } else { Word::Unavailable },
        catalogue: if catalogue { Word::Ok } else { Word::NoneYet },
        tools: snapshot.tools().len(),
        providers: snapshot.providers().iter().map(Provider::of).collect(),
    };
    (status, Json(body)).into_response()
}

impl Provider {
    fn of(status: &ProviderStatus) -> Self {
        Self {
            provider_id: status.provider_id.clone(),
            stale: status.stale,
            refreshed_at: status.refreshed_at,
            tools: status.tools,
            error: status.error.as_ref().map(|failure| failure.message.clone()),
        }
    }
}
