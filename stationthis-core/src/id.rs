//! Identifiers. Each is a type of its own, so that a run id can never stand where a task id belongs.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;

/// Our name for one request to run one tool: a UUID, version 7, so that ids sort by creation time.
///
/// Not a secret: it reveals when the task was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "String", extend("format" = "uuid"))]
pub struct TaskId(Uuid);

impl TaskId {
    /// A new id, ordered after every id this process made before.
    #[must_use]
    pub fn generate() -> Self {
        #[cfg(any(test, feature = "testkit"))]
        if let Some(bytes) = crate::testkit::campaign::ids::next() {
            return Self::from_bytes(bytes);
        }
        Self(Uuid::now_v7())
    }

    /// Comes before every id that is made at this time (in milliseconds) or later, and after every earlier one: not the id
    /// of a task, but a place among them.
    #[must_use]
    pub fn first_at(at: Timestamp) -> Self {
        let ms = u64::try_from(at.as_micros().div_euclid(1000)).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(ms, &[0; 10]).into_uuid())
    }

    /// The id as sixteen bytes, the form in which stores keep it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id that [`TaskId::as_bytes`] gave.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for TaskId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Uuid::parse_str(text).map(Self).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, "parse task id").with_message("A task id is a UUID.").with_source(e)
        })
    }
}

/// The name of one notice, the same on every attempt to deliver it, so that receivers can drop repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "String", extend("format" = "uuid"))]
pub struct NoticeId(Uuid);

impl NoticeId {
    /// The id of the notice that tells `target` about `task`: derived, so that a repeated commit of the same end
    /// cannot make a second notice.
    #[must_use]
    pub fn derive(task: TaskId, kind: &str, target: &str) -> Self {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        hash.update(task.as_bytes());
        hash.update(kind.as_bytes());
        hash.update([0]);
        hash.update(target.as_bytes());
        let digest = hash.finalize();
        let mut bytes = [0u8; 16];
        for (to, from) in bytes.iter_mut().zip(digest.iter()) {
            *to = *from;
        }
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for NoticeId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Uuid::parse_str(text)
            .map(Self)
            .map_err(|e| Error::new(ErrorKind::InvalidInput, "parse notice id").with_source(e))
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, max $max:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// The most bytes it may have.
            pub const MAX_BYTES: usize = $max;

            /// Checks and takes the text.
            ///
            /// # Errors
            /// `InvalidInput` when it is empty, longer than [`Self::MAX_BYTES`] or has a character that is not allowed.
            pub fn new(text: impl Into<String>) -> Result<Self, Error> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if text.is_empty() || text.len() > Self::MAX_BYTES || !valid(&text) {
                    let shown: String = text.chars().take(40).collect();
                    return Err(Error::new(ErrorKind::InvalidInput, concat!("parse ", $what))
                        .with_context("text", format!("{shown:?}")));
                }
                Ok(Self(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(from)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

fn printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

fn lower_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
}

text_id!(
    /// A configured instance of a service (`comfydeploy`, `comfydeploy-eu`): lower-case letters, digits, `-`, `_`.
    ///
    /// Run ids are unique per provider id.
    ProviderId, "provider id", max 64, lower_name
);
text_id!(
    /// `{providerId}:{the provider's own stable key}`; survives redeploys, renames and restarts.
    ToolId, "tool id", max 256, |t| printable(t) && t.contains(':') && !t.contains(char::is_whitespace)
);
text_id!(
    /// The provider's name for its run.
    RunId, "run id", max 256, printable
);
text_id!(
    /// Who a task belongs to and is charged to.
    CallerId, "caller id", max 128, printable
);
text_id!(
    /// The caller's name for one request, so that a repeated request finds the first task instead of making another.
    IdempotencyKey, "idempotency key", max 255, printable
);

impl ToolId {
    /// The id of a provider's tool.
    ///
    /// # Errors
    /// `InvalidInput` when the key is empty, too long, or holds white space or control characters.
    pub fn for_key(provider: &ProviderId, key: &str) -> Result<Self, Error> {
        if key.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "make tool id").with_context("provider", provider));
        }
        Self::new(format!("{provider}:{key}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_ids_sort_by_creation_and_survive_text_and_bytes() {
        let (a, b) = (TaskId::generate(), TaskId::generate());
        assert!(a < b);
        assert_eq!(a.to_string().parse::<TaskId>().unwrap(), a);
        assert_eq!(TaskId::from_bytes(*a.as_bytes()), a);
    }

    #[test]
    fn a_time_has_its_place_among_task_ids() {
        let before = Timestamp::now();
        let id = TaskId::generate();
        let after = Timestamp::now().plus(std::time::Duration::from_millis(1));
        assert!(TaskId::first_at(before) <= id && id < TaskId::first_at(after));
        assert!(TaskId::first_at(Timestamp::from_micros(-1)) <= TaskId::first_at(Timestamp::from_micros(0)));
        assert!(TaskId::first_at(Timestamp::from_micros(999)) < TaskId::first_at(Timestamp::from_micros(1000)));
    }

    #[test]
    fn hostile_ids_are_refused() {
        assert!(ProviderId::new("Comfy Deploy").is_err());
        assert!(ProviderId::new("-x").is_err());
        assert!(CallerId::new("").is_err());
        assert!(CallerId::new("a\u{0}b").is_err());
        assert!(RunId::new("x".repeat(257)).is_err());
        assert!(ToolId::new("no-colon").is_err());
        assert!(serde_json::from_str::<CallerId>("\"\"").is_err());
    }

    #[test]
    fn a_notice_id_depends_on_each_of_its_parts() {
        let (a, b) = (TaskId::generate(), TaskId::generate());
        let id = NoticeId::derive(a, "finished", "log");
        assert_eq!(id, NoticeId::derive(a, "finished", "log"));
        assert_ne!(id, NoticeId::derive(b, "finished", "log"));
        assert_ne!(id, NoticeId::derive(a, "finished", "events"));
        assert_ne!(id, NoticeId::derive(a, "progress", "log"));
    }
}
