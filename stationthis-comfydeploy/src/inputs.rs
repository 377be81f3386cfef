//! From the input nodes of a workflow to the JSON Schema of its tool.
//!
//! Derived from the graph itself, not from the service's `input_types`: that list lacks four classes and most fields.
//!
//! # Which inputs are required
//! Every node has a value of its own for an input that is left out, so nearly all are optional. Required are only the
//! ones for pictures, films and sounds (also several) whose node has neither a URL or file nor a link for that case: it would fail
//! inside the run. An empty prompt is a usable default.
//!
//! # Which bounds are stated
//! Those outside which a node silently takes its default instead: `minimum` and `maximum`. A node's `step` is a hint for
//! sliders that nobody enforces, so it stands beside the widget hints. A default that its own bounds refuse is left out
//! of the schema; the node still applies it.

mod class;
mod property;

pub(crate) use class::{Class, is_input};

use crate::wire::graph::Node;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How a value is written for the service, where JSON Schema's idea of it is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SendAs {
    /// A whole number without decimals: `3.0` makes the node fall back to its default.
    Integer,
    /// An array as JSON text: a real array is read as a link between nodes.
    JsonText,
}

/// The inputs of a workflow.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) schema: Value,
    pub(crate) send_as: BTreeMap<String, SendAs>,
    /// What looked odd, a sentence each.
    pub(crate) warnings: Vec<String>,
    /// The names that the service's own list should have.
    listed: BTreeSet<String>,
    /// All names, which its list may have.
    names: BTreeSet<String>,
}

/// The inputs that a graph's nodes make. Several nodes with one name are one input: all get the value.
pub(crate) fn derive(nodes: &[Node]) -> Inputs {
    let mut found: Vec<(f64, &Node, Class, &str)> = Vec::new();
    let mut warnings = Vec::new();
    let mut listed = BTreeSet::new();
    let mut names = BTreeSet::new();
    for node in nodes {
        let class = Class::of(&node.class_type);
        let name = node.inputs.input_id.text();
        names.extend(name.map(str::to_owned));
        if class == Class::Realtime {
            continue;
        }
        let Some(name) = name else {
            warnings.push(format!("A {} has no name of its own, so it cannot be given a value.", node.class_type));
            continue;
        };
        if class == Class::Unknown {
            warnings.push(format!("The input {name:?} is of the unknown class {}.", node.class_type));
        }
        if class::is_listed(&node.class_type) {
            listed.insert(name.to_owned());
        }
        let order = node.meta.as_ref().and_then(|m| m.cd_input_order).unwrap_or(f64::INFINITY);
        found.push((order, node, class, name));
    }
    // Stable: equal and missing orders keep the order of the file.
    found.sort_by(|a, b| a.0.total_cmp(&b.0));

    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut send_as = BTreeMap::new();
    let mut classes: BTreeMap<&str, Class> = BTreeMap::new();
    for (_, node, class, name) in found {
        if let Some(first) = classes.get(name) {
            if *first != class {
                warnings.push(format!("The input {name:?} has nodes of different classes; the first one rules."));
            }
            continue;
        }
        classes.insert(name, class);
        let property = property::of(node, class, name, properties.len());
        properties.insert(name.to_owned(), property.schema);
        if property.required {
            required.push(Value::from(name));
        }
        send_as.extend(class.send_as().map(|how| (name.to_owned(), how)));
    }
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = Value::Array(required);
    }
    Inputs { schema, send_as, warnings, listed, names }
}

impl Inputs {
    /// A sentence when the service's own list of inputs names others than the graph has.
    pub(crate) fn cross_check<'a>(&self, theirs: impl Iterator<Item = &'a str>) -> Option<String> {
        let theirs: BTreeSet<&str> = theirs.filter(|name| !name.is_empty()).collect();
        let missing: Vec<_> = theirs.iter().filter(|name| !self.names.contains(**name)).collect();
        let extra: Vec<_> = self.listed.iter().filter(|name| !theirs.contains(name.as_str())).collect();
        if missing.is_empty() && extra.is_empty() {
            return None;
        }
        Some(format!(
            "The service lists other inputs than the graph has (only listed: {missing:?}, only in the graph: {extra:?})."
        ))
    }
}

#[cfg(test)]
mod tests;
