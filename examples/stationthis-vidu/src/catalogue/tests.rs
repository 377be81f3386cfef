use super::*;
use stationthis_core::tool::validate::InputValidator;
use std::collections::BTreeMap;

fn tools() -> BTreeMap<String, ToolDefinition> {
    let tools = ToolSheet::builtin().unwrap().definitions(&ProviderId::new("vidu").unwrap()).unwrap();
    tools.into_iter().map(|tool| (tool.tool_id.as_str().strip_prefix("vidu:").unwrap().to_owned(), tool)).collect()
}

#[test]
fn every_model_of_every_route_is_a_tool() {
    let keys: Vec<String> = tools().into_keys().collect();
    let expected = "audio-tts img2video/vidu2.0 img2video/viduq1 img2video/viduq1-classic img2video/viduq2-pro \
        img2video/viduq2-pro-fast img2video/viduq2-turbo img2video/viduq3-pro img2video/viduq3-pro-fast \
        img2video/viduq3-turbo reference2image/viduq1 reference2image/viduq2 reference2video/vidu2.0 \
        reference2video/viduq1 reference2video/viduq2 reference2video/viduq2-pro reference2video/viduq3 \
        reference2video/viduq3-mix reference2video/viduq3-turbo start-end2video/vidu2.0 start-end2video/viduq1 \
        start-end2video/viduq1-classic start-end2video/viduq2-pro start-end2video/viduq2-pro-fast \
        start-end2video/viduq2-turbo start-end2video/viduq3-pro start-end2video/viduq3-turbo text2audio/audio1.0 \
        text2video/viduq1 text2video/viduq2 text2video/viduq3-pro text2video/viduq3-turbo upscale-new upscale/vidu1.0";
    assert_eq!(keys.join(" "), expected);
}

fn image() -> Value {
    json!("https://cdn.example/a.png")
}

/// What is wrong with inputs: the pointers and rules of each problem.
fn problems(tool: &ToolDefinition, inputs: Value) -> Vec<String> {
    let validator = InputValidator::compile(&tool.input_schema).unwrap();
    let problems = validator.check(inputs.as_object().unwrap()).err().unwrap_or_default();
    problems.iter().map(|problem| format!("{} {}", problem.pointer, problem.rule)).collect()
}

#[test]
fn combinations_that_are_not_sold_are_refused() {
    let tools = tools();
    let images = |count: usize| Value::from(vec![image(); count]);
    for (tool, inputs, refused) in [
        ("img2video/vidu2.0", json!({ "image": image(), "duration": 8 }), ""),
        ("img2video/vidu2.0", json!({ "image": image(), "duration": 4, "resolution": "1080p" }), ""),
        ("img2video/vidu2.0", json!({ "image": image(), "duration": 8, "resolution": "1080p" }), "/resolution const"),
        (
            "start-end2video/vidu2.0",
            json!({ "first_frame": image(), "last_frame": image(), "duration": 8, "resolution": "360p" }),
            "/resolution const",
        ),
        ("img2video/vidu2.0", json!({ "image": image(), "duration": 5 }), "/duration enum"),
        ("text2video/viduq3-pro", json!({ "prompt": "x", "duration": 16, "audio_type": "speech_only" }), ""),
        ("text2video/viduq3-pro", json!({ "prompt": "x", "duration": 17 }), "/duration maximum"),
        (
            "text2video/viduq3-pro",
            json!({ "prompt": "x", "audio": false, "audio_type": "all" }),
            "/audio_type falseSchema",
        ),
        ("text2video/viduq2", json!({ "prompt": "x", "audio": true }), "/audio unknownInput"),
        ("text2video/viduq2", json!({ "prompt": "x", "style": "anime" }), "/style unknownInput"),
        ("text2video/viduq1", json!({ "prompt": "x", "style": "anime", "duration": 5.0 }), ""),
        ("text2video/viduq1", json!({ "prompt": "x", "resolution": "720p" }), "/resolution enum"),
        ("text2video/viduq3-turbo", json!({}), "/prompt required"),
        ("text2video/viduq3-turbo", json!({ "prompt": "x".repeat(2001) }), "/prompt maxLength"),
        ("img2video/viduq3-pro", json!({ "image": image(), "aspect_ratio": "1:1" }), "/aspect_ratio unknownInput"),
        ("img2video/viduq3-pro-fast", json!({ "image": image(), "resolution": "540p" }), "/resolution enum"),
        ("img2video/viduq2-pro", json!({ "image": image(), "voice_id": "v" }), "/voice_id falseSchema"),
        ("img2video/viduq2-pro", json!({ "image": image(), "voice_id": "v", "audio": true }), ""),
        (
            "start-end2video/viduq2-pro",
            json!({ "first_frame": image(), "last_frame": image(), "duration": 9 }),
            "/duration maximum",
        ),
        ("start-end2video/viduq3-pro", json!({ "first_frame": image() }), "/last_frame required"),
        ("reference2video/viduq3", json!({ "prompt": "x", "images": images(1), "duration": 2 }), "/duration minimum"),
        ("reference2video/viduq3-mix", json!({ "prompt": "x", "images": images(7), "duration": 1 }), ""),
        (
            "reference2video/viduq3-mix",
            json!({ "prompt": "x", "images": images(1), "off_peak": true }),
            "/off_peak unknownInput",
        ),
        ("reference2video/viduq3", json!({ "prompt": "x", "images": images(8) }), "/images maxItems"),
        (
            "reference2video/viduq2-pro",
            json!({ "prompt": "x", "images": images(5), "videos": ["https://h/a.mp4"] }),
            "/images maxItems",
        ),
        (
            "reference2video/viduq2-pro",
            json!({ "prompt": "x", "images": images(4), "videos": ["https://h/a.mp4"], "duration": 0 }),
            "",
        ),
        ("reference2image/viduq2", json!({ "prompt": "x", "resolution": "4K", "aspect_ratio": "21:9" }), ""),
        (
            "reference2image/viduq1",
            json!({ "prompt": "x", "images": images(1), "resolution": "2K" }),
            "/resolution enum",
        ),
        ("reference2image/viduq1", json!({ "prompt": "x", "images": [] }), "/images minItems"),
        ("upscale-new", json!({}), " anyOf"),
        ("upscale-new", json!({ "video_creation_id": "990001", "upscale_resolution": "8K" }), ""),
        ("upscale-new", json!({ "video_url": "stationthis:file/7d2c" }), "/video_url pattern"),
        (
            "text2audio/audio1.0",
            json!({ "prompt": "x".repeat(1501), "duration": 11 }),
            "/duration maximum /prompt maxLength",
        ),
        ("audio-tts", json!({ "text": "hello", "speed": 2.5 }), "/speed maximum"),
    ] {
        assert_eq!(problems(&tools[tool], inputs.clone()).join(" "), refused, "{tool} {inputs}");
    }
}

