use super::*;
use serde_json::{Map, json};
use stationthis_core::Price;
use stationthis_core::cost::CostModel;
use std::sync::LazyLock;

static TOOLS: LazyLock<Vec<ToolDefinition>> =
    LazyLock::new(|| Catalogue::from_toml(BUILTIN).unwrap().tools(&ProviderId::new("tripo").unwrap(), true).unwrap());

fn tools() -> &'static [ToolDefinition] {
    &TOOLS
}

fn tool(key: &str) -> &'static ToolDefinition {
    let id = format!("tripo:{key}");
    tools().iter().find(|tool| tool.tool_id.as_str() == id).unwrap_or_else(|| panic!("no {key}"))
}

fn check(tool: &ToolDefinition, inputs: &Value) -> Result<Map<String, Value>, String> {
    let validator = InputValidator::compile(&tool.input_schema).unwrap();
    validator
        .check(inputs.as_object().unwrap())
        .map_err(|problems| problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join(" "))
}

const H: [&str; 3] = ["v3.1-20260211", "v3.0-20250812", "v2.5-20250123"];

#[test]
fn there_is_a_tool_for_each_way_and_model() {
    let tools = tools();
    assert_eq!(tools.len(), 22);
    for way in ["text-to-model", "image-to-model", "multiview-to-model"] {
        for model in H.into_iter().chain(["P1-20260311", "P2-20260801"]) {
            let tool = tool(&format!("{way}-{model}"));
            let details: EndpointDetails = tool.endpoint_details.parse().unwrap();
            assert_eq!(
                (details.route.as_str(), &details.send["model"]),
                (&*format!("/generation/{way}"), &json!(model))
            );
        }
    }
    // Retired by the service.
    assert!(!tools.iter().any(|tool| tool.tool_id.as_str().contains("styli")));
}

#[test]
fn what_a_model_does_not_have_is_no_input_of_its_tool() {
    let names = |key: &str| tool(key).input_schema.to_value()["properties"].as_object().unwrap().clone();
    for way in ["text", "image", "multiview"] {
        for refused in ["quad", "smart_low_poly", "generate_parts", "geometry_quality"] {
            assert!(!names(&format!("{way}-to-model-P1-20260311")).contains_key(refused), "{refused}");
            assert!(names(&format!("{way}-to-model-v3.1-20260211")).contains_key(refused), "{refused}");
        }
        assert!(!names(&format!("{way}-to-model-v2.5-20250123")).contains_key("geometry_quality"));
    }
    // Even the default of such a field would be refused: nothing is sent of it.
    let p1 = tool("text-to-model-P1-20260311");
    let inputs = check(p1, &json!({ "prompt": "a" })).unwrap();
    let body = p1.endpoint_details.parse::<EndpointDetails>().unwrap().body(&inputs);
    let sent: Vec<&str> = body.keys().map(String::as_str).collect();
    for refused in ["quad", "smart_low_poly", "generate_parts", "geometry_quality"] {
        assert!(!sent.contains(&refused), "{sent:?}");
    }
}

