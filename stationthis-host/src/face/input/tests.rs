use serde_json::json;
use stationthis_core::JsonDoc;
use stationthis_core::tool::validate::InputValidator;

use super::*;

/// Every kind, bounds, an enumeration, Unicode names, nulls in each way of saying so.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "prompt": { "type": "string", "title": "Prompt", "description": " What it shows. ",
                "x-stationthis": { "order": 0, "kind": "text" } },
            "steps": { "type": "integer", "minimum": 1, "maximum": 60, "default": 28,
                "x-stationthis": { "order": 1, "step": 1, "group": "Sampling" } },
            "guidance_scale": { "type": "number", "minimum": 0.5, "maximum": 20.0, "x-stationthis": { "order": 2, "advanced": true } },
            "Upscale": { "type": "boolean", "default": false },
            "sampler": { "type": "string", "enum": ["euler", "ddim"] },
            "size": { "enum": [512, 768, "auto"] },
            "scale": { "enum": [1, 2, 4] },
            "image": { "type": "string", "format": "uri", "contentMediaType": "image/*" },
            "clip": { "type": "string", "format": "uri", "contentMediaType": "video/mp4" },
            "sound": { "type": "string", "format": "uri", "contentMediaType": "audio/*" },
            "mesh": { "type": "string", "format": "uri", "contentMediaType": "model/gltf-binary" },
            "any_file": { "type": "string", "format": "uri", "contentMediaType": "*/*" },
            "images": { "type": "array", "items": { "type": "string", "format": "uri", "contentMediaType": "image/*" } },
            "weights": { "type": "array", "items": { "type": "number" } },
            "tags": { "type": "array", "items": { "type": "string" } },
            "colors": { "type": "array", "items": { "type": "object", "properties": { "r": { "type": "integer" } } } },
            "extra": { "type": "object" },
            "whatever": { "type": ["string", "number", "boolean"] },
            "seed": { "type": ["integer", "null"] },
            "limit": { "title": "Limit", "anyOf": [{ "type": "integer", "maximum": 9 }, { "type": "null" }] },
            "Größe": { "type": "integer", "maximum": 9 },
            "プロンプト": { "type": "string" },
        },
        "required": ["prompt", "steps", "image"],
        "additionalProperties": false,
    })
}

fn fields() -> Fields {
    Fields::of_schema(&schema())
}

fn kind(name: &str) -> FieldKind {
    fields().find(name).unwrap().kind.clone()
}

#[test]
fn fields_come_in_the_authors_order_and_then_by_name() {
    let names: Vec<String> = fields().iter().map(|field| field.name.clone()).collect();
    assert_eq!(names[..5], ["prompt", "steps", "guidance_scale", "Größe", "Upscale"]);
    assert_eq!(fields().required().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["prompt", "image"]);
}

#[test]
fn a_field_says_what_its_schema_says() {
    let fields = fields();
    let prompt = fields.find("prompt").unwrap();
    assert_eq!((prompt.title.as_str(), prompt.description.as_str()), ("Prompt", "What it shows."));
    let steps = fields.find("steps").unwrap();
    assert_eq!((steps.hint(), steps.default_text()), ("integer from 1 to 60".to_owned(), Some("28".to_owned())));
    assert_eq!((steps.group.as_deref(), steps.step.as_ref().unwrap().as_u64()), (Some("Sampling"), Some(1)));
    let scale = fields.find("guidance_scale").unwrap();
    assert_eq!((scale.advanced, scale.hint().as_str()), (true, "number from 0.5 to 20"));
    let limit = fields.find("limit").unwrap();
    assert_eq!((limit.title.as_str(), limit.nullable, limit.hint().as_str()), ("Limit", true, "integer up to 9"));
}

#[test]
fn every_kind_is_told_apart() {
    let cases = [
        ("prompt", FieldKind::Text),
        ("steps", FieldKind::Integer),
        ("guidance_scale", FieldKind::Number),
        ("Upscale", FieldKind::Boolean),
        ("sampler", FieldKind::Choice(vec![json!("euler"), json!("ddim")])),
        ("image", FieldKind::Media(Media::Image)),
        ("clip", FieldKind::Media(Media::Video)),
        ("sound", FieldKind::Media(Media::Audio)),
        ("mesh", FieldKind::Media(Media::Model3d)),
        ("any_file", FieldKind::Media(Media::File)),
        ("images", FieldKind::List(Box::new(FieldKind::Media(Media::Image)))),
        ("weights", FieldKind::List(Box::new(FieldKind::Number))),
        ("colors", FieldKind::List(Box::new(FieldKind::Json))),
        ("extra", FieldKind::Json),
        ("whatever", FieldKind::Json),
        ("seed", FieldKind::Integer),
        ("limit", FieldKind::Integer),
    ];
    for (name, expected) in cases {
        assert_eq!(kind(name), expected, "{name}");
    }
}

