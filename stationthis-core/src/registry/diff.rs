//! What changed between two snapshots.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::ToolId;
use crate::json_doc::JsonDoc;
use crate::registry::snapshot::Snapshot;
use crate::tool::ToolDefinition;

/// The difference between two snapshots, each list in the order of tool ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CatalogueDiff {
    /// Tools that were not there before.
    pub added: Vec<ToolId>,
    /// Tools whose provider does not have them any more; never because it could not be asked.
    pub removed: Vec<ToolId>,
    /// Tools of which anything changed.
    pub changed: Vec<ToolChange>,
}

/// One tool that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolChange {
    /// The tool.
    pub tool_id: ToolId,
    /// Does it break callers?
    pub impact: Impact,
}

/// Does a change of a tool break its callers?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Impact {
    /// Inputs that were right are still right, and the outputs still have every kind and the same schema.
    Compatible,
    /// Some inputs that were right may be refused now, or outputs may look different. When in doubt it is this.
    Breaking,
}

impl CatalogueDiff {
    /// The way from `old` to `new`.
    #[must_use]
    pub fn between(old: &Snapshot, new: &Snapshot) -> Self {
        let mut diff = Self::default();
        for tool in new.tools() {
            let id = &tool.definition().tool_id;
            match old.get(id) {
                None => diff.added.push(id.clone()),
                Some(before) if before.definition() == tool.definition() => {}
                Some(before) => diff
                    .changed
                    .push(ToolChange { tool_id: id.clone(), impact: impact(before.definition(), tool.definition()) }),
            }
        }
        let gone = old.tools().iter().map(|tool| &tool.definition().tool_id).filter(|id| new.get(id).is_none());
        diff.removed.extend(gone.cloned());
        diff
    }

    /// Did nothing change?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

fn impact(old: &ToolDefinition, new: &ToolDefinition) -> Impact {
    let outputs = old.outputs.iter().all(|kind| new.outputs.contains(kind)) && old.output_schema == new.output_schema;
    if outputs && accepts_all(&old.input_schema, &new.input_schema) { Impact::Compatible } else { Impact::Breaking }
}

/// Does `new` accept all that `old` accepted? Decided for the plain object schemas that tools have; `false` when it
/// cannot be seen at once.
fn accepts_all(old: &JsonDoc, new: &JsonDoc) -> bool {
    if old == new {
        return true;
    }
    let (Value::Object(mut old), Value::Object(mut new)) = (old.to_value(), new.to_value()) else { return false };
    let required = |schema: &mut Map<String, Value>| match schema.remove("required") {
        Some(Value::Array(names)) => names,
        _ => Vec::new(),
    };
    let (old_required, new_required) = (required(&mut old), required(&mut new));
    let properties = |schema: &mut Map<String, Value>| match schema.remove("properties") {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    };
    let (old_properties, new_properties) = (properties(&mut old), properties(&mut new));
    // Where other names were allowed, a new property narrows them.
    let closed = old.get("additionalProperties") == Some(&Value::Bool(false));
    new_required.iter().all(|name| old_required.contains(name))
        && old_properties.iter().all(|(name, old)| new_properties.get(name).is_some_and(|new| widened(old, new)))
        && (closed || new_properties.keys().all(|name| old_properties.contains_key(name)))
        && same_but_for_annotations(old, new)
}

/// Keywords that say something to people or to forms, and refuse nothing.
const ANNOTATIONS: [&str; 12] = [
    "$comment",
    "$schema",
    "default",
    "deprecated",
    "description",
    "examples",
    "readOnly",
    "title",
    "writeOnly",
    "x-stationthis",
    "$id",
    "$anchor",
];

/// Does the property `new` accept every value that `old` did?
fn widened(old: &Value, new: &Value) -> bool {
    let (Value::Object(mut old), Value::Object(mut new)) = (old.clone(), new.clone()) else { return old == new };
    for keyword in ["maximum", "exclusiveMaximum", "maxLength", "maxItems"] {
        if !bound_is_looser(&mut old, &mut new, keyword, |old, new| new >= old) {
            return false;
        }
    }
    for keyword in ["minimum", "exclusiveMinimum", "minLength", "minItems"] {
        if !bound_is_looser(&mut old, &mut new, keyword, |old, new| new <= old) {
            return false;
        }
    }
    match (old.remove("enum"), new.remove("enum")) {
        (_, None) => {}
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.iter().all(|value| new.contains(value)) => {}
        _ => return false,
    }
    same_but_for_annotations(old, new)
}

/// Takes the keyword from both, and tells whether the new bound lets at least as much pass.
fn bound_is_looser(
    old: &mut Map<String, Value>,
    new: &mut Map<String, Value>,
    keyword: &str,
    looser: fn(f64, f64) -> bool,
) -> bool {
    match (old.remove(keyword), new.remove(keyword)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(old), Some(new)) => {
            old == new || old.as_f64().zip(new.as_f64()).is_some_and(|(old, new)| looser(old, new))
        }
    }
}

fn same_but_for_annotations(mut old: Map<String, Value>, mut new: Map<String, Value>) -> bool {
    for keyword in ANNOTATIONS {
        old.remove(keyword);
        new.remove(keyword);
    }
    old == new
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(property: &Value) -> Value {
        json!({ "type": "object", "properties": { "a": property }, "additionalProperties": false })
    }

    fn check(old: &Value, new: &Value, compatible: bool) {
        let (old, new) = (JsonDoc::from_value(old), JsonDoc::from_value(new));
        assert_eq!(accepts_all(&old, &new), compatible, "{old:?} -> {new:?}");
    }

    #[test]
    fn a_wider_property_is_compatible_and_a_narrower_one_breaks() {
        for (narrow, wide) in [
            (json!({ "maximum": 50 }), json!({ "maximum": 60 })),
            (json!({ "minimum": 5 }), json!({ "minimum": 4.5 })),
            (json!({ "maxLength": 5 }), json!({})),
            (json!({ "enum": ["a"] }), json!({ "enum": ["a", "b"] })),
            (json!({ "enum": ["a"] }), json!({})),
        ] {
            check(&schema(&narrow), &schema(&wide), true);
            check(&schema(&wide), &schema(&narrow), false);
        }
        let (text, number) = (json!({ "type": "string" }), json!({ "type": "number" }));
        check(&schema(&text), &schema(&number), false);
        check(&schema(&text), &schema(&json!({ "type": "string", "title": "A", "default": "x" })), true);
    }

    #[test]
    fn an_optional_input_more_is_compatible_and_a_required_one_breaks() {
        let old = schema(&json!({}));
        let mut new = old.clone();
        new["properties"]["b"] = json!({});
        check(&old, &new, true);
        check(&new, &old, false);
        new["required"] = json!(["b"]);
        check(&old, &new, false);
        let mut open = old.clone();
        open["additionalProperties"] = json!(true);
        check(&old, &open, false);
    }
}
