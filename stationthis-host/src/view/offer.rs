//! A tool with what a run of it takes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stationthis_core::cost::Quote;
use stationthis_core::registry::{Snapshot, Tool};
use stationthis_core::station::Caller;

use crate::view::ToolView;

/// A tool, what a run of it would cost with nothing but its defaults, and how long it usually takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Value")]
#[non_exhaustive]
pub struct ToolOffer {
    /// The tool; its fields stand beside the others on the wire.
    #[serde(flatten)]
    pub tool: ToolView,
    /// The quote of a run without any input given; absent when the tool needs some, or has no price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
    /// Milliseconds from submission to end that three in four of the last good runs of this revision did not exceed;
    /// absent while there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typical_duration_ms: Option<u64>,
}

impl ToolOffer {
    /// A tool of a snapshot.
    #[must_use]
    pub fn new(tool: &Tool, snapshot: &Snapshot, caller: &Caller) -> Self {
        let quote = caller.quote(tool.definition().tool_id.as_str(), &Map::new());
        let typical = caller.typical_duration(tool);
        Self {
            tool: ToolView::new(tool, snapshot, caller),
            quote: quote.ok().map(|answer| answer.quote),
            typical_duration_ms: typical.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// What stands beside the tool.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Beside {
    quote: Option<Quote>,
    typical_duration_ms: Option<u64>,
}

/// Read twice, as a [`ToolView`] is.
impl TryFrom<Value> for ToolOffer {
    type Error = serde_json::Error;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let Beside { quote, typical_duration_ms } = Beside::deserialize(&value)?;
        Ok(Self { tool: serde_json::from_value(value)?, quote, typical_duration_ms })
    }
}
