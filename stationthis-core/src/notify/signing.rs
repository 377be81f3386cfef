//! Signatures of outgoing webhooks, as the Standard Webhooks specification has them.

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{Error, ErrorKind, Result};
use crate::id::CallerId;
use crate::secret::Secret;
use crate::time::Timestamp;

/// The header with the id of the message: the same on every attempt.
pub const ID_HEADER: &str = "webhook-id";

/// The header with the time of the attempt, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";

/// The header with the signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far the time of a message may be from the receiver's, before or after: what the specification's libraries use.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// The sizes of a key that the specification allows.
const KEY_BYTES_MIN: usize = 24;
const KEY_BYTES_MAX: usize = 64;

/// The most signatures of a message that are looked at: more keys than that are never alive at a time.
const SIGNATURES_MAX: usize = 16;

/// Written with padding, read with or without, as the specification's libraries do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Keys that sign messages to one receiver, or the master keys of a station, which those are derived from.
///
/// While keys are rotated several are alive and each signs, so that a receiver which knows any of them can verify.
#[derive(Clone)]
pub struct SigningKeys(Vec<SigningKey>);

#[derive(Clone)]
struct SigningKey {
    secret: Secret,
    /// When it stops signing; `None`: it does not.
    until: Option<Timestamp>,
}

/// The headers of one signed message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signed {
    /// For [`ID_HEADER`].
    pub id: String,
    /// For [`TIMESTAMP_HEADER`].
    pub timestamp: String,
    /// For [`SIGNATURE_HEADER`].
    pub signature: String,
}

impl Signed {
    /// Headers as they were received.
    pub fn new(id: impl Into<String>, timestamp: impl Into<String>, signature: impl Into<String>) -> Self {
        Self { id: id.into(), timestamp: timestamp.into(), signature: signature.into() }
    }
}

impl SigningKeys {
    /// One key: `whsec_` and the base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// `InvalidInput` when the text is not that.
    pub fn new(secret: Secret) -> Result<Self> {
        Self(Vec::new()).with_older(secret, None)
    }

    /// With one more key, that signs too until `until`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_older(mut self, secret: Secret, until: Option<Timestamp>) -> Result<Self> {
        if !key_of(&secret).is_some_and(|key| (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len())) {
            return Err(Error::new(ErrorKind::InvalidInput, "take webhook secret")
                .with_message("A webhook secret is whsec_ and the base64 of 24 to 64 bytes."));
        }
        self.0.push(SigningKey { secret, until });
        Ok(self)
    }

    /// A new random secret.
    #[must_use]
    pub fn generate() -> Secret {
        // Two v4 ids have 244 random bits from the system's source; the hash spreads them over the whole key.
        let mut hash = <Sha256 as sha2::Digest>::new();
        for _ in 0..2 {
            sha2::Digest::update(&mut hash, uuid::Uuid::new_v4().as_bytes());
        }
        secret_of(&sha2::Digest::finalize(hash))
    }

    /// The keys of one caller, derived from these: nothing of them has to be stored, and each receiver can be given
    /// its own. A derived key tells nothing about its master key or about another caller's.
    ///
    /// # Errors
    /// None in practice: a derived key has the right size.
    pub fn for_caller(&self, caller: &CallerId) -> Result<Self> {
        self.0.iter().try_fold(Self(Vec::new()), |keys, key| {
            let mut mac = mac_of(&key.secret)?;
            mac.update(format!("webhook-secret.v1\n{caller}").as_bytes());
            keys.with_older(secret_of(&mac.finalize().into_bytes()), key.until)
        })
    }

    /// The secrets that sign at `now`, the newest first: what a receiver is given.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        self.0.iter().filter(move |key| key.until.is_none_or(|until| now < until)).map(|key| &key.secret)
    }

    /// Signs the raw `body` of the message `id`, which holds no dot, at `now`, with every key that is alive.
    ///
    /// # Errors
    /// None in practice: keys were checked when they were taken.
    pub fn sign(&self, id: &str, now: Timestamp, body: &[u8]) -> Result<Signed> {
        let timestamp = (now.as_micros() / 1_000_000).to_string();
        let signatures: Vec<String> = self
            .secrets(now)
            .map(|secret| {
                let mac = message_mac(secret, id, &timestamp, body)?;
                Ok(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
            })
            .collect::<Result<_>>()?;
        Ok(Signed { id: id.to_owned(), timestamp, signature: signatures.join(" ") })
    }

    /// Checks, as a receiver, that one of these keys signed the message within [`TOLERANCE`] of `now`. Constant-time in
    /// the signatures.
    ///
    /// Who verifies drops a message whose id it has seen: within the tolerance a copy verifies as well.
    ///
    /// # Errors
    /// `Unauthorized` when none did, the time is too far off, or the headers are malformed.
    pub fn verify(&self, signed: &Signed, body: &[u8], now: Timestamp) -> Result<()> {
        let refused = |reason: &str| Error::new(ErrorKind::Unauthorized, "verify webhook").with_message(reason);
        let at_s: i64 = signed.timestamp.parse().map_err(|_| refused("The time of the message is malformed."))?;
        let at = Timestamp::from_micros(at_s.saturating_mul(1_000_000));
        if now.since(at) > TOLERANCE || at.since(now) > TOLERANCE {
            return Err(refused("The time of the message is too far from ours."));
        }
        let given = signed.signature.split(' ').take(SIGNATURES_MAX).filter_map(|text| text.strip_prefix("v1,"));
        for signature in given.filter_map(|text| BASE64.decode(text).ok()) {
            for secret in self.secrets(now) {
                if message_mac(secret, &signed.id, &signed.timestamp, body)?.verify_slice(&signature).is_ok() {
                    return Ok(());
                }
            }
        }
        Err(refused("No signature of the message is ours."))
    }
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeys").field("keys", &self.0.len()).finish()
    }
}

fn secret_of(key: &[u8]) -> Secret {
    Secret::new(format!("{PREFIX}{}", BASE64.encode(key)))
}

fn key_of(secret: &Secret) -> Option<Vec<u8>> {
    BASE64.decode(secret.expose().strip_prefix(PREFIX)?).ok()
}

fn mac_of(secret: &Secret) -> Result<Hmac<Sha256>> {
    let unusable = || Error::new(ErrorKind::Unexpected, "use webhook secret");
    let key = key_of(secret).ok_or_else(unusable)?;
    Hmac::<Sha256>::new_from_slice(&key).map_err(|e| unusable().with_source(e))
}

fn message_mac(secret: &Secret, id: &str, timestamp: &str, body: &[u8]) -> Result<Hmac<Sha256>> {
    let mut mac = mac_of(secret)?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Ok(mac)
}

#[cfg(test)]
mod tests;