/// Credits for inputs, by the tool's table alone.
fn credits(tool: &ToolDefinition, inputs: Value) -> Option<String> {
    use stationthis_core::cost::CostModel;
    let costs = crate::pricing::model(Some("1".parse().unwrap()), false).unwrap();
    let rate = costs.rate(tool, &costs.builtin_card()).unwrap();
    let inputs = InputValidator::compile(&tool.input_schema).unwrap().check(inputs.as_object().unwrap()).unwrap();
    costs.quote(&rate, tool, &inputs, None).amount.map(|amount| amount.normalize().to_string())
}

#[test]
fn prices_are_the_lists() {
    let tools = tools();
    let images = |count: usize| Value::from(vec![image(); count]);
    for (tool, inputs, expected) in [
        // The example of a submission's answer: six seconds, 66 credits.
        ("text2video/viduq3-turbo", json!({ "prompt": "x", "duration": 6, "resolution": "720p" }), Some("66")),
        ("text2video/viduq3-pro", json!({ "prompt": "x" }), Some("100")),
        (
            "text2video/viduq3-pro",
            json!({ "prompt": "x", "duration": 16, "resolution": "1080p", "off_peak": true }),
            Some("192"),
        ),
        ("img2video/viduq3-pro-fast", json!({ "image": image(), "resolution": "1080p", "is_rec": true }), Some("135")),
        ("img2video/vidu2.0", json!({ "image": image(), "duration": 8, "is_rec": true }), Some("110")),
        ("img2video/vidu2.0", json!({ "image": image(), "resolution": "360p" }), Some("20")),
        ("img2video/vidu2.0", json!({ "image": image(), "off_peak": true }), None),
        ("text2video/viduq1", json!({ "prompt": "x", "off_peak": true }), Some("40")),
        (
            "reference2video/viduq3-turbo",
            json!({ "prompt": "x", "images": images(1), "resolution": "540p" }),
            Some("20"),
        ),
        ("reference2video/viduq3-mix", json!({ "prompt": "x", "images": images(1), "duration": 10 }), Some("240")),
        ("reference2video/vidu2.0", json!({ "prompt": "x", "images": images(1) }), Some("80")),
        ("reference2image/viduq1", json!({ "prompt": "x", "images": images(2) }), Some("20")),
        ("reference2image/viduq2", json!({ "prompt": "x" }), Some("6")),
        ("reference2image/viduq2", json!({ "prompt": "x", "images": [] }), Some("6")),
        ("reference2image/viduq2", json!({ "prompt": "x", "images": images(3), "resolution": "2K" }), Some("12")),
        ("reference2image/viduq2", json!({ "prompt": "x", "images": images(4), "resolution": "4K" }), Some("30")),
        ("text2video/viduq2", json!({ "prompt": "x" }), None),
        ("upscale-new", json!({ "video_url": "https://h/a.mp4" }), None),
        ("audio-tts", json!({ "text": "x" }), None),
    ] {
        assert_eq!(credits(&tools[tool], inputs.clone()).as_deref(), expected, "{tool} {inputs}");
    }
}

