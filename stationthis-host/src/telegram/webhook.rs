//! Updates that Telegram pushes.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use stationthis_core::{Error, ErrorKind, Result, Secret};
use subtle::ConstantTimeEq;
use tokio::sync::{mpsc, oneshot};

use crate::telegram::updates::Pushed;
use crate::telegram::wire::Update;

/// Where Telegram pushes updates to, below the host's public address.
pub(crate) const PATH: &str = "/api/telegram/webhook";

/// Proves that a push is Telegram's.
const SECRET_HEADER: &str = "X-Telegram-Bot-Api-Secret-Token";

/// The most bytes of an update: a long message with all its entities has some tens of thousands.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Updates that wait to be handled: as many as Telegram pushes at a time, several times over.
pub(crate) const WAITING_MAX: usize = 256;

/// How long a push waits until it is seen through. Telegram sends it again after that.
const DONE_WITHIN: Duration = Duration::from_secs(25);

/// Where pushes come in.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// Made anew at each start: pushes under the former one are refused, and sent again under this one.
    pub(crate) secret: Secret,
    pub(crate) pushed: mpsc::Sender<Pushed>,
}

/// A new secret, in letters that Telegram takes.
pub(crate) fn secret() -> Result<Secret> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|e| Error::new(ErrorKind::Unexpected, "make webhook secret").with_message(e.to_string()))?;
    Ok(Secret::new(hex::encode(random)))
}

/// The one route.
pub(crate) fn router(door: Door) -> Router {
    Router::new().route(PATH, post(receive)).with_state(door)
}

async fn receive(State(door): State<Door>, headers: HeaderMap, request: Request) -> StatusCode {
    let given = headers.get(SECRET_HEADER).map(axum::http::HeaderValue::as_bytes).unwrap_or_default();
    if !bool::from(given.ct_eq(door.secret.expose().as_bytes())) {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(body) = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    // What is no update never will be one: it is taken, or it would be sent for ever.
    let Some(update) = serde_json::from_slice(&body).ok().and_then(Update::read) else { return StatusCode::OK };
    let (done, seen_through) = oneshot::channel();
    if door.pushed.try_send(Pushed { update, done }).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    match tokio::time::timeout(DONE_WITHIN, seen_through).await {
        Ok(Ok(())) => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}
