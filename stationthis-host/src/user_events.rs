//! Events: what users did, so that a task can name what led to it.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use stationthis_core::station::Station;
use stationthis_core::store::Put;
use stationthis_core::{CallerId, Error, ErrorKind, Result, Timestamp};
use uuid::{Builder, Uuid};

/// Where they are kept in the store: a document for each, under its id. Ids sort by time, so the old ones come first.
const NAMESPACE: &str = "userEvents";

/// A payload says what was done, it does not hold it: a message and its options, and no file.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// A type is a word or two.
const TYPE_BYTES_MAX: usize = 64;

/// The longest platform and id on it, as those of a user's identities.
const PLATFORM_BYTES_MAX: usize = 64;

/// What a user did, to be recorded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct NewUserEvent {
    /// What kind of thing, such as `command` or `button`: 1 to 64 bytes, no control characters.
    #[serde(rename = "type")]
    pub kind: String,
    /// The facts; at most 16 KiB as JSON. Kept as they are, and read by nobody but people.
    #[serde(default)]
    pub payload: Map<String, Value>,
    /// Where it was done, such as `telegram`; at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Who did it there; at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

impl NewUserEvent {
    /// An event of a kind.
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    /// With its facts.
    #[must_use]
    pub fn with_payload(mut self, payload: Map<String, Value>) -> Self {
        self.payload = payload;
        self
    }

    /// With who did it on a platform.
    #[must_use]
    pub fn with_user(mut self, platform: impl Into<String>, user_id: impl Into<String>) -> Self {
        (self.platform, self.user_id) = (Some(platform.into()), Some(user_id.into()));
        self
    }

    fn check(&self) -> Result<()> {
        let refused = |message: &str| Err(Error::new(ErrorKind::InvalidInput, "record event").with_message(message));
        let word = |text: &str, max| !text.is_empty() && text.len() <= max && !text.chars().any(char::is_control);
        if !word(&self.kind, TYPE_BYTES_MAX) {
            return refused("The type of an event has 1 to 64 bytes and no control characters.");
        }
        if [&self.platform, &self.user_id].into_iter().flatten().any(|text| !word(text, PLATFORM_BYTES_MAX)) {
            return refused("The platform and the userId of an event have 1 to 64 bytes and no control characters.");
        }
        let bytes = serde_json::to_vec(&self.payload)
            .map_err(|e| Error::new(ErrorKind::InvalidInput, "record event").with_source(e))?;
        if bytes.len() > PAYLOAD_BYTES_MAX {
            return refused("The payload of an event has at most 16 KiB.");
        }
        Ok(())
    }
}

/// What a user did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UserEvent {
    /// Its name, a UUID: what a task gives as its `initiatingEventId`.
    pub event_id: String,
    /// Whose it is.
    pub caller: CallerId,
    /// When it was done.
    pub at: Timestamp,
    /// What kind of thing was done.
    #[serde(rename = "type")]
    pub kind: String,
    /// The facts.
    #[serde(default)]
    pub payload: Map<String, Value>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// By whom there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

/// The events of a station's users, kept in its store until they are pruned together with old tasks.
#[derive(Clone, Debug)]
pub struct UserEvents {
    station: Station,
}

impl UserEvents {
    /// The events in a station's store.
    #[must_use]
    pub const fn new(station: Station) -> Self {
        Self { station }
    }

    /// Records what a caller did. Durable when this returns.
    ///
    /// # Errors
    /// `InvalidInput` for what is out of bounds; `StoreUnavailable`; `Unexpected` when the system has no random numbers.
    pub async fn record(&self, caller: &CallerId, event: NewUserEvent, at: Timestamp) -> Result<UserEvent> {
        let mut random = [0; 10];
        getrandom::fill(&mut random)
            .map_err(|e| Error::new(ErrorKind::Unexpected, "record event").with_message(e.to_string()))?;
        self.write(id_at(at, random), caller, event, at).await
    }

    /// As [`record`](Self::record), for an event that may come again: the same caller, key and time give the same id, and
    /// the first one is kept. `at` must be the time that the platform gives, which a repeat has too.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub async fn record_once(
        &self,
        caller: &CallerId,
        event: NewUserEvent,
        at: Timestamp,
        key: &str,
    ) -> Result<UserEvent> {
        let digest = Sha256::digest(format!("{caller}\n{key}"));
        let mut bytes = [0; 10];
        bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        self.write(id_at(at, bytes), caller, event, at).await
    }

    /// An event of this caller.
    ///
    /// # Errors
    /// `NotFound` for an id that names none, or another caller's; `StoreUnavailable`; `Corrupt`.
    pub async fn get(&self, caller: &CallerId, event_id: &str) -> Result<UserEvent> {
        self.find(caller, event_id)
            .await?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "find event").with_message("There is no such event."))
    }

    /// As [`get`](Self::get), where any text may stand in place of an id.
    ///
    /// # Errors
    /// `StoreUnavailable`; `Corrupt`.
    pub async fn find(&self, caller: &CallerId, event_id: &str) -> Result<Option<UserEvent>> {
        let Ok(id) = Uuid::parse_str(event_id) else { return Ok(None) };
        let Some(document) = self.station.get_document(NAMESPACE, &id.to_string()).await? else { return Ok(None) };
        let event: UserEvent = serde_json::from_slice(&document.bytes)
            .map_err(|e| Error::new(ErrorKind::Corrupt, "read event").with_context("event", id).with_source(e))?;
        Ok(Some(event).filter(|event| event.caller == *caller))
    }

    /// Forgets what was done before a time. Gives how many.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn prune(&self, before: Timestamp) -> Result<usize> {
        self.station.prune_documents(NAMESPACE, &id_at(before, [0; 10]).to_string()).await
    }

    async fn write(&self, id: Uuid, caller: &CallerId, what: NewUserEvent, at: Timestamp) -> Result<UserEvent> {
        what.check()?;
        let NewUserEvent { kind, payload, platform, user_id } = what;
        let event =
            UserEvent { event_id: id.to_string(), caller: caller.clone(), at, kind, payload, platform, user_id };
        let bytes =
            serde_json::to_vec(&event).map_err(|e| Error::new(ErrorKind::Unexpected, "record event").with_source(e))?;
        match self.station.put_document(NAMESPACE, &event.event_id, None, Bytes::from(bytes)).await? {
            Put::Done(_) => Ok(event),
            Put::Stale(_) => self.get(caller, &event.event_id).await,
        }
    }
}

/// A UUID of version 7: of two ids the one of the earlier millisecond comes first, in its text too.
fn id_at(at: Timestamp, rest: [u8; 10]) -> Uuid {
    // Before 1970 nobody did anything.
    let ms = u64::try_from(at.as_micros().div_euclid(1000)).unwrap_or(0);
    Builder::from_unix_timestamp_millis(ms, &rest).into_uuid()
}

#[cfg(test)]
mod tests;