#[test]
fn refused_combinations_are_named_before_anything_is_sent() {
    let (h, p1, p2) = ("text-to-model-v3.1-20260211", "text-to-model-P1-20260311", "text-to-model-P2-20260801");
    let (image, views) = ("image-to-model-v3.0-20250812", "multiview-to-model-v3.1-20260211");
    let picture = "https://cdn.example/a.png";
    for (key, inputs, wrong) in [
        (h, json!({ "prompt": "a", "texture": false }), "pbr must be false"),
        (h, json!({ "prompt": "a", "generate_parts": true }), "texture must be false"),
        (
            h,
            json!({ "prompt": "a", "generate_parts": true, "texture": false, "pbr": false, "quad": true }),
            "quad must",
        ),
        (h, json!({ "prompt": "a", "texture_quality": "fast" }), "texture_version is required."),
        (
            h,
            json!({ "prompt": "a", "texture_quality": "fast", "texture_version": "v3.0-20250812" }),
            "texture_version must",
        ),
        (h, json!({ "prompt": "a", "face_limit": 1_600_000 }), "at most 1500000"),
        (h, json!({ "prompt": "a", "face_limit": 2_000_001, "geometry_quality": "detailed" }), "at most 2000000"),
        (h, json!({ "prompt": "a", "smart_low_poly": true, "face_limit": 400 }), "at least 500"),
        (h, json!({ "prompt": "a", "smart_low_poly": true, "quad": true, "face_limit": 10_001 }), "at most 10000"),
        (h, json!({ "prompt": "" }), "at least 1 char"),
        (h, json!({ "prompt": "a".repeat(1025) }), "at most 1024"),
        (h, json!({ "prompt": "a", "model": "v2.0" }), "there is no input model"),
        (p1, json!({ "prompt": "a", "face_limit": 47 }), "at least 48"),
        (p1, json!({ "prompt": "a", "quad": false }), "there is no input quad"),
        (p1, json!({ "prompt": "a", "texture_quality": "extreme" }), "texture_quality must be one of"),
        (p2, json!({ "prompt": "a", "quad": true, "face_limit": 25_001 }), "at most 25000"),
        (
            "text-to-model-v2.5-20250123",
            json!({ "prompt": "a", "geometry_quality": "standard" }),
            "there is no input geom",
        ),
        (
            image,
            json!({ "image": picture, "orientation": "align_image", "texture": false, "pbr": false }),
            "texture must be true",
        ),
        (image, json!({ "image": "file_2f6f5f0a-11aa-4c11-9d3a-5b0e0199c6f2" }), "image must be an http"),
        (views, json!({ "front": picture }), "back is required."),
        (views, json!({ "left": picture, "back": picture }), "front is required."),
        ("texture", json!({}), "model_file is required."),
        ("texture", json!({ "model_file": picture, "source_run": "0199" }), "model_file"),
        ("texture", json!({ "source_run": "0199", "texture_text": "a", "texture_image": picture }), "texture_image"),
        ("texture", json!({ "source_run": "0199", "style_image": picture }), "texture_text is required."),
        ("texture", json!({ "source_run": "0199", "texture_quality": "fast" }), "texture_model must be"),
        ("texture", json!({ "source_run": "data:x" }), "source_run must match"),
        ("texture", json!({ "source_run": "task_abc" }), "source_run must match"),
        ("convert", json!({ "source_run": "0199", "format": "GLB" }), "format must be one of"),
        (
            "convert",
            json!({ "source_run": "0199", "format": "FBX", "export_vertex_colors": true }),
            "format must be one of",
        ),
        ("rig", json!({ "source_run": "0199", "rig_model": "v1.0-20240301", "rig_type": "avian" }), "rig_type must be"),
        ("rig", json!({ "source_run": "0199", "rig_model": "v2.5-20260210", "spec": "vrm" }), "spec must be one of"),
        (
            "rig",
            json!({ "source_run": "0199", "rig_model": "v2.5-20260210", "rig_type": "others" }),
            "rig_type must be one of",
        ),
        ("retarget", json!({ "source_run": "0199", "animations": [] }), "at least 1 entries"),
        ("retarget", json!({ "source_run": "0199", "animations": ["idle"] }), "must match"),
        ("text-to-image", json!({ "prompt": "a", "aspect_ratio": "16:9" }), "draw_model must be one of"),
    ] {
        let problems = check(tool(key), &inputs).unwrap_err();
        assert!(problems.contains(wrong), "{key} {inputs}: {problems}");
    }
    for (key, inputs) in [
        (h, json!({ "prompt": "a", "generate_parts": true, "texture": false, "pbr": false })),
        (h, json!({ "prompt": "a", "texture_quality": "fast", "texture_version": "v3.5-20260815" })),
        (h, json!({ "prompt": "a", "face_limit": 2_000_000, "geometry_quality": "detailed" })),
        (p2, json!({ "prompt": "a", "quad": true })),
        (image, json!({ "image": "stationthis:file/7d2c", "orientation": "align_image" })),
        (views, json!({ "front": picture, "left": picture })),
        (views, json!({ "front": picture, "right": picture, "back": picture })),
        ("rig", json!({ "source_run": "0199c6f2-5b0e-7c11-9d3a-2f6f5f0a11aa", "rig_type": "others", "spec": "vrm" })),
        ("rig-check", json!({ "model_file": "https://cdn.example/a.glb" })),
        ("text-to-image", json!({ "prompt": "a", "draw_model": "banana2", "aspect_ratio": "16:9" })),
    ] {
        check(tool(key), &inputs).unwrap_or_else(|problems| panic!("{key} {inputs}: {problems}"));
    }
}

