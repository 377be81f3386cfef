//! What a chat can feed a tool with.

use serde_json::Value;
use stationthis_core::ToolDefinition;

use crate::face::input::{Field, FieldKind, Fields};

/// The most files that a tool may need in a chat: an album has as many.
const FILES_MAX: usize = 10;

/// Why a tool cannot be run from a chat, in a sentence; `None` when it can.
///
/// A chat gives texts, numbers, choices, and pictures and other files, one or several to an input. It has no form for
/// structured data, and for no more files than an album holds.
#[must_use]
pub fn chat_reason(tool: &ToolDefinition) -> Option<String> {
    let schema = tool.input_schema.to_value();
    // Most tools need nothing that has no default.
    if schema.get("required").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        return None;
    }
    let fields = Fields::of(tool);
    if let Some(field) = fields.required().find(|field| is_structured(field, &schema)) {
        return Some(format!("It needs {}, which is structured data: a chat gives texts and files.", field.name));
    }
    let files = fields.required().filter(|field| field.kind.media().is_some()).count();
    (files > FILES_MAX).then(|| format!("It needs {files} files; a chat gives {FILES_MAX} at a time."))
}

/// The input that text without a name is for: the first text that is required, else the first one. Names of models and
/// the like are texts too, and nobody means them.
#[must_use]
pub fn free_text<'a>(tool: &ToolDefinition, fields: &'a Fields) -> Option<&'a Field> {
    let schema = tool.input_schema.to_value();
    let is_text = |field: &&Field| {
        let hint = property(&schema, field).and_then(|property| property.get("x-stationthis")?.get("kind")?.as_str());
        field.kind == FieldKind::Text && hint.is_none_or(|hint| hint == "text")
    };
    fields.required().find(is_text).or_else(|| fields.iter().find(is_text))
}

fn property<'a>(schema: &'a Value, field: &Field) -> Option<&'a Value> {
    schema.get("properties")?.get(&field.name)
}

fn is_structured(field: &Field, schema: &Value) -> bool {
    match &field.kind {
        // Of several types at once, a text may be one.
        FieldKind::Json => {
            let types = property(schema, field).and_then(|property| property.get("type")?.as_array());
            !types.is_some_and(|types| types.iter().any(|name| name != "object" && name != "array" && name != "null"))
        }
        FieldKind::List(entry) => matches!(entry.as_ref(), FieldKind::Json | FieldKind::List(_)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stationthis_core::{JsonDoc, ProviderId, ToolId};

    use super::*;

    fn tool(properties: &Value, required: &[&str]) -> ToolDefinition {
        let provider = ProviderId::new("p").unwrap();
        let mut tool = ToolDefinition::new(ToolId::for_key(&provider, "t").unwrap(), provider, "service", "A tool");
        tool.input_schema =
            JsonDoc::from_value(&json!({ "type": "object", "properties": properties, "required": required }));
        tool
    }

    fn check(properties: &Value, required: &[&str], reason: Option<&str>) {
        assert_eq!(chat_reason(&tool(properties, required)).as_deref(), reason);
    }

    #[test]
    fn a_tool_that_needs_what_a_chat_cannot_give_says_what() {
        let color = json!({ "type": "object", "properties": {} });
        let image = json!({ "type": "string", "format": "uri", "contentMediaType": "image/*" });
        check(&json!({ "colors": { "type": "array", "items": color } }), &[], None);
        let structured = "It needs colors, which is structured data: a chat gives texts and files.";
        check(&json!({ "colors": { "type": "array", "items": color } }), &["colors"], Some(structured));
        check(&json!({ "colors": color }), &["colors"], Some(structured));
        check(
            &json!({ "images": { "type": "array", "items": image }, "n": { "type": "integer" } }),
            &["images", "n"],
            None,
        );
        let many: Vec<String> = (0..11).map(|n| format!("image_{n:02}")).collect();
        let properties = many.iter().map(|name| (name.clone(), image.clone())).collect();
        let names: Vec<&str> = many.iter().map(String::as_str).collect();
        check(&Value::Object(properties), &names, Some("It needs 11 files; a chat gives 10 at a time."));
        check(&json!({ "any": { "type": ["string", "number"] } }), &["any"], None);
    }

    #[test]
    fn text_goes_to_the_first_required_text_else_to_the_first() {
        let text = |order: u8| json!({ "type": "string", "x-stationthis": { "order": order } });
        let number = json!({ "type": "number", "x-stationthis": { "order": 0 } });
        let properties =
            json!({ "n": number, "a": text(2), "b": text(1), "style": { "type": "string", "enum": ["x"] } });
        for (required, expected) in [(vec![], "b"), (vec!["a"], "a"), (vec!["n", "a", "b"], "b")] {
            let tool = tool(&properties, &required);
            assert_eq!(free_text(&tool, &Fields::of(&tool)).map(|field| field.name.as_str()), Some(expected));
        }
        let model = json!({ "type": "string", "x-stationthis": { "order": 0, "kind": "checkpoint" } });
        let without = tool(&json!({ "n": number, "model": model }), &[]);
        assert_eq!(free_text(&without, &Fields::of(&without)), None);
    }
}
