use super::*;
use crate::wire::graph::Graph;

fn node(class: &str, fields: Value) -> Value {
    json!({ "inputs": fields, "class_type": format!("ComfyUIDeployExternal{class}") })
}

fn inputs(graph: Value) -> Inputs {
    derive(&serde_json::from_str::<Graph>(&graph.to_string()).unwrap().inputs)
}

fn check_property(class: &str, fields: Value, expected: Value) {
    let mut fields = fields;
    fields["input_id"] = json!("it");
    let inputs = inputs(json!({ "1": node(class, fields) }));
    let mut property = inputs.schema["properties"]["it"].clone();
    let property = property.as_object_mut().unwrap();
    property.remove("title");
    property.remove("x-stationthis");
    let required = inputs.schema.get("required").is_some();
    assert_eq!(json!({ "property": property, "required": required }), expected, "{class}");
}

fn optional(property: Value) -> Value {
    json!({ "property": property, "required": false })
}

fn required(property: Value) -> Value {
    json!({ "property": property, "required": true })
}

#[test]
fn texts_and_choices() {
    let text = optional(json!({ "type": "string", "default": "a cat" }));
    for class in ["Text", "TextAny", "TextSingleLine", "Checkpoint"] {
        check_property(class, json!({ "default_value": "a cat" }), text.clone());
    }
    check_property("Text", json!({ "default_value": "" }), optional(json!({ "type": "string", "default": "" })));
    check_property("Text", json!({ "default_value": ["4", 0] }), optional(json!({ "type": "string" })));
    let choice = optional(json!({ "type": "string", "enum": ["a", "b", "3"], "default": "b" }));
    check_property("Enum", json!({ "default_value": "b", "options": "[\"a\", \"b\", 3, \"a\", null]" }), choice);
    let other = optional(json!({ "type": "string", "enum": ["a"] }));
    check_property("Enum", json!({ "default_value": "z", "options": "[\"a\"]" }), other);
    check_property(
        "Enum",
        json!({ "default_value": "z", "options": "a, b" }),
        optional(json!({ "type": "string", "default": "z" })),
    );
    check_property(
        "Lora",
        json!({ "lora_url": "", "default_lora_name": "x.safetensors" }),
        optional(json!({ "type": "string", "default": "x.safetensors" })),
    );
    check_property(
        "FaceModel",
        json!({ "face_model_url": "https://h/x" }),
        optional(json!({ "type": "string", "default": "https://h/x" })),
    );
}

#[test]
fn numbers_keep_their_bounds_and_only_defaults_that_fit_them() {
    check_property("Number", json!({ "default_value": 0.5 }), optional(json!({ "type": "number", "default": 0.5 })));
    let whole = json!({ "type": "integer", "minimum": 0 });
    check_property("NumberInt", json!({ "default_value": -5 }), optional(whole.clone()));
    let mut with = whole;
    with["default"] = json!(28);
    check_property("NumberInt", json!({ "default_value": 28 }), optional(with.clone()));
    check_property("NumberInt", json!({ "default_value": 28.0 }), optional(with));
    let slider = json!({ "default_value": 7, "min_value": 0, "max_value": "20", "step": 0.1 });
    check_property(
        "NumberSlider",
        slider,
        optional(json!({ "type": "number", "minimum": 0, "maximum": 20.0, "default": 7 })),
    );
    check_property(
        "NumberSlider",
        json!({ "default_value": 9 }),
        optional(json!({ "type": "number", "minimum": 0, "maximum": 1 })),
    );
    let steps = json!({ "default_value": 20, "min_value": 1, "max_value": 60 });
    check_property(
        "NumberSliderInt",
        steps,
        optional(json!({ "type": "integer", "minimum": 1, "maximum": 60, "default": 20 })),
    );
    check_property(
        "Seed",
        json!({ "default_value": -1, "min_value": 1 }),
        optional(json!({ "type": "integer", "minimum": -1, "maximum": 4_294_967_295_i64, "default": -1 })),
    );
    check_property(
        "Boolean",
        json!({ "default_value": true }),
        optional(json!({ "type": "boolean", "default": true })),
    );
    check_property("Boolean", json!({ "default_value": "false" }), optional(json!({ "type": "boolean" })));
}

