use proptest::prelude::*;
use serde_json::json;

use super::*;

fn validator(schema: &Value) -> InputValidator {
    InputValidator::compile(&JsonDoc::from_value(schema)).unwrap()
}

/// A tool as services have them.
fn image_tool() -> InputValidator {
    validator(&json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "prompt": { "type": "string", "minLength": 1, "maxLength": 20 },
            "steps": { "type": "integer", "minimum": 1, "maximum": 50, "default": 20 },
            "cfg": { "type": "number", "multipleOf": 0.1, "default": 7.3 },
            "sampler": { "enum": ["euler", "dpmpp_2m", "ddim"], "default": "euler" },
            "image": { "type": "string", "format": "uri", "contentMediaType": "image/*", "default": "" },
            "extras": {
                "type": "array", "maxItems": 2,
                "items": { "type": "string", "format": "uri", "contentMediaType": "image/*" }
            },
            "homepage": { "type": "string", "format": "uri" },
            "loras": { "type": "array", "items": {
                "type": "object", "properties": { "name": { "type": "string" } },
                "required": ["name"], "additionalProperties": false
            } }
        },
        "required": ["prompt"],
        "additionalProperties": false
    }))
}

fn problems(asked: &Value) -> Vec<(String, String, String)> {
    let problems = image_tool().check(asked.as_object().unwrap()).unwrap_err();
    problems.into_iter().map(|p| (p.pointer, p.rule, p.message)).collect()
}

fn check_problem(asked: &Value, pointer: &str, rule: &str, message: &str) {
    assert_eq!(problems(asked), [(pointer.to_owned(), rule.to_owned(), message.to_owned())]);
}

#[test]
fn good_inputs_are_sent_with_the_defaults_that_are_good() {
    let asked = json!({ "prompt": "a cat", "cfg": 1.1 });
    let sent = image_tool().check(asked.as_object().unwrap()).unwrap();
    // The default of `image` is no URL: it was never a value that the tool takes.
    assert_eq!(Value::Object(sent), json!({ "prompt": "a cat", "steps": 20, "cfg": 1.1, "sampler": "euler" }));
}

