//! Webhooks: kept first, understood later.

use axum::Json;
use axum::extract::{Request, State};
use schemars::JsonSchema;
use serde::Serialize;
use stationthis_core::Timestamp;
use stationthis_core::station::{Station, WEBHOOK_BYTES_MAX};
use stationthis_core::webhook::WebhookRequest;

use crate::http::about::{About, Answer};
use crate::http::body;
use crate::http::frame;
use crate::http::mount::Mount;
use crate::http::problem::Problem;

/// It is durable.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Received {
    received: bool,
}

pub(crate) const RECEIVE: About =
    About::new("What a service has to say", &[Answer::json::<Received>(200, "It is durable.")])
        .any_body("*/*")
        .problems(&[404]);

/// `POST` and `GET /api/webhook/{providerId}/{taskId}`: answers as soon as the raw webhook is durable; some services
/// repeat theirs as `GET` with a body.
pub(crate) async fn receive(State(station): State<Station>, request: Request) -> Result<Json<Received>, Problem> {
    let received_at = Timestamp::now();
    let method = request.method().as_str().to_owned();
    let uri = request.uri();
    let path = Mount::of(request.extensions()).path(uri.path());
    let query = uri.query().unwrap_or_default().to_owned();
    // Values that are no text are left out: signatures are ASCII.
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let headers = headers.collect();
    let body = body::read(request, WEBHOOK_BYTES_MAX).await?;
    let webhook = WebhookRequest::new(method, path, query, body, received_at).with_headers(headers);
    let about = webhook.target().and_then(|(_, task)| task);
    station.receive_webhook(webhook).await?;
    // Its token was good: it is about that task.
    if let Some(task) = about {
        frame::about(task);
    }
    Ok(Json(Received { received: true }))
}
