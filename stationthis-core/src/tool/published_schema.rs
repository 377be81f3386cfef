//! The JSON Schema of a tool definition that programs in other languages read, kept equal to the type.

use crate::tool::ToolDefinition;

const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema/tool-definition.schema.json");

#[test]
fn the_published_schema_is_that_of_the_type() {
    let now = format!("{}\n", serde_json::to_string_pretty(&ToolDefinition::json_schema()).unwrap());
    // After a wanted change: UPDATE=1 cargo test -p stationthis-core published_schema
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PUBLISHED, &now).unwrap();
    }
    let published = std::fs::read_to_string(PUBLISHED).unwrap();
    assert!(published == now, "the type has changed: run this test once with UPDATE=1 and look at the difference");
}

#[test]
fn a_definition_is_valid_under_its_own_schema() {
    let schema = serde_json::to_value(ToolDefinition::json_schema()).unwrap();
    let provider = crate::ProviderId::new("comfydeploy").unwrap();
    let tool =
        ToolDefinition::new(crate::ToolId::for_key(&provider, "w1").unwrap(), provider, "comfydeploy", "Flux").seal();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let mut value = serde_json::to_value(&tool).unwrap();
    assert!(validator.is_valid(&value), "{value}");
    value["execution"] = "sometimes".into();
    assert!(!validator.is_valid(&value));
}