#[test]
fn estimates_are_those_of_the_price_list() {
    let (h_text, h_image) = ("text-to-model-v3.0-20250812", "image-to-model-v3.1-20260211");
    let (p1_text, p1_views) = ("text-to-model-P1-20260311", "multiview-to-model-P1-20260311");
    let p2 = "image-to-model-P2-20260801";
    let plain = json!({ "texture": false, "pbr": false });
    let all =
        json!({ "texture_quality": "extreme", "geometry_quality": "detailed", "quad": true, "smart_low_poly": true });
    for (key, inputs, credits) in [
        (h_text, json!({}), Some(20)),
        (h_text, plain.clone(), Some(10)),
        (h_text, json!({ "texture_quality": "detailed" }), Some(30)),
        (h_text, all, Some(40 + 20 + 5 + 10)),
        (h_text, json!({ "texture": false, "pbr": false, "generate_parts": true }), Some(30)),
        (h_text, json!({ "texture_quality": "fast", "texture_version": "v3.5-20260815" }), None),
        (h_image, json!({}), Some(30)),
        (h_image, plain.clone(), Some(20)),
        (p1_text, json!({}), Some(40)),
        (p1_text, plain.clone(), Some(30)),
        (p1_views, json!({ "texture_quality": "detailed" }), Some(60)),
        (p2, json!({}), Some(110)),
        (p2, plain, Some(100)),
        (p2, json!({ "quad": true }), None),
        ("convert", json!({ "format": "USDZ" }), Some(5)),
        ("convert", json!({ "format": "USDZ", "quad": true }), Some(10)),
        ("convert", json!({ "format": "USDZ", "face_limit": 900 }), Some(10)),
        ("texture", json!({}), Some(10)),
        ("rig-check", json!({}), Some(0)),
        ("rig", json!({}), Some(25)),
        ("retarget", json!({ "animations": ["preset:idle", "preset:walk"] }), Some(20)),
        ("text-to-image", json!({}), None),
    ] {
        let (tool, mut inputs) = (tool(key), inputs);
        let names = tool.input_schema.to_value()["properties"].clone();
        for (name, value) in [
            ("prompt", "a"),
            ("image", "https://a.example/a"),
            ("front", "https://a.example/a"),
            ("back", "https://a.example/b"),
            ("source_run", "0199"),
        ] {
            if names.get(name).is_some() {
                inputs[name] = json!(value);
            }
        }
        let model = crate::pricing::model(None).unwrap();
        let rate = model.rate(tool, &model.builtin_card()).unwrap();
        assert_eq!(rate.amount, "0.01".parse::<Price>().unwrap());
        let quote = model.quote(&rate, tool, &check(tool, &inputs).unwrap(), None);
        assert_eq!(quote.amount, credits.map(Decimal::from), "{key} {inputs}");
    }
}

#[test]
fn a_mistake_in_a_file_is_named() {
    let base = "source = \"s\"\n[fields.a]\nschema = { type = \"string\" }\n[prices.p]\nrows = [{ credits = 1 }]\n";
    let tool = "[[tools]]\nkey = \"k\"\nname = \"n\"\nroute = \"/x/y\"\ninputs = [\"a\"]\n";
    Catalogue::from_toml(&format!("{base}{tool}")).unwrap();
    for (text, named) in [
        ("", "source"),
        (base, "1 to 500 tools"),
        (&*format!("{base}{tool}required = [\"b\"]"), "tool k: required \"b\" is not among the inputs"),
        (&*format!("{base}{tool}narrow = {{ b = {{}} }}"), "tool k: narrow \"b\""),
        (&*format!("{base}{tool}rules = [\"r\"]"), "tool k: rule \"r\" is not in [rules]"),
        (&*format!("{base}{tool}price = \"q\""), "tool k: price \"q\" is not in [prices]"),
        (&*format!("{base}{tool}prize = \"p\""), "unknown field `prize`"),
        (&*format!("{base}{tool}outputs = [\"sculpture\"]"), "sculpture"),
        (&*format!("{base}{tool}narrow = {{ a = {{ pattern = \"(\" }} }}"), "tool k: the schema cannot be used"),
        (&*format!("{base}{tool}{tool}"), "the key k stands twice"),
        (&*format!("{base}{}", tool.replace("/x/y", "/x/../y")), "tool k: route"),
        (&*format!("{base}{}", tool.replace("[\"a\"]", "[\"a\", \"a\"]")), "tool k: input \"a\" stands twice"),
        (&*format!("{base}{}", tool.replace("[\"a\"]", "[\"c\"]")), "tool k: input \"c\" is not in [fields]"),
        (&*format!("{base}{}", tool.replace("\"n\"", "\" \"")), "tool k: the name is empty"),
        (&*format!("{}{tool}", base.replace("schema", "at = \"a..b\"\nschema")), "tool k: at \"a..b\" of a"),
        (
            &*format!("{}{tool}price = \"p\"", base.replace("credits = 1", "credits = 1, when = { z = 1 }")),
            "price p: z is not",
        ),
        (&*format!("{}{tool}price = \"p\"", base.replace("credits = 1", "credits = -1")), "credits"),
    ] {
        let error = Catalogue::from_toml(text).unwrap_err();
        let message = error.message().unwrap();
        assert!(error.kind() == ErrorKind::InvalidInput && message.contains(named), "{named}: {message}");
    }
    let error = Catalogue::from_file(Path::new("/nonexistent/catalogue.toml")).unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.message().unwrap().contains("/nonexistent/"), "{error}");
}