#[test]
fn all_problems_are_told_at_once() {
    let found = problems(&json!({
        "steps": 80, "sampler": "eular", "image": "cat.png", "strps": 1, "loras": [{}, { "name": 7, "x": 1 }]
    }));
    let found: Vec<(&str, &str)> = found.iter().map(|(pointer, rule, _)| (pointer.as_str(), rule.as_str())).collect();
    let expected = [
        ("/image", "media"),
        ("/loras/0/name", "required"),
        ("/loras/1/name", "type"),
        ("/loras/1/x", "unknownInput"),
        ("/prompt", "required"),
        ("/sampler", "enum"),
        ("/steps", "maximum"),
        ("/strps", "unknownInput"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn sentences_say_what_must_be_and_what_is() {
    let with = |name: &str, value: Value| {
        let mut asked = json!({ "prompt": "a cat" });
        asked[name] = value;
        asked
    };
    check_problem(&with("steps", json!(80)), "/steps", "maximum", "steps must be at most 50; it is 80.");
    check_problem(&with("steps", json!("8")), "/steps", "type", "steps must be of type integer; it is \"8\".");
    check_problem(&with("steps", json!(null)), "/steps", "type", "steps must be of type integer; it is empty (null).");
    check_problem(&with("cfg", json!(7.35)), "/cfg", "multipleOf", "cfg must be a multiple of 0.1; it is 7.35.");
    check_problem(
        &with("prompt", json!("")),
        "/prompt",
        "minLength",
        "prompt must have at least 1 characters; it has 0.",
    );
    let message = "sampler must be one of \"euler\", \"dpmpp_2m\", \"ddim\"; it is \"x\".";
    check_problem(&with("sampler", json!("x")), "/sampler", "enum", message);
    let message = "homepage must be a valid uri; it is \"not a uri\".";
    check_problem(&with("homepage", json!("not a uri")), "/homepage", "format", message);
    let message = "loras.0.name is required.";
    check_problem(&with("loras", json!([{}])), "/loras/0/name", "required", message);
}

#[test]
fn a_near_name_or_value_is_suggested() {
    let asked = json!({ "prompt": "a cat", "Steps": 3, "sampler": "eular" });
    let problems = image_tool().check(asked.as_object().unwrap()).unwrap_err();
    let suggestions: Vec<_> = problems.iter().map(|p| p.suggestion.as_deref().unwrap()).collect();
    assert_eq!(suggestions, ["steps", "euler"]);
    let far = json!({ "prompt": "a cat", "width": 3 });
    assert_eq!(image_tool().check(far.as_object().unwrap()).unwrap_err()[0].suggestion, None);
}

#[test]
fn the_nul_character_is_found_in_names_and_deep_values() {
    let found = problems(&json!({ "prompt": "a\u{0}", "loras": [{ "name": "b\u{0}" }], "c\u{0}": 1 }));
    let nul: Vec<&str> = found.iter().filter(|p| p.1 == "nul").map(|p| p.0.as_str()).collect();
    assert_eq!(nul, ["", "/loras/0/name", "/prompt"]);
    assert!(found.iter().all(|p| !p.2.contains('\0')), "{found:?}");
}

#[test]
fn a_problem_never_repeats_a_large_value() {
    let prompt = "x".repeat(500_000);
    let name = "y".repeat(100_000);
    for (pointer, _, message) in problems(&json!({ "prompt": prompt, "image": prompt, "sampler": prompt, &name: 1 })) {
        assert!(message.len() < 300 && pointer.len() < 300, "{} {}", message.len(), pointer.len());
    }
}

#[test]
fn hostile_inputs_give_a_bounded_answer() {
    let many: Map<String, Value> = (0..10_000).map(|i| (format!("input{i}"), json!(i))).collect();
    assert_eq!(image_tool().check(&many).unwrap_err().len(), bounds::MAX_PROBLEMS);
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(problems(&json!({ "prompt": "a", "loras": deep }))[0].1, "tooLarge");
    let wide = json!({ "prompt": "a", "extras": vec![""; MAX_VALUES] });
    check_problem(&wide, "", "tooLarge", "the inputs must have at most 20000 values in all their lists and objects.");
    let large = json!({ "prompt": "x".repeat(MAX_INPUT_BYTES) });
    check_problem(&large, "", "tooLarge", "the inputs must have at most 1048576 bytes; they have 1048589.");
}

fn media_rule(image: &str) -> Option<String> {
    let asked = json!({ "prompt": "a cat", "image": image });
    image_tool().check(asked.as_object().unwrap()).err().map(|problems| {
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].rule.clone()
    })
}

#[test]
fn media_is_a_url_or_a_fitting_data_url() {
    for good in [
        "https://example.com/a.png?x=1#y",
        "HTTP://user@example.com:81",
        "https://例え.jp/画.png",
        "data:image/png;base64,iVBORw0KGgo=",
        "DATA:image/svg+xml;charset=utf-8,%3Csvg%3E",
    ] {
        assert_eq!(media_rule(good), None, "{good}");
    }
    for bad in [
        "",
        "cat.png",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://example.com/a",
        "https://",
        "https:///a.png",
        "https://:80/",
        "https://example.com/a b.png",
        "data:image/png;base64",
        "data:image/png;base64,",
        "data:image/png;base64,a*b=",
        "data:image/png;base64,abcde",
        "data:text/html;base64,aGk=",
        "data:,hi",
    ] {
        assert_eq!(media_rule(bad).as_deref(), Some("media"), "{bad}");
    }
}

#[test]
fn large_media_has_its_own_limit() {
    let image = |bytes: usize| format!("data:image/png;base64,{}", "A".repeat(bytes));
    assert_eq!(media_rule(&image(4 << 20)), None);
    assert_eq!(media_rule(&image(MAX_MEDIA_BYTES)).as_deref(), Some("tooLarge"));
    let asked = json!({ "prompt": "a", "extras": [image(4), "no"] });
    check_problem(
        &asked,
        "/extras/1",
        "media",
        "extras.1 must be an http or https URL, a data URL, or the uri of an uploaded file.",
    );
    // Elsewhere a data URL is a text like any other.
    let asked = json!({ "prompt": image(2 << 20) });
    assert_eq!(problems(&asked)[0].1, "tooLarge");
}

#[test]
fn an_unusable_schema_is_an_error_that_says_why() {
    for schema in [
        json!(true),
        json!({ "type": "no such type" }),
        json!({ "properties": { "a": { "$ref": "https://example.com/other.json" } } }),
        json!({ "properties": { "a": { "pattern": "(" } } }),
        json!({ "properties": { "a": { "pattern": "((a{1000}){1000}){1000}" } } }),
    ] {
        let error = InputValidator::compile(&JsonDoc::from_value(&schema)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{schema}");
        assert!(error.message().is_some_and(|m| !m.is_empty()), "{schema}");
    }
    let large = json!({ "description": "x".repeat(MAX_SCHEMA_BYTES) });
    assert!(InputValidator::compile(&JsonDoc::from_value(&large)).is_err());
}

#[test]
fn a_schema_that_claims_another_draft_is_read_as_ours() {
    let old = validator(&json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": { "a": { "type": "string", "contentMediaType": "application/json" } }
    }));
    assert!(old.check(json!({ "a": "not json" }).as_object().unwrap()).is_ok());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_inputs() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        Just("prompt".to_owned()),
        Just("steps".to_owned()),
        Just("image".to_owned()),
        Just("loras".to_owned()),
        any::<String>(),
    ];
    prop::collection::btree_map(name, any_json(), 0..5).prop_map(|inputs| inputs.into_iter().collect())
}

proptest! {
    #[test]
    fn anything_is_either_accepted_or_explained(asked in any_inputs()) {
        let tool = image_tool();
        match tool.check(&asked) {
            // What is sent would be accepted again, unchanged.
            Ok(sent) => prop_assert_eq!(tool.check(&sent).unwrap(), sent),
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    prop_assert!(problem.pointer.is_empty() || problem.pointer.starts_with('/'));
                    prop_assert!(problem.message.ends_with(['.', '?']) && !problem.message.contains('\0'));
                }
            }
        }
    }
}
