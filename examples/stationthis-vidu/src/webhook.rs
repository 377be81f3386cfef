//! Reading callbacks.
//!
//! The service signs method, path, query, date and a nonce with the API key that made the task. It does not sign the
//! body: whoever can read one callback could send the same with another body for as long as its date is fresh. So a
//! callback is a hint (`called_back` takes no file and no credits from it), its path, which is signed, says which task
//! is meant, and the service is asked before anything is believed.

use crate::convert;
use crate::wire::Task;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stationthis_core::provider::{WebhookAuth, WebhookReading};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Error, ErrorKind, Result, RunId, Secret, Timestamp};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far the signed date may be from the time of arrival. No rule is published; this is what others take.
const FRESH: Duration = Duration::from_secs(300);

/// The word that stands for the service in what it signs.
const ACCESS_KEY: &str = "vidu";

/// The one algorithm.
const ALGORITHM: &str = "hmac-sha256";

/// The most headers that a signature may be over: it is over two.
const SIGNED_HEADERS_MAX: usize = 16;

/// Checks the signature, then reads the body.
pub(crate) fn read(request: &WebhookRequest, key: &Secret) -> Result<WebhookReading> {
    verify(request, key)?;
    let refused = || Error::new(ErrorKind::InvalidInput, "read webhook");
    let task: Task = serde_json::from_slice(&request.body)
        .map_err(|e| refused().with_message("The body is not a Vidu callback.").with_source(e))?;
    let (Some(id), Some(_)) = (task.id(), task.word()) else {
        return Err(refused().with_message("The callback names no task, or no state."));
    };
    let run = RunId::new(id).map_err(|e| refused().with_message("The task id cannot be one.").with_source(e))?;
    Ok(WebhookReading::new(WebhookAuth::RequestSignature, vec![convert::called_back(run, &task)]))
}

/// # Errors
/// `Unauthorized`, with a sentence that names what is wrong and repeats nothing of the request.
fn verify(request: &WebhookRequest, key: &Secret) -> Result<()> {
    let refused = |reason: &'static str| Error::new(ErrorKind::Unauthorized, "check signature").with_message(reason);
    let header = |name: &str| {
        request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    };
    let signature = header("x-hmac-signature").ok_or_else(|| refused("The callback is not signed."))?;
    let signature = STANDARD.decode(signature.trim()).map_err(|_| refused("The signature is no base64."))?;
    if !header("x-hmac-algorithm").is_some_and(|name| name.eq_ignore_ascii_case(ALGORITHM)) {
        return Err(refused("The signature is made in another way than HMAC-SHA256."));
    }
    if header("x-hmac-access-key") != Some(ACCESS_KEY) {
        return Err(refused("The signature is not the service's."));
    }
    let listed = header("x-hmac-signed-headers").unwrap_or_default();
    let names: Vec<&str> = listed.split(';').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.len() > SIGNED_HEADERS_MAX || !names.iter().any(|name| name.eq_ignore_ascii_case("date")) {
        return Err(refused("The signature is not over the date."));
    }
    let date = header("date").ok_or_else(|| refused("The callback has no date."))?;
    let path = if request.path.is_empty() { "/" } else { &request.path };
    let mut text = format!("{}\n{path}\n{}\n{ACCESS_KEY}\n{date}\n", request.method, request.query);
    for name in names {
        let value = header(name).ok_or_else(|| refused("A header that the signature is over is missing."))?;
        // The name as it is listed: proxies change the case of the header's own.
        text.push_str(&format!("{name}:{value}\n"));
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
        .map_err(|_| refused("The API key cannot check signatures."))?;
    mac.update(text.as_bytes());
    mac.verify_slice(&signature).map_err(|_| refused("The signature is wrong."))?;
    if !is_fresh(date, request.received_at) {
        return Err(refused("The callback's date is more than five minutes off."));
    }
    Ok(())
}

fn is_fresh(date: &str, now: Timestamp) -> bool {
    let Ok(date) = httpdate::parse_http_date(date) else { return false };
    let Some(date) = timestamp(date) else { return false };
    now.since(date) <= FRESH && date.since(now) <= FRESH
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests;