#[test]
fn media_are_required_only_without_anything_to_fall_back_on() {
    let image = json!({ "type": "string", "format": "uri", "contentMediaType": "image/*" });
    check_property("Image", json!({ "default_value_url": "" }), required(image.clone()));
    check_property("Image", json!({ "default_value": ["47", 0] }), optional(image.clone()));
    check_property("ImageAlpha", json!({}), required(image.clone()));
    let mut with = image;
    with["default"] = json!("https://h/x.png");
    check_property("Image", json!({ "default_value_url": "https://h/x.png" }), optional(with));
    let items = json!({ "type": "string", "format": "uri", "contentMediaType": "image/*" });
    check_property("ImageBatch", json!({ "images": "[]" }), required(json!({ "type": "array", "items": items })));
    check_property(
        "ImageBatch",
        json!({ "images": "[\"https://h/1.png\"]" }),
        optional(json!({ "type": "array", "items": items, "default": ["https://h/1.png"] })),
    );
    let video = json!({ "type": "string", "format": "uri", "contentMediaType": "video/*" });
    check_property("Video", json!({ "default_video": "clip.mp4" }), optional(video.clone()));
    check_property("Vid", json!({}), required(video));
    check_property(
        "Audio",
        json!({ "audio_file": "" }),
        required(json!({ "type": "string", "format": "uri", "contentMediaType": "audio/*" })),
    );
    check_property(
        "EXR",
        json!({ "default_image": ["4", 0] }),
        optional(json!({ "type": "string", "format": "uri", "contentMediaType": "image/x-exr" })),
    );
    check_property(
        "File",
        json!({ "file_url": "" }),
        optional(json!({ "type": "string", "format": "uri", "contentMediaType": "*/*" })),
    );
}

#[test]
fn no_default_is_stated_that_would_be_refused_as_an_input() {
    let image = optional(json!({ "type": "string", "format": "uri", "contentMediaType": "image/*" }));
    for url in ["https://h/a b.png", "https://h/\u{7f}", "http://", "data:text/plain,x", "data:image/png;base64,"] {
        check_property("Image", json!({ "default_value_url": url }), image.clone());
    }
    check_property("Text", json!({ "default_value": "a\u{0}b" }), optional(json!({ "type": "string" })));
}

#[test]
fn order_group_title_and_kind_are_hints() {
    let mut second = node("NumberInt", json!({ "input_id": "seed", "display_name": ["3", 0] }));
    second["_meta"] = json!({ "cd_input_order": 2, "cd_group_name": "Sampling", "cd_input_group_id": "g1" });
    let mut first =
        node("Text", json!({ "input_id": "prompt", "display_name": "Prompt", "description": "What to draw." }));
    first["_meta"] = json!({ "cd_input_order": 1 });
    let last = node("Lora", json!({ "input_id": "style" }));
    let schema = inputs(json!({ "1": last, "2": second, "3": first })).schema;
    let property = |name: &str| schema["properties"][name].clone();
    assert_eq!(property("prompt")["title"], "Prompt");
    assert_eq!(property("prompt")["description"], "What to draw.");
    assert_eq!(property("prompt")["x-stationthis"], json!({ "order": 0, "kind": "text" }));
    assert_eq!(property("seed")["title"], "seed");
    assert_eq!(property("seed")["x-stationthis"], json!({ "order": 1, "kind": "seed", "group": "Sampling" }));
    assert_eq!(property("style")["x-stationthis"], json!({ "order": 2, "kind": "lora" }));
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn odd_nodes_are_named_and_do_not_break_the_rest() {
    let graph = json!({
        "1": node("Text", json!({ "input_id": ["9", 0] })),
        "2": node("Text", json!({ "input_id": "a" })),
        "3": node("Text", json!({ "input_id": "a" })),
        "4": node("Number", json!({ "input_id": "a" })),
        "5": node("Hologram", json!({ "input_id": "h" })),
        "6": { "class_type": "ComfyDeployWebscoketImageInput", "inputs": { "input_id": "live" } },
        "7": { "class_type": "KSampler", "inputs": { "input_id": "no" } },
    });
    let inputs = inputs(graph);
    let names: Vec<_> = inputs.schema["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["a", "h"]);
    assert_eq!(inputs.warnings.len(), 3, "{:?}", inputs.warnings);
    assert!(inputs.cross_check(["a"].into_iter()).is_none());
    assert!(inputs.cross_check(["a", "b"].into_iter()).unwrap().contains("only listed: [\"b\"]"));
    assert!(inputs.cross_check([].into_iter()).unwrap().contains("only in the graph: [\"a\"]"));
}

#[test]
fn values_that_need_care_say_how_they_are_sent() {
    let graph = json!({
        "1": node("NumberInt", json!({ "input_id": "n" })),
        "2": node("ImageBatch", json!({ "input_id": "b" })),
        "3": node("Text", json!({ "input_id": "t" })),
    });
    let expected = BTreeMap::from([("n".to_owned(), SendAs::Integer), ("b".to_owned(), SendAs::JsonText)]);
    assert_eq!(inputs(graph).send_as, expected);
}
