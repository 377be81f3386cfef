//! How tools look from outside.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stationthis_core::cost::{PinnedRate, Quote};
use stationthis_core::registry::{Snapshot, Tool};
use stationthis_core::station::Caller;
use stationthis_core::tool::Visibility;
use stationthis_core::tool::naming::telegram_command;
use stationthis_core::{Timestamp, ToolDefinition};

use crate::telegram::command_reason;

/// A tool with its price of the moment, and whether its provider was there to confirm it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", try_from = "Value")]
#[non_exhaustive]
pub struct ToolView {
    /// The definition; its fields stand beside the others on the wire.
    #[serde(flatten)]
    pub definition: ToolDefinition,
    /// The rate at which it would run now; absent when the price is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<PinnedRate>,
    /// Why there is no rate, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpriced: Option<String>,
    /// What a run with its defaults is expected to cost, and the most it can; absent when the price is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Quote>,
    /// Milliseconds that three in four of its last runs took no longer than; absent while none ended well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typical_duration_ms: Option<u64>,
    /// Its command in a Telegram chat; absent when it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telegram_command: Option<String>,
    /// Why it has no command in a Telegram chat, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_telegram_command: Option<String>,
    /// Could its provider not be asked since this was last known to be so?
    pub stale: bool,
    /// When its provider last gave its catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<Timestamp>,
}

impl ToolView {
    /// How long a run usually takes, where that is known.
    #[must_use]
    pub fn typical_duration(&self) -> Option<Duration> {
        self.typical_duration_ms.map(Duration::from_millis)
    }

    /// A tool of a snapshot.
    #[must_use]
    pub fn new(tool: &Tool, snapshot: &Snapshot, caller: &Caller) -> Self {
        let definition = tool.definition().clone();
        let (rate, unpriced) = match caller.rate(tool) {
            Ok(rate) => (Some(rate), None),
            Err(error) => (None, Some(error.message().map_or_else(|| error.to_string(), str::to_owned))),
        };
        let provider = snapshot.provider(&definition.provider_id);
        let no_telegram_command = command_reason(&definition);
        Self {
            telegram_command: no_telegram_command.is_none().then(|| telegram_command(&definition.slug)),
            no_telegram_command,
            estimate: rate.is_some().then(|| caller.estimate(tool).ok()).flatten(),
            typical_duration_ms: caller.typical_duration(tool).and_then(|d| u64::try_from(d.as_millis()).ok()),
            rate,
            unpriced,
            stale: provider.is_none_or(|provider| provider.stale),
            refreshed_at: provider.and_then(|provider| provider.refreshed_at),
            definition,
        }
    }

    /// Every listed tool, by its slug.
    #[must_use]
    pub fn all(caller: &Caller) -> Vec<Self> {
        let snapshot = caller.tools();
        let listed = snapshot.tools().iter().filter(|tool| tool.definition().visibility == Visibility::Listed);
        let mut views: Vec<Self> = listed.map(|tool| Self::new(tool, &snapshot, caller)).collect();
        views.sort_by(|a, b| a.definition.slug.cmp(&b.definition.slug));
        views
    }
}

/// What stands beside the definition.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Beside {
    rate: Option<PinnedRate>,
    unpriced: Option<String>,
    estimate: Option<Quote>,
    typical_duration_ms: Option<u64>,
    telegram_command: Option<String>,
    no_telegram_command: Option<String>,
    stale: bool,
    refreshed_at: Option<Timestamp>,
}

/// Schemas are kept as raw text, which serde cannot read through a flattened field: so the object is read twice.
impl TryFrom<Value> for ToolView {
    type Error = serde_json::Error;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let beside = Beside::deserialize(&value)?;
        Ok(Self {
            definition: serde_json::from_value(value)?,
            rate: beside.rate,
            unpriced: beside.unpriced,
            estimate: beside.estimate,
            typical_duration_ms: beside.typical_duration_ms,
            telegram_command: beside.telegram_command,
            no_telegram_command: beside.no_telegram_command,
            stale: beside.stale,
            refreshed_at: beside.refreshed_at,
        })
    }
}

#[cfg(test)]
impl ToolView {
    /// A tool without a price, for tests of what is said about one.
    pub(crate) fn of_definition(definition: ToolDefinition) -> Self {
        Self {
            definition,
            rate: None,
            unpriced: None,
            estimate: Some(Quote::new(None, "0.05".parse().ok(), "by its timeout")),
            typical_duration_ms: Some(6_000),
            telegram_command: Some("portrait".to_owned()),
            no_telegram_command: None,
            stale: true,
            refreshed_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use stationthis_core::{ProviderId, ToolId};

    use super::*;

    #[test]
    fn a_view_survives_the_wire() {
        let provider = ProviderId::new("p").unwrap();
        let tool = ToolDefinition::new(ToolId::for_key(&provider, "t").unwrap(), provider, "service", "A tool").seal();
        let view = ToolView::of_definition(tool);
        let text = serde_json::to_string(&view).unwrap();
        assert_eq!(serde_json::from_str::<ToolView>(&text).unwrap(), view);
    }
}
