//! The JSON Schema of a tool's inputs.

use super::file::{CatalogueFile, ToolEntry};
use serde_json::{Map, Value, json};

/// The schema: the fields in their order, narrowed for this tool, and the combinations that are refused.
///
/// # Errors
/// A sentence that names what is not there.
pub(super) fn of(file: &CatalogueFile, tool: &ToolEntry) -> Result<Value, String> {
    let mut properties = Map::new();
    for (order, name) in tool.inputs.iter().enumerate() {
        let field = file.fields.get(name).ok_or_else(|| format!("input {name:?} is not in [fields]."))?;
        let mut schema = field.schema.clone();
        schema.extend(tool.narrow.get(name).cloned().unwrap_or_default());
        let mut hints = Map::from_iter([("order".to_owned(), json!(order))]);
        hints.extend(field.kind.clone().map(|kind| ("kind".to_owned(), json!(kind))));
        hints.extend(field.advanced.then(|| ("advanced".to_owned(), json!(true))));
        schema.insert("x-stationthis".to_owned(), Value::Object(hints));
        if properties.insert(name.clone(), Value::Object(schema)).is_some() {
            return Err(format!("input {name:?} stands twice."));
        }
    }
    let unknown = |list: &str, name: &String| Err(format!("{list} {name:?} is not among the inputs."));
    if let Some(name) = tool.required.iter().find(|name| !properties.contains_key(*name)) {
        return unknown("required", name);
    }
    if let Some(name) = tool.narrow.keys().find(|name| !properties.contains_key(*name)) {
        return unknown("narrow", name);
    }
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": tool.required,
        "additionalProperties": false,
    });
    let rule = |name: &String| {
        let rule = file.rules.get(name).ok_or_else(|| format!("rule {name:?} is not in [rules]."))?;
        Ok::<_, String>(Value::Object(rule.clone()))
    };
    let rules: Vec<Value> = tool.rules.iter().map(rule).collect::<Result<_, _>>()?;
    if let (Some(schema), false) = (schema.as_object_mut(), rules.is_empty()) {
        schema.insert("allOf".to_owned(), Value::Array(rules));
    }
    Ok(schema)
}
