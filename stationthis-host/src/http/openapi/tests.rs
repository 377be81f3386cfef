use std::collections::BTreeSet;

use stationthis_core::json_doc::JsonDoc;
use stationthis_core::{ProviderId, ToolDefinition, ToolId};

use super::*;

const META_SCHEMA: &str = include_str!("../../../tests/data/openapi/schema-3.1-2022-10-07.json");

fn tool(name: &str, inputs: &Value) -> ToolView {
    let provider = ProviderId::new("p").unwrap();
    let slug = name.to_lowercase().replace(' ', "-");
    let id = ToolId::for_key(&provider, &slug).unwrap();
    let mut definition = ToolDefinition::new(id, provider, "service", name).seal();
    definition.slug = slug;
    definition.input_schema = JsonDoc::from_value(inputs);
    let view = json!({ "unpriced": "No rate.", "stale": false });
    let mut object = serde_json::to_value(definition).unwrap();
    object.as_object_mut().unwrap().extend(view.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

fn tools() -> Vec<ToolView> {
    let prompt = json!({ "type": "string", "minLength": 1 });
    vec![
        tool("Red Fox", &json!({ "type": "object", "properties": { "prompt": prompt }, "required": ["prompt"] })),
        tool(
            "Blue Hare",
            &json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/a" } }, "$defs": { "a": prompt } }),
        ),
        tool("Anything", &json!(true)),
    ]
}

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let item = item.as_object().unwrap().iter();
        item.map(|(method, operation)| (method.to_ascii_uppercase(), path.clone(), operation))
    });
    operations.collect()
}

#[test]
fn each_route_is_in_the_document_and_nothing_else() {
    let routes: BTreeSet<_> = ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    let empty = document(&[]);
    let described: BTreeSet<_> = operations(&empty).into_iter().map(|(method, path, _)| (method, path)).collect();
    assert_eq!(described, routes);
    for (method, path, operation) in operations(&empty) {
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}: {operation}");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path}");
        assert_eq!(
            operation["security"].is_array(),
            path.starts_with("/api/internal/") || path == "/metrics",
            "{path}"
        );
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let parameters = operation["parameters"].as_array().unwrap().iter();
            assert_eq!(parameters.filter(|p| p["name"] == name && p["in"] == "path").count(), 1, "{method} {path}");
        }
    }
}

#[test]
fn each_tool_has_an_operation_with_its_inputs() {
    let document = document(&tools());
    assert_eq!(operations(&document).len(), ROUTES.len() + 2 * 3);
    let of = |slug: &str| document["paths"][format!("/api/internal/run/{slug}")]["post"].clone();
    let body = |slug: &str| of(slug)["requestBody"]["content"]["application/json"]["schema"].clone();
    assert_eq!((&of("red-fox")["operationId"], &of("red-fox")["summary"]), (&json!("run_red_fox"), &json!("Red Fox")));
    assert_eq!(of("red-fox")["description"], "Price: unknown. No rate.");
    assert_eq!(body("red-fox")["required"], json!(["inputs"]), "it needs some");
    assert_eq!(body("red-fox")["properties"]["inputs"]["required"], json!(["prompt"]));
    assert!(body("blue-hare")["required"].is_null());
    assert_eq!(body("blue-hare")["properties"]["inputs"]["$id"], "urn:stationthis:tool:blue-hare");
    let hare = jsonschema::draft202012::new(&body("blue-hare")).unwrap();
    assert!(hare.is_valid(&json!({ "inputs": { "a": "x" } })) && !hare.is_valid(&json!({ "inputs": { "a": 7 } })));
    assert!(!hare.is_valid(&json!({ "inptus": {} })), "other fields are refused");
    assert_eq!(body("anything")["properties"]["inputs"], json!({ "type": "object" }));
}

#[test]
fn operations_have_different_ids() {
    let document = document(&tools());
    let operations = operations(&document);
    let ids: BTreeSet<_> =
        operations.iter().map(|(.., operation)| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len(), "{ids:?}");
}

#[test]
fn it_is_an_openapi_document() {
    let meta: Value = serde_json::from_str(META_SCHEMA).unwrap();
    let meta = jsonschema::draft202012::new(&meta).unwrap();
    let mut document = document(&tools());
    let errors: Vec<_> = meta.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{name}");
    }
    document["paths"]["/healthz"]["get"]["responses"]["200"].as_object_mut().unwrap().remove("description");
    assert!(!meta.is_valid(&document), "the check can fail");
}

/// Every reference leads somewhere.
#[test]
fn nothing_refers_to_what_is_not_there() {
    let document = document(&[]);
    let text = document.to_string();
    let refs: BTreeSet<&str> = text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(refs.len() > 20, "{refs:?}");
    for pointer in refs {
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

/// A line for each operation and each component, so that a change of one is a change of a line.
#[test]
fn the_static_part_is_as_reviewed() {
    let mut document = document(&[]);
    document["info"]["version"] = json!("(version)");
    let mut lines: Vec<String> = operations(&document).iter().map(|(m, p, of)| format!("{m} {p} {of}")).collect();
    for (group, components) in document["components"].as_object().unwrap() {
        lines.extend(components.as_object().unwrap().iter().map(|(name, of)| format!("{group} {name} {of}")));
    }
    document.as_object_mut().unwrap().retain(|name, _| name != "paths" && name != "components");
    lines.push(document.to_string());
    insta::assert_snapshot!(lines.join("\n"));
}
