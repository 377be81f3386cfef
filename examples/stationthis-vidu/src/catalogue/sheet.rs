//! The form of a catalogue file.

use crate::route::Route;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use toml::Spanned;

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sheet {
    /// Where its facts come from, and of when.
    pub(super) source: String,
    /// What people call each model.
    pub(super) models: BTreeMap<String, String>,
    /// What all tools say of an input, in JSON Schema.
    #[serde(default)]
    pub(super) inputs: BTreeMap<String, Map<String, Value>>,
    pub(super) tools: Vec<Spanned<Entry>>,
    #[serde(default)]
    pub(super) prices: Vec<Spanned<Prices>>,
}

/// A route for some models that take the same inputs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) route: Route,
    /// The models, as this route calls them; without any, the route takes none and is one tool.
    #[serde(default)]
    pub(super) models: Vec<String>,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) required: Vec<String>,
    /// Each input with what it says besides [`Sheet::inputs`].
    pub(super) inputs: BTreeMap<String, Map<String, Value>>,
    /// Combinations that are refused, as JSON Schema that must hold of all inputs together.
    #[serde(default)]
    pub(super) rules: Vec<Map<String, Value>>,
}

/// What some models take on some routes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prices {
    pub(super) routes: Vec<Route>,
    #[serde(default)]
    pub(super) models: Vec<String>,
    /// The first that matches.
    pub(super) rows: Vec<Row>,
    /// Every one that matches, on top.
    #[serde(default)]
    pub(super) addons: Vec<Row>,
}

/// So many credits when the inputs are such.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    #[serde(default)]
    pub(super) when: Map<String, Value>,
    pub(super) credits: u32,
    /// The input by which they are multiplied.
    #[serde(default)]
    pub(super) times: Option<String>,
}

impl Entry {
    /// Its models, or `None` once where the route takes none.
    pub(super) fn each(&self) -> impl Iterator<Item = Option<&str>> {
        let none = self.models.is_empty().then_some(None);
        self.models.iter().map(|model| Some(model.as_str())).chain(none)
    }
}

impl Prices {
    pub(super) fn fits(&self, model: Option<&str>) -> bool {
        match model {
            Some(model) => self.models.iter().any(|known| known == model),
            None => self.models.is_empty(),
        }
    }
}
