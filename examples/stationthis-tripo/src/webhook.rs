//! Webhooks: who signed them, and what they say.
//!
//! They are set up in Tripo's console for the whole account, and name a task of the service and none of ours. So the
//! address is `/api/webhook/{providerId}`, and the station finds the task by its run. What is about nobody's run here is
//! another application's of the same account.

use crate::convert;
use crate::wire::{Hook, Task};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stationthis_core::provider::{WebhookAuth, WebhookReading};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Error, ErrorKind, Result, Secret};

/// The header with time and signatures, in lower case.
const SIGNATURE_HEADER: &str = "tripo-webhook-signature";

/// How far the signed time may be from that of receipt, either way: five minutes, as Tripo's own SDK has it.
const TOLERANCE_S: i64 = 300;

/// The most secrets: two are what a rotation needs, and each costs a hash of every webhook.
const SECRETS_MAX: usize = 8;

/// The most signatures of one header that are looked at: one for each secret that the console may keep alive.
const SIGNATURES_MAX: usize = 8;

/// The secrets of the webhooks that the console has.
pub(crate) struct WebhookSecrets(Vec<Secret>);

impl WebhookSecrets {
    /// # Errors
    /// `InvalidInput` for an empty secret, or more than 8.
    pub(crate) fn new(secrets: Vec<Secret>) -> Result<Self> {
        let refused = |reason: &str| Error::new(ErrorKind::InvalidInput, "configure Tripo").with_message(reason);
        if secrets.iter().any(|secret| secret.expose().trim().is_empty()) {
            return Err(refused("A webhook secret is empty."));
        }
        if secrets.len() > SECRETS_MAX {
            return Err(refused("There may be at most 8 webhook secrets."));
        }
        Ok(Self(secrets))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Was the request signed with one of the secrets, within the tolerance of its receipt?
    fn verify(&self, request: &WebhookRequest) -> Result<()> {
        let refused = |reason: &str| Error::new(ErrorKind::Unauthorized, "read webhook").with_message(reason);
        let mut headers = request.headers.iter().filter(|(name, _)| name == SIGNATURE_HEADER);
        let (Some((_, header)), None) = (headers.next(), headers.next()) else {
            return Err(refused("The webhook has no signature, or several headers of them."));
        };
        let (time, signatures) = parts(header).ok_or_else(|| refused("The webhook's signature cannot be read."))?;
        let received_s = request.received_at.as_micros().div_euclid(1_000_000);
        if time.parse().map_or(true, |signed_s: i64| signed_s.abs_diff(received_s) > TOLERANCE_S.unsigned_abs()) {
            return Err(refused("The webhook was not signed within five minutes of its receipt."));
        }
        // Each comparison takes the same time, wherever the two differ.
        let signed_with = |secret: &Secret, signature: &[u8]| {
            Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).is_ok_and(|mut mac| {
                mac.update(time.as_bytes());
                mac.update(b".");
                mac.update(&request.body);
                mac.verify_slice(signature).is_ok()
            })
        };
        if self.0.iter().any(|secret| signatures.iter().any(|signature| signed_with(secret, signature))) {
            Ok(())
        } else {
            Err(refused("The webhook's signature is not that of any secret that is configured."))
        }
    }
}

impl std::fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} webhook secrets", self.0.len())
    }
}

/// The time as it was signed, and the signatures of version 1: `t=1795514400,v1=86a8…,v1=…`. Other versions are skipped.
fn parts(header: &str) -> Option<(&str, Vec<Vec<u8>>)> {
    let mut time = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=')? {
            ("t", text) if time.is_none() && text.bytes().all(|b| b.is_ascii_digit()) => time = Some(text),
            ("t", _) => return None,
            ("v1", text) => signatures.push(hex::decode(text).ok()?),
            _ => {}
        }
        if signatures.len() > SIGNATURES_MAX {
            return None;
        }
    }
    Some((time?, signatures))
}

/// Reads a webhook that one of the secrets signed. Events that are about no task (`balance.low`) report nothing.
///
/// # Errors
/// `Unauthorized` without a good signature, `InvalidInput` when the body is no event of Tripo's.
pub(crate) fn read(secrets: &WebhookSecrets, request: &WebhookRequest) -> Result<WebhookReading> {
    secrets.verify(request)?;
    let refused = || Error::new(ErrorKind::InvalidInput, "read webhook");
    let hook: Hook = serde_json::from_slice(&request.body)
        .map_err(|e| refused().with_message("The body is not a Tripo webhook.").with_source(e))?;
    let word = match hook.kind.as_str() {
        "task.completed" => Some("success"),
        "task.failed" => Some("failed"),
        kind if kind.starts_with("task.") => None,
        _ => return Ok(WebhookReading::new(WebhookAuth::ProviderSignature, Vec::new())),
    };
    let data = hook.data.as_deref().map_or("null", |data| data.get());
    let task: Task = serde_json::from_str(data)
        .map_err(|e| refused().with_message("The webhook tells of no task.").with_source(e))?;
    let report = convert::report(task, word, request.received_at)
        .map_err(|e| refused().with_message("The task id cannot be one.").with_source(e))?;
    Ok(WebhookReading::new(WebhookAuth::ProviderSignature, vec![report]))
}

#[cfg(test)]
mod tests;
