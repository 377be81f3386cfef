//! Users: a caller and who they are on other platforms.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stationthis_core::station::Station;
use stationthis_core::store::Put;
use stationthis_core::{CallerId, Error, ErrorKind, Result};

/// Where users are kept in the store: a document for each caller.
const USERS: &str = "users";

/// Where it is kept whose an identity is: a document for each. This is what counts; a user's list only says where to
/// look, so a writer that stops between the two leaves nobody with two callers.
const IDENTITIES: &str = "userIdentities";

/// Identities of one user: a person has a few. Each is looked up when the user is read.
pub const IDENTITIES_MAX: usize = 16;

/// A platform is a word.
const PLATFORM_BYTES_MAX: usize = 32;

/// More than any platform's ids, and short enough that a platform and an id make a caller's name.
const ID_BYTES_MAX: usize = 64;

/// A name is a line in a table.
const NAME_CHARS_MAX: usize = 100;

/// Writes of one document that lose against others before this one gives up: a user is seldom changed.
const PUT_ATTEMPTS: usize = 8;

/// Who somebody is on another platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Identity {
    /// The platform, such as `telegram`: at most 32 lower-case letters and digits, a letter first.
    pub platform: String,
    /// Their id there: at most 64 bytes without control characters.
    pub id: String,
    /// How they are called there; at most 100 characters on one line. For people: nothing is found by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

impl Identity {
    /// An identity without a name.
    pub fn new(platform: impl Into<String>, id: impl Into<String>) -> Self {
        Self { platform: platform.into(), id: id.into(), display_name: None }
    }

    /// The caller of an identity that was linked with no other: `telegram-77`.
    ///
    /// # Errors
    /// `InvalidInput` for what can be no identity.
    pub fn default_caller(&self) -> Result<CallerId> {
        self.check()?;
        // A platform holds no hyphen, so no two identities have the same.
        CallerId::new(format!("{}-{}", self.platform, self.id))
    }

    fn key(&self) -> String {
        format!("{}:{}", self.platform, self.id)
    }

    fn is(&self, other: &Self) -> bool {
        (&self.platform, &self.id) == (&other.platform, &other.id)
    }

    fn check(&self) -> Result<()> {
        let platform = self.platform.as_bytes();
        let word = platform.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && platform.first().is_some_and(u8::is_ascii_lowercase);
        if !word || platform.len() > PLATFORM_BYTES_MAX {
            return Err(refused("A platform is at most 32 lower-case letters and digits, a letter first."));
        }
        if self.id.is_empty() || self.id.len() > ID_BYTES_MAX || self.id.chars().any(char::is_control) {
            return Err(refused("An id on a platform has 1 to 64 bytes and no control characters."));
        }
        let name = self.display_name.as_deref().unwrap_or_default();
        if name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(refused("A display name has at most 100 characters, on one line."));
        }
        Ok(())
    }
}

/// A caller and who they are elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct User {
    /// The caller.
    pub caller: CallerId,
    /// Who they are elsewhere, in the order in which it became known.
    pub identities: Vec<Identity>,
}

/// The users of a station, kept in its store.
///
/// An identity acts for one caller at most. Nothing is ever moved: tasks stay with the caller that ran them, whoever that
/// identity acts for later. Users are not pruned: there is one for each person who ever ran something.
#[derive(Clone, Debug)]
pub struct Users {
    station: Station,
}

/// Whose an identity is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Link {
    /// `None`: it was linked once, and is not any more.
    caller: Option<CallerId>,
}

impl Users {
    /// The users in a station's store.
    #[must_use]
    pub const fn new(station: Station) -> Self {
        Self { station }
    }

    /// The caller that an identity acts for: the one that it is linked with, or else one of its own (`telegram-77`),
    /// with which it is linked from now on. Reads one document for an identity that is known.
    ///
    /// # Errors
    /// `InvalidInput` for what can be no identity; `StoreUnavailable`; `Corrupt`.
    pub async fn caller_for(&self, platform: &str, id: &str) -> Result<CallerId> {
        let identity = Identity::new(platform, id);
        let default = identity.default_caller()?;
        match self.linked(&identity).await? {
            Some(caller) => Ok(caller),
            None => self.claim(&default, &identity, Taken::Leave).await,
        }
    }

    /// The user of an identity; `None` when it was never seen, or is linked with nobody.
    ///
    /// # Errors
    /// As [`caller_for`](Self::caller_for).
    pub async fn find(&self, platform: &str, id: &str) -> Result<Option<User>> {
        let identity = Identity::new(platform, id);
        identity.check()?;
        match self.linked(&identity).await? {
            Some(caller) => self.get(&caller).await.map(Some),
            None => Ok(None),
        }
    }

    /// A user. Every caller is one, with or without identities.
    ///
    /// # Errors
    /// `StoreUnavailable`; `Corrupt`.
    pub async fn get(&self, caller: &CallerId) -> Result<User> {
        let listed = self.read::<Vec<Identity>>(USERS, caller.as_str()).await?.map_or_else(Vec::new, |(list, _)| list);
        let mut identities = Vec::with_capacity(listed.len());
        for identity in listed {
            if self.linked(&identity).await?.as_ref() == Some(caller) {
                identities.push(identity);
            }
        }
        Ok(User { caller: caller.clone(), identities })
    }