#[test]
fn texts_become_the_values_they_stand_for() {
    let cases = [
        ("prompt", " 20", json!(" 20")),
        ("prompt", "null", json!("null")),
        ("steps", " 20 ", json!(20)),
        ("steps", "+5", json!(5)),
        ("steps", "twenty", json!("twenty")),
        ("steps", "18446744073709551615", json!(u64::MAX)),
        ("guidance_scale", ".5", json!(0.5)),
        ("guidance_scale", "-1e3", json!(-1000.0)),
        ("guidance_scale", "NaN", json!("NaN")),
        ("guidance_scale", "+-1", json!("+-1")),
        ("Upscale", "Yes", json!(true)),
        ("Upscale", "off", json!(false)),
        ("Upscale", "maybe", json!("maybe")),
        ("sampler", "ddim", json!("ddim")),
        ("sampler", "DDIM", json!("DDIM")),
        ("size", "768", json!(768)),
        ("size", "auto", json!("auto")),
        ("size", "600", json!("600")),
        ("scale", "4", json!(4)),
        ("scale", "3", json!(3)),
        ("scale", "large", json!("large")),
        ("image", " https://x.test/a,b.png ", json!("https://x.test/a,b.png")),
        ("images", "https://a.test/1,2.png,https://b.test/", json!(["https://a.test/1,2.png", "https://b.test/"])),
        (
            "images",
            "data:image/png;base64,AA== https://b.test",
            json!(["data:image/png;base64,AA==", "https://b.test"]),
        ),
        ("images", r#"["https://a.test"]"#, json!(["https://a.test"])),
        ("images", "stationthis:file/1,stationthis:file/2", json!(["stationthis:file/1", "stationthis:file/2"])),
        ("weights", "1, .5,x", json!([1, 0.5, "x"])),
        ("weights", "", json!([])),
        ("tags", "a, b c", json!(["a", "b c"])),
        ("colors", r#"{"r":1}"#, json!([{"r": 1}])),
        ("colors", "red", json!("red")),
        ("extra", r#"{"a":1}"#, json!({"a": 1})),
        ("whatever", "1.5", json!(1.5)),
        ("whatever", "word", json!("word")),
        ("seed", "null", json!(null)),
        ("steps", "null", json!("null")),
        ("Größe", "7", json!(7)),
    ];
    for (name, text, expected) in cases {
        assert_eq!(fields().find(name).unwrap().read(text), expected, "{name}={text}");
    }
}

#[test]
fn names_are_found_in_the_ways_people_write_them_and_never_guessed() {
    let fields = fields();
    for (key, name) in [
        ("guidance-scale", "guidance_scale"),
        ("Guidance Scale", "guidance_scale"),
        ("upscale", "Upscale"),
        ("größe", "Größe"),
        ("プロンプト", "プロンプト"),
    ] {
        assert_eq!(fields.find(key).map(|field| field.name.as_str()), Some(name), "{key}");
    }
    assert_eq!(fields.find("promt"), None);
    let alike = Fields::of_schema(&json!({ "properties": { "a b": {}, "a_b": {} } }));
    assert_eq!(alike.find("a-b"), None);
    assert_eq!(alike.find("a_b").unwrap().name, "a_b");
}

#[test]
fn what_is_wrong_is_said_by_validation_as_for_everybody() {
    let validator = InputValidator::compile(&JsonDoc::from_value(&schema())).unwrap();
    let read = fields().read([("promt", "x"), ("steps", "many"), ("sampler", "eulr"), ("image", "./x.png")]);
    let written = json!({ "promt": "x", "steps": "many", "sampler": "eulr", "image": "./x.png" });
    assert_eq!(Value::Object(read.clone()), written);
    let problems = validator.check(&read).unwrap_err();
    let rules: Vec<&str> = problems.iter().map(|problem| problem.rule.as_str()).collect();
    assert_eq!(rules, ["media", "required", "unknownInput", "enum", "type"]);
}

#[test]
fn the_last_value_counts_and_lists_grow() {
    let read = fields().read([("steps", "1"), ("tags", "a"), ("Steps", "2"), ("tags", "b,c"), ("odd", "[1]")]);
    assert_eq!(Value::Object(read), json!({ "steps": 2, "tags": ["a", "b", "c"], "odd": [1] }));
}
