//! API keys, each bound to a caller: made, listed, revoked and checked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stationthis_core::station::Station;
use stationthis_core::store::Put;
use stationthis_core::{CallerId, Error, ErrorKind, Result, Secret, Timestamp};
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// What every key begins with: leaked ones can be searched for.
const PREFIX: &str = "st_";

/// Where they are kept in the store: one document, so that a check costs no search.
const DOCUMENT: (&str, &str) = ("api-keys", "all");

/// Keys of one host, dead ones included: the document is read at once, and a thousand are about 300 KB.
pub const KEYS_MAX: usize = 1000;

/// How old the list may be that a key is checked against, and so how long a revoked key lives on other hosts of the
/// same store. On the host that revokes it, it ends at once.
pub const KEYS_FRESH: Duration = Duration::from_secs(2);

/// A label is a line in a table.
const LABEL_CHARS_MAX: usize = 100;

/// Ten years: what is meant to live longer is given no end.
pub const EXPIRES_IN_DAYS_MAX: u32 = 3650;

/// Writes of the list that lose against others before this one gives up: keys are seldom made.
const PUT_ATTEMPTS: usize = 8;

/// A key as it is listed: everything but the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ApiKey {
    /// Names it; a part of its text, and no secret.
    pub key_id: String,
    /// Who requests with it act for.
    pub caller: CallerId,
    /// What it is for, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Is it good at this time?
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A wish for a key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct KeyWish {
    /// Who requests with it act for.
    pub caller: CallerId,
    /// What it is for; at most 100 characters.
    #[schemars(length(max = 100))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Days until it ends by itself, 1 to 3650; without them it does not.
    #[schemars(range(min = 1, max = 3650))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_days: Option<u32>,
}

impl KeyWish {
    /// A key of a caller, without an end.
    #[must_use]
    pub const fn new(caller: CallerId) -> Self {
        Self { caller, label: None, expires_in_days: None }
    }
}

/// A key that was just made. Its text exists here and nowhere else.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewKey {
    /// What is kept of it.
    pub listed: ApiKey,
    /// The text to send as `Authorization: Bearer …`.
    pub key: Secret,
}

impl NewKey {
    /// A key and what is kept of it.
    #[must_use]
    pub const fn new(listed: ApiKey, key: Secret) -> Self {
        Self { listed, key }
    }
}

/// The API keys of a station's callers, kept in its store.
///
/// A key is `st_{keyId}_{64 hexadecimal digits}`. Only its SHA-256 is kept: the 256 random bits in it cannot be guessed
/// from a plain hash, which a password could, so a slow one would only make each request slow.
#[derive(Debug)]
pub struct ApiKeys {
    station: Station,
    known: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    keys: Arc<HashMap<String, Stored>>,
    read_at: Instant,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    key: ApiKey,
    /// SHA-256 of the whole text, in hexadecimal.
    hash: String,
}

impl ApiKeys {
    /// The keys in a station's store.
    #[must_use]
    pub fn new(station: Station) -> Self {
        Self { station, known: Mutex::new(None) }
    }

    /// Makes a key. Durable when this returns; its text can never be had again.
    ///
    /// # Errors
    /// `InvalidInput` for a label or an end out of bounds, `Conflict` when there are [`KEYS_MAX`] live ones,
    /// `StoreUnavailable`, `Unexpected` when the system has no random numbers.
    pub async fn create(&self, wish: KeyWish, now: Timestamp) -> Result<NewKey> {
        let refused = |message: String| Error::new(ErrorKind::InvalidInput, "make API key").with_message(message);
        if wish.label.as_ref().is_some_and(|l| l.chars().count() > LABEL_CHARS_MAX || l.chars().any(char::is_control)) {
            return Err(refused(format!("A label has at most {LABEL_CHARS_MAX} characters, on one line.")));
        }
        if wish.expires_in_days.is_some_and(|days| days == 0 || days > EXPIRES_IN_DAYS_MAX) {
            return Err(refused(format!("A key ends after 1 to {EXPIRES_IN_DAYS_MAX} days, or never.")));
        }
        let day = Duration::from_secs(24 * 3600);
        let listed = ApiKey {
            key_id: hex::encode(random::<8>()?),
            caller: wish.caller,
            label: wish.label,
            created_at: now,
            expires_at: wish.expires_in_days.map(|days| now.plus(day.saturating_mul(days))),
            revoked_at: None,
        };
        let text = format!("{PREFIX}{}_{}", listed.key_id, hex::encode(random::<32>()?));
        let stored = Stored { key: listed.clone(), hash: hex::encode(digest(&text)) };
        self.edit(|keys| {
            if keys.len() >= KEYS_MAX {
                keys.retain(|stored| stored.key.is_live(now));
            }
            if keys.len() >= KEYS_MAX {
                return Err(Error::new(ErrorKind::Conflict, "make API key")
                    .with_message(format!("There are {KEYS_MAX} keys; revoke one first.")));
            }
            keys.push(stored.clone());
            Ok(())
        })
        .await?;
        Ok(NewKey { listed, key: Secret::new(text) })
    }

