use serde_json::json;
use stationthis_core::{JsonDoc, ProviderId, ToolId};

use super::*;

fn tool(properties: Value) -> ToolDefinition {
    let provider = ProviderId::new("p").unwrap();
    let mut tool = ToolDefinition::new(ToolId::for_key(&provider, "t").unwrap(), provider, "service", "Portrait");
    tool.slug = "portrait".to_owned();
    tool.input_schema = JsonDoc::from_value(&json!({ "type": "object", "properties": properties }));
    tool
}

fn portrait() -> ToolDefinition {
    tool(json!({
        "prompt": { "type": "string", "x-stationthis": { "order": 1 } },
        "steps": { "type": "integer" },
        "keep colours": { "type": "boolean" },
        "keep": { "type": "string", "x-stationthis": { "order": 2 } },
        "image": { "type": "string", "format": "uri", "contentMediaType": "image/*" },
    }))
}

#[test]
fn a_command_is_a_slash_a_word_and_perhaps_a_bot() {
    let check = |words, expected: Option<(&str, Option<&str>, &str)>| {
        let expected = expected.map(|(name, bot, rest)| Command { name, bot, rest });
        assert_eq!(Command::read(words), expected, "{words:?}");
    };
    check("/l4_t2i a red fox", Some(("l4_t2i", None, "a red fox")));
    check(" /Help@Some_Bot\n l4-t2i ", Some(("Help", Some("Some_Bot"), "l4-t2i")));
    check("/start", Some(("start", None, "")));
    for words in ["", "hello", "a /b", "/", "/ x", "//x", "/a/b", "/x.y"] {
        check(words, None);
    }
    let command = Command::read("/x@Fake_Bot").unwrap();
    assert!(command.is_for("fake_bot") && !command.is_for("other_bot"));
    assert!(Command::read("/x").unwrap().is_for("fake_bot"));
}

#[test]
fn words_are_free_text_or_named_inputs() {
    for (words, expected) in [
        ("", json!({})),
        ("a red fox in  snow", json!({ "prompt": "a red fox in  snow" })),
        ("a fox steps=5 in snow", json!({ "prompt": "a fox in snow", "steps": 5 })),
        ("steps=5 Prompt=\"a fox, steps=9\"", json!({ "prompt": "a fox, steps=9", "steps": 5 })),
        ("keep colours=yes keep=“two words” x", json!({ "keep colours": true, "keep": "two words", "prompt": "x" })),
        ("\"a sign that says x=5\"", json!({ "prompt": "a sign that says x=5" })),
        ("a sign that says \"x=5 y\" in red", json!({ "prompt": "a sign that says \"x=5 y\" in red" })),
        ("see https://a.example/?q=1 1=2 =3", json!({ "prompt": "see https://a.example/?q=1 1=2 =3" })),
        ("image=https://a.example/p.png?x=1", json!({ "image": "https://a.example/p.png?x=1" })),
        ("promt=x steps=many", json!({ "promt": "x", "steps": "many" })),
        ("fox prompt=hare", json!({ "prompt": "hare" })),
        ("line one\nline two", json!({ "prompt": "line one\nline two" })),
        ("keep=\"unclosed words", json!({ "keep": "\"unclosed", "prompt": "words" })),
        ("ключ=1 größe=2", json!({ "ключ": 1, "größe": 2 })),
        ("\"\"", json!({})),
    ] {
        assert_eq!(inputs(&portrait(), words).map(Value::Object), Ok(expected), "{words:?}");
    }
}

#[test]
fn a_tool_without_text_takes_no_free_words() {
    let tool = tool(json!({ "steps": { "type": "integer" } }));
    assert_eq!(inputs(&tool, "steps=3").map(Value::Object), Ok(json!({ "steps": 3 })));
    let refused = inputs(&tool, "a fox steps=3").unwrap_err();
    assert_eq!(refused, "portrait takes no text of its own: write name=value.");
}