#[test]
fn off_peak_has_two_days() {
    let tools = tools();
    let timeout = |tool: &str, inputs: Value| tools[tool].run_timeout_s(inputs.as_object().unwrap());
    assert_eq!(timeout("text2video/viduq3-pro", json!({ "off_peak": true })), Some(172_800));
    assert_eq!(timeout("text2video/viduq3-pro", json!({ "off_peak": false })), None);
    assert_eq!(timeout("reference2video/viduq3-mix", json!({ "off_peak": true })), None);
}

const OWN: &str = r#"source = "ours, 2026-12"
[models]
"viduq4" = "Vidu Q4"
[inputs.prompt]
type = "string"
[[tools]]
route = "text2video"
models = ["viduq4"]
required = ["prompt"]
inputs = { prompt = { maxLength = 9 }, duration = { type = "integer", default = 3 } }
[[prices]]
routes = ["text2video"]
models = ["viduq4"]
rows = [{ credits = 19, times = "duration" }]
"#;

#[test]
fn a_file_brings_a_new_model() {
    let sheet = ToolSheet::parse("own.toml", OWN).unwrap();
    let tools = sheet.definitions(&ProviderId::new("vidu-eu").unwrap()).unwrap();
    let [tool] = tools.as_slice() else { panic!("{tools:?}") };
    assert_eq!(
        (tool.tool_id.as_str(), tool.display_name.as_str()),
        ("vidu-eu:text2video/viduq4", "Vidu Q4, text to video")
    );
    assert_eq!(credits(tool, json!({ "prompt": "x", "duration": 4 })).as_deref(), Some("76"));
    assert_eq!(problems(tool, json!({ "prompt": "0123456789" })), ["/prompt maxLength"]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), OWN).unwrap();
    assert_eq!(ToolSheet::read(file.path()).unwrap().source(), "ours, 2026-12");
    std::fs::write(file.path(), "#".repeat(300_000)).unwrap();
    assert_eq!(ToolSheet::read(file.path()).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn what_is_wrong_with_a_file_is_named_with_its_line() {
    for (from, to, wanted) in [
        ("source =", "sauce =", ["line 1:", "unknown field `sauce`"]),
        ("route = \"text2video\"\n", "route = \"text2movie\"\n", ["line 7:", "unknown variant `text2movie`"]),
        ("models = [\"viduq4\"]\nrequired", "models = [\"viduq5\"]\nrequired", ["line 6:", "no name under [models]"]),
        ("[\"prompt\"]", "[\"promt\"]", ["line 6:", "the input promt is required"]),
        ("type = \"string\"", "type = \"text\"", ["line 6:", "no JSON Schema"]),
        ("type = \"string\"", "title = \"x\"", ["line 6:", "the input prompt has no type"]),
        ("default = 3", "default = \"3\"", ["line 6:", "the default of duration"]),
        ("duration = {", "payload = {", ["line 6:", "payload is set by the provider"]),
        ("route = \"text2video\"\n", "route = \"img2video\"\n", ["line 6:", "needs the input image"]),
        ("models = [\"viduq4\"]\nrequired", "models = [\"viduq4\", \"viduq4\"]\nrequired", ["line 6:", "second time"]),
        ("times = \"duration\"", "times = \"seconds\"", ["line 11:", "the input seconds"]),
        ("times = \"duration\"", "per = \"duration\"", ["line 14:", "unknown field `per`"]),
        ("credits = 19", "credits = -1", ["line 14:", "invalid value"]),
        ("[\"text2video\"]", "[\"img2video\"]", ["line 11:", "there is no such tool"]),
        ("rows = [{ credits = 19, times = \"duration\" }]", "rows = []", ["line 11:", "no rows"]),
    ] {
        let text = OWN.replacen(from, to, 1);
        assert_ne!(text, OWN, "{from}");
        let error = ToolSheet::parse("own.toml", &text).unwrap_err();
        let message = error.message().unwrap();
        assert!(
            message.starts_with("own.toml: ") && wanted.iter().all(|part| message.contains(part)),
            "{to}: {message}"
        );
    }
    let priced = OWN.replace("credits = 19,", "when = { duration = 5 }, credits = 19,");
    assert!(ToolSheet::parse("own.toml", &priced).is_ok());
    let never = priced.replace("type = \"integer\"", "enum = [3, 4]");
    assert!(ToolSheet::parse("own.toml", &never).unwrap_err().message().unwrap().contains("duration is never 5"));
}