    /// Links an identity with a caller, or gives it another display name. One that acts for a caller of its own is taken
    /// from that; what it ran until then stays there.
    ///
    /// # Errors
    /// `InvalidInput` for what can be no identity, or for more than [`IDENTITIES_MAX`]; `Conflict` when it is linked with
    /// another caller: unlink it there first; `StoreUnavailable`; `Corrupt`.
    pub async fn link(&self, caller: &CallerId, identity: &Identity) -> Result<User> {
        let default = identity.default_caller()?;
        let before = self.linked(identity).await?;
        let now = self.claim(caller, identity, Taken::From(&default)).await?;
        if now != *caller {
            self.forget(caller, identity).await?;
            return Err(Error::new(ErrorKind::Conflict, "link identity").with_message(format!(
                "{} {} is linked with the caller {now}: unlink it there first.",
                identity.platform, identity.id
            )));
        }
        if let Some(before) = before.filter(|before| before != caller) {
            self.forget(&before, identity).await?;
        }
        self.get(caller).await
    }

    /// Takes an identity off a caller. It acts for a caller of its own after that.
    ///
    /// # Errors
    /// `NotFound` when it is not linked with this caller; `StoreUnavailable`; `Corrupt`.
    pub async fn unlink(&self, caller: &CallerId, platform: &str, id: &str) -> Result<User> {
        let identity = Identity::new(platform, id);
        identity.check()?;
        let was = self
            .edit(IDENTITIES, &identity.key(), |link: &mut Link| {
                Ok(link.caller.take_if(|linked| linked == caller).is_some())
            })
            .await?;
        if !was {
            return Err(Error::new(ErrorKind::NotFound, "unlink identity")
                .with_message(format!("The caller {caller} has no identity {id} on {platform}.")));
        }
        self.forget(caller, &identity).await?;
        self.get(caller).await
    }

    /// Gives a caller exactly these identities: links those that are new, unlinks those that are left out. Each is a step
    /// of its own; when one is refused, those before it stand.
    ///
    /// # Errors
    /// As [`link`](Self::link).
    pub async fn set(&self, caller: &CallerId, identities: &[Identity]) -> Result<User> {
        if identities.len() > IDENTITIES_MAX {
            return Err(too_many());
        }
        identities.iter().try_for_each(Identity::check)?;
        for gone in self.get(caller).await?.identities.iter().filter(|old| !identities.iter().any(|new| new.is(old))) {
            self.unlink(caller, &gone.platform, &gone.id).await?;
        }
        for identity in identities {
            self.link(caller, identity).await?;
        }
        self.get(caller).await
    }

    async fn linked(&self, identity: &Identity) -> Result<Option<CallerId>> {
        Ok(self.read::<Link>(IDENTITIES, &identity.key()).await?.and_then(|(link, _)| link.caller))
    }

    /// Links an identity that is free, or that is held by whom it may be taken from. Gives whose it is then.
    async fn claim(&self, caller: &CallerId, identity: &Identity, taken: Taken<'_>) -> Result<CallerId> {
        // The list first: it only says where to look.
        self.edit(USERS, caller.as_str(), |listed: &mut Vec<Identity>| {
            let full = listed.len() >= IDENTITIES_MAX;
            match listed.iter_mut().find(|known| known.is(identity)) {
                Some(known) if identity.display_name.is_some() => known.clone_from(identity),
                Some(_) => {}
                None if full => return Err(too_many()),
                None => listed.push(identity.clone()),
            }
            Ok(())
        })
        .await?;
        self.edit(IDENTITIES, &identity.key(), |link: &mut Link| {
            let free = match (&link.caller, taken) {
                (None, _) => true,
                (Some(now), Taken::From(default)) => now == default,
                (Some(_), Taken::Leave) => false,
            };
            if free {
                link.caller = Some(caller.clone());
            }
            Ok(link.caller.clone().unwrap_or_else(|| caller.clone()))
        })
        .await
    }

    /// Takes an identity off a user's list, where it counts no more.
    async fn forget(&self, caller: &CallerId, identity: &Identity) -> Result<()> {
        let forget = |listed: &mut Vec<Identity>| {
            listed.retain(|known| !known.is(identity));
            Ok(())
        };
        self.edit(USERS, caller.as_str(), forget).await
    }

    async fn read<T: DeserializeOwned>(&self, namespace: &str, key: &str) -> Result<Option<(T, u64)>> {
        let Some(document) = self.station.get_document(namespace, key).await? else { return Ok(None) };
        let value = serde_json::from_slice(&document.bytes)
            .map_err(|e| Error::new(ErrorKind::Corrupt, "read user").with_context("key", key).with_source(e))?;
        Ok(Some((value, document.version)))
    }

    /// Changes one document; writes nothing when nothing changes.
    async fn edit<T, R>(
        &self,
        namespace: &'static str,
        key: &str,
        change: impl Fn(&mut T) -> Result<R> + Send + Sync,
    ) -> Result<R>
    where
        T: Default + PartialEq + Clone + DeserializeOwned + Serialize + Send + Sync,
        R: Send,
    {
        for _ in 0..PUT_ATTEMPTS {
            let there = self.read::<T>(namespace, key).await?;
            let version = there.as_ref().map(|(_, version)| *version);
            let old = there.map(|(value, _)| value).unwrap_or_default();
            let mut new = old.clone();
            let done = change(&mut new)?;
            if new == old {
                return Ok(done);
            }
            let bytes =
                serde_json::to_vec(&new).map_err(|e| Error::new(ErrorKind::Unexpected, "write user").with_source(e))?;
            if let Put::Done(_) = self.station.put_document(namespace, key, version, Bytes::from(bytes)).await? {
                return Ok(done);
            }
        }
        Err(Error::new(ErrorKind::Conflict, "write user").with_message("The user was changed over and over."))
    }
}

/// Who an identity may be taken from.
#[derive(Clone, Copy)]
enum Taken<'a> {
    /// From nobody.
    Leave,
    /// From the caller of its own.
    From(&'a CallerId),
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "take identity").with_message(message)
}

fn too_many() -> Error {
    refused("A user has at most 16 identities.")
}

#[cfg(test)]
mod tests;
