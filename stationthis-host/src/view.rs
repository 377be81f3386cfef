//! How tools look from outside.

use serde::{Deserialize, Serialize};
use stationthis_core::cost::PinnedRate;
use stationthis_core::registry::{Snapshot, Tool};
use stationthis_core::station::Caller;
use stationthis_core::tool::Visibility;
use stationthis_core::{Timestamp, ToolDefinition};

/// A tool with its price of the moment, and whether its provider was there to confirm it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolView {
    /// The definition; its fields stand beside the others on the wire.
    #[serde(flatten)]
    pub definition: ToolDefinition,
    /// The rate at which it would run now; absent when the price is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<PinnedRate>,
    /// Why there is no rate, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpriced: Option<String>,
    /// Could its provider not be asked since this was last known to be so?
    pub stale: bool,
    /// When its provider last gave its catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<Timestamp>,
}

impl ToolView {
    /// A tool of a snapshot.
    #[must_use]
    pub fn new(tool: &Tool, snapshot: &Snapshot, caller: &Caller) -> Self {
        let definition = tool.definition().clone();
        let (rate, unpriced) = match caller.rate(tool) {
            Ok(rate) => (Some(rate), None),
            Err(error) => (None, Some(error.message().map_or_else(|| error.to_string(), str::to_owned))),
        };
        let provider = snapshot.provider(&definition.provider_id);
        Self {
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
