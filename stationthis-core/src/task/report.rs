//! What a provider says about a run, translated to our types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cost::Usage;
use crate::error::FailureRecord;
use crate::id::RunId;
use crate::task::output::Output;
use crate::time::Timestamp;

/// One statement of a provider about one run, from a webhook or a poll.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunReport {
    /// The run.
    pub run_id: RunId,
    /// Its status in our terms.
    pub status: RunStatus,
    /// The provider's own word for it.
    pub raw_status: String,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// What it is doing, in the provider's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_status: Option<String>,
    /// The outputs it names; empty says nothing about earlier ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// The provider's own times.
    #[serde(default)]
    pub times: RunTimes,
    /// The resource class that it ran on, where the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What it used, where the provider counts that itself (tokens, credits).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Why it failed, where the report says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureRecord>,
}

impl RunReport {
    /// A report that says nothing but the status.
    pub fn new(run_id: RunId, status: RunStatus, raw_status: impl Into<String>) -> Self {
        Self {
            run_id,
            status,
            raw_status: raw_status.into(),
            progress: None,
            live_status: None,
            outputs: Vec::new(),
            times: RunTimes::default(),
            resource: None,
            usage: None,
            failure: None,
        }
    }
}

/// The status of a run, in terms that every provider's words are translated to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RunStatus {
    /// Known to the service, not running yet.
    Queued,
    /// Running.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended by the service's own time limit.
    TimedOut,
    /// Ended by a wish.
    Cancelled,
    /// A word we do not know: changes nothing, is counted, and the run is asked about again.
    Unknown,
}

impl RunStatus {
    /// Is it an end?
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::TimedOut | Self::Cancelled => true,
            Self::Queued | Self::Running | Self::Unknown => false,
        }
    }
}

/// The provider's own times of a run. Any may be missing, and they may contradict each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunTimes {
    /// The run was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// A worker took it (on ComfyDeploy: a container has it; waiting is before this).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// The work itself began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// It ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl RunTimes {
    /// Takes over each time that `newer` has.
    pub(crate) fn update(&mut self, newer: &Self) {
        self.created_at = newer.created_at.or(self.created_at);
        self.queued_at = newer.queued_at.or(self.queued_at);
        self.started_at = newer.started_at.or(self.started_at);
        self.ended_at = newer.ended_at.or(self.ended_at);
    }
}

/// How far a run is, in ten-thousandths: providers send four-byte floats (0.11999999731779099 for 0.12) that must not
/// be compared. On the wire a number from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Progress(u16);

impl Progress {
    /// The end.
    pub const DONE: Self = Self(10_000);

    /// From a fraction; not-a-number is nothing, the rest is clamped to 0..=1.
    #[must_use]
    pub fn from_fraction(fraction: f64) -> Option<Self> {
        if fraction.is_nan() {
            return None;
        }
        // In range by the clamp, and whole by the rounding.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(Self((fraction.clamp(0.0, 1.0) * 10_000.0).round() as u16))
    }

    /// The fraction, 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

impl Serialize for Progress {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.fraction())
    }
}

impl<'de> Deserialize<'de> for Progress {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::from_fraction(f64::deserialize(from)?).ok_or_else(|| serde::de::Error::custom("progress is not a number"))
    }
}

impl JsonSchema for Progress {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Progress".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

/// The time one node of a workflow took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeTime {
    /// The node.
    pub node_id: String,
    /// Its class.
    pub class_type: String,
    /// Microseconds.
    pub micros: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_progress_are_equal() {
        assert_eq!(Progress::from_fraction(0.12), Progress::from_fraction(0.119_999_997_317_790_99));
        assert_eq!(Progress::from_fraction(7.0), Some(Progress::DONE));
        assert_eq!(Progress::from_fraction(f64::NAN), None);
        assert_eq!(serde_json::to_string(&Progress::from_fraction(0.12).unwrap()).unwrap(), "0.12");
    }
}
