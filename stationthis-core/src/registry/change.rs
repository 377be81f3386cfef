//! What a refresh changed, in a form that outlives both snapshots.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::diff::{CatalogueDiff, Impact};
use super::snapshot::Snapshot;
use crate::id::ToolId;
use crate::time::Timestamp;
use crate::tool::ToolDefinition;

/// What the last refresh changed that changed anything; each list in the order of tool ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LastChange {
    /// When.
    pub at: Timestamp,
    /// Tools that were not there before.
    pub added: Vec<ToolRef>,
    /// Tools whose provider does not have them any more.
    pub removed: Vec<ToolRef>,
    /// Tools of which anything changed.
    pub changed: Vec<ChangedTool>,
}

/// A tool by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolRef {
    /// The tool.
    pub tool_id: ToolId,
    /// What people type.
    pub slug: String,
    /// Its name as its author wrote it.
    pub display_name: String,
}

/// A tool that changed, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ChangedTool {
    /// The tool as it is now.
    #[serde(flatten)]
    pub tool: ToolRef,
    /// Does it break callers?
    pub impact: Impact,
    /// Its slug before, where that was another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// Inputs that it did not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs_added: Vec<String>,
    /// Inputs that it has no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs_removed: Vec<String>,
    /// Inputs of which anything changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs_changed: Vec<String>,
}

impl LastChange {
    /// The way from `old` to `new`; `None` where nothing changed.
    #[must_use]
    pub fn between(old: &Snapshot, new: &Snapshot) -> Option<Self> {
        let diff = CatalogueDiff::between(old, new);
        if diff.is_empty() {
            return None;
        }
        let of = |snapshot: &Snapshot, id: &ToolId| snapshot.get(id).map(|tool| ToolRef::of(tool.definition()));
        let changed = diff.changed.iter().filter_map(|change| {
            let (before, after) = (old.get(&change.tool_id)?, new.get(&change.tool_id)?);
            Some(ChangedTool::new(before.definition(), after.definition(), change.impact))
        });
        Some(Self {
            at: new.taken_at(),
            added: diff.added.iter().filter_map(|id| of(new, id)).collect(),
            removed: diff.removed.iter().filter_map(|id| of(old, id)).collect(),
            changed: changed.collect(),
        })
    }
}

impl ToolRef {
    fn of(tool: &ToolDefinition) -> Self {
        Self { tool_id: tool.tool_id.clone(), slug: tool.slug.clone(), display_name: tool.display_name.clone() }
    }
}

impl ChangedTool {
    fn new(before: &ToolDefinition, after: &ToolDefinition, impact: Impact) -> Self {
        let (old, new) = (inputs(before), inputs(after));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let (mut added, mut removed, mut changed) = (Vec::new(), Vec::new(), Vec::new());
        for name in names {
            match (old.get(name), new.get(name)) {
                (None, Some(_)) => added.push(name.clone()),
                (Some(_), None) => removed.push(name.clone()),
                (was, is) if was != is => changed.push(name.clone()),
                _ => {}
            }
        }
        Self {
            tool: ToolRef::of(after),
            impact,
            renamed_from: (before.slug != after.slug).then(|| before.slug.clone()),
            inputs_added: added,
            inputs_removed: removed,
            inputs_changed: changed,
        }
    }
}

fn inputs(tool: &ToolDefinition) -> Map<String, Value> {
    match tool.input_schema.to_value() {
        Value::Object(mut schema) => match schema.remove("properties") {
            Some(Value::Object(properties)) => properties,
            _ => Map::new(),
        },
        _ => Map::new(),
    }
}
