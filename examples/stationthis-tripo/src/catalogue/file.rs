//! The form of a catalogue's file. Unknown names are refused.

use serde::Deserialize;
use serde_json::{Map, Value};
use stationthis_core::task::output::OutputKind;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CatalogueFile {
    /// Where its facts come from, and as of when; for its readers.
    #[serde(rename = "source")]
    _source: String,
    #[serde(default)]
    pub(super) fields: BTreeMap<String, FieldEntry>,
    /// Combinations that are refused, as schemas.
    #[serde(default)]
    pub(super) rules: BTreeMap<String, Map<String, Value>>,
    #[serde(default)]
    pub(super) prices: BTreeMap<String, PriceEntry>,
    #[serde(default)]
    pub(super) tools: Vec<ToolEntry>,
}

/// An input, as it is in every tool that has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldEntry {
    pub(super) schema: Map<String, Value>,
    /// Where it goes in the body, when not under its own name.
    pub(super) at: Option<String>,
    /// A hint for faces: `text`, `seed`.
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) advanced: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceEntry {
    pub(super) rows: Vec<RowEntry>,
    #[serde(default)]
    pub(super) addons: Vec<RowEntry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowEntry {
    #[serde(default)]
    pub(super) when: Map<String, Value>,
    /// Inputs that must not be given: there is no null in TOML.
    #[serde(default)]
    pub(super) unset: Vec<String>,
    pub(super) credits: u32,
    /// The input by which the credits are multiplied.
    pub(super) times: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolEntry {
    /// Stable for ever: part of the tool's id.
    pub(super) key: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    pub(super) category: Option<String>,
    pub(super) route: String,
    /// What goes with every run.
    #[serde(default)]
    pub(super) send: Map<String, Value>,
    pub(super) inputs: Vec<String>,
    #[serde(default)]
    pub(super) required: Vec<String>,
    /// Changes of fields' schemas, by keyword.
    #[serde(default)]
    pub(super) narrow: BTreeMap<String, Map<String, Value>>,
    #[serde(default)]
    pub(super) rules: Vec<String>,
    /// Absent: as many credits as the service says, without an estimate.
    pub(super) price: Option<String>,
    #[serde(default)]
    pub(super) outputs: Vec<OutputKind>,
    pub(super) concurrency: Option<u32>,
}