    /// Every key, the oldest first; revoked and ended ones too, until their room is needed.
    ///
    /// # Errors
    /// `StoreUnavailable`; `Corrupt` when the list cannot be read.
    pub async fn list(&self) -> Result<Vec<ApiKey>> {
        Ok(self.read().await?.0.into_iter().map(|stored| stored.key).collect())
    }

    /// Ends a key: at once on this host, within [`KEYS_FRESH`] on others of the same store. A revoked one stays so.
    ///
    /// # Errors
    /// `NotFound`; `StoreUnavailable`.
    pub async fn revoke(&self, key_id: &str, now: Timestamp) -> Result<ApiKey> {
        self.edit(|keys| {
            let stored = keys.iter_mut().find(|stored| stored.key.key_id == key_id).ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "revoke API key").with_message("There is no such key.")
            })?;
            stored.key.revoked_at.get_or_insert(now);
            Ok(stored.key.clone())
        })
        .await
    }

    /// The key that a text is, if it is a live one; `None` for anything else. Takes the same time whatever the hash.
    ///
    /// # Errors
    /// `StoreUnavailable`, so that nothing is let in on an old list.
    pub async fn check(&self, text: &str, now: Timestamp) -> Result<Option<ApiKey>> {
        let Some((key_id, _)) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')) else {
            return Ok(None);
        };
        let known = self.known().await?;
        let stored = known.get(key_id).filter(|stored| {
            let same = hex::decode(&stored.hash).is_ok_and(|hash| bool::from(hash.ct_eq(&digest(text))));
            same && stored.key.is_live(now)
        });
        Ok(stored.map(|stored| stored.key.clone()))
    }

    async fn known(&self) -> Result<Arc<HashMap<String, Stored>>> {
        // Held while reading: of many requests at once one reads, and the others take what it found.
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.read_at.elapsed() < KEYS_FRESH) {
            return Ok(known.keys.clone());
        }
        let read_at = Instant::now();
        let keys = self.read().await?.0.into_iter().map(|stored| (stored.key.key_id.clone(), stored)).collect();
        let keys = Arc::new(keys);
        *known = Some(Known { keys: Arc::clone(&keys), read_at });
        Ok(keys)
    }

    async fn read(&self) -> Result<(Vec<Stored>, Option<u64>)> {
        let Some(document) = self.station.get_document(DOCUMENT.0, DOCUMENT.1).await? else {
            return Ok((Vec::new(), None));
        };
        let keys = serde_json::from_slice(&document.bytes)
            .map_err(|e| Error::new(ErrorKind::Corrupt, "read API keys").with_source(e))?;
        Ok((keys, Some(document.version)))
    }

    async fn edit<T>(&self, change: impl Fn(&mut Vec<Stored>) -> Result<T> + Send + Sync) -> Result<T> {
        for _ in 0..PUT_ATTEMPTS {
            let (mut keys, version) = self.read().await?;
            let done = change(&mut keys)?;
            let bytes = serde_json::to_vec(&keys)
                .map_err(|e| Error::new(ErrorKind::Unexpected, "write API keys").with_source(e))?;
            if let Put::Done(_) = self.station.put_document(DOCUMENT.0, DOCUMENT.1, version, Bytes::from(bytes)).await?
            {
                *self.known.lock().await = None;
                return Ok(done);
            }
        }
        Err(Error::new(ErrorKind::Conflict, "write API keys").with_message("The keys were changed over and over."))
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::new(ErrorKind::Unexpected, "draw random numbers").with_message(e.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
