//! The operation of one tool.

use serde_json::{Map, Value, json};

use crate::face::summary::rate_text;
use crate::http::openapi::operation::{Describer, TOOLS, insert};
use crate::http::routes::Scope;
use crate::http::run::{self, RUN_TOOL};
use crate::view::ToolView;

/// Below it are the tools, by their slugs.
pub(super) const PARENT: &str = "/api/internal/run";

/// Describing and running it: as the routes for any tool, with this one's inputs and price.
pub(super) fn operations(describer: &mut Describer, tool: &ToolView) -> (Value, Value) {
    let slug = tool.definition.slug.replace('-', "_");
    let show = json!({
        "operationId": format!("describe_{slug}"),
        "summary": format!("{}: inputs, price and typical duration", tool.definition.display_name),
        "tags": [TOOLS],
        "parameters": describer.parameters(&run::SHOW),
        "responses": describer.responses(&run::SHOW, Scope::Caller, true),
        "security": [{ "key": [] }],
    });
    (show, operation(describer, tool, &format!("run_{slug}")))
}

fn operation(describer: &mut Describer, tool: &ToolView, id: &str) -> Value {
    let definition = &tool.definition;
    let mut body = RUN_TOOL.body.map(|content| describer.body(content)).unwrap_or_default();
    if let Some(schema) = body.pointer_mut("/application~1json/schema") {
        let inputs = inputs(tool);
        // Inputs can be left out when none must be given.
        let must = inputs.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty());
        insert(schema, "required", must.then(|| json!(["inputs"])));
        if let Some(properties) = schema.get_mut("properties") {
            insert(properties, "inputs", Some(inputs));
        }
    }
    json!({
        "operationId": id,
        "summary": definition.display_name,
        "description": description(tool),
        "tags": [TOOLS],
        "parameters": describer.parameters(&RUN_TOOL),
        "requestBody": { "required": true, "content": body },
        "responses": describer.responses(&RUN_TOOL, Scope::Caller, true),
        "security": [{ "key": [] }],
        "x-stationthis": {
            "toolId": definition.tool_id,
            "category": definition.category,
            "outputs": definition.outputs,
            "rate": tool.rate,
        },
    })
}

fn description(tool: &ToolView) -> String {
    let definition = &tool.definition;
    let word = |kind| serde_json::to_value(kind).ok()?.as_str().map(str::to_owned);
    let kinds: Vec<String> = definition.outputs.iter().filter_map(word).collect();
    let mut parts = vec![definition.description.clone()];
    parts.push(match (&tool.rate, &tool.unpriced) {
        (Some(rate), _) => format!("Price: {}.", rate_text(rate)),
        (None, Some(why)) => format!("Price: unknown. {why}"),
        (None, None) => String::new(),
    });
    parts.push(if kinds.is_empty() { String::new() } else { format!("Gives: {}.", kinds.join(", ")) });
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// The input schema as a part of another document.
fn inputs(tool: &ToolView) -> Value {
    let mut schema = tool.definition.input_schema.to_value();
    let refers = tool.definition.input_schema.as_str().contains("\"$ref\"");
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("$schema");
        if refers {
            // References within it are to itself, not to the document around it.
            schema.insert("$id".to_owned(), json!(format!("urn:stationthis:tool:{}", tool.definition.slug)));
        }
        return Value::Object(std::mem::take(schema));
    }
    // A schema that is a boolean, or nothing: whatever is given is judged when it is run.
    Value::Object(Map::from_iter([("type".to_owned(), json!("object"))]))
}
