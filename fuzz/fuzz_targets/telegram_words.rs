//! What somebody writes to the bot, and addresses of chats.
//!
//! The input is a message; a part before an empty line, if there is one, is lines of names of a tool's inputs.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use stationthis_core::{ErrorKind, JsonDoc, ProviderId, ToolDefinition, ToolId};
use stationthis_host::face::input::Fields;
use stationthis_host::telegram::reading;

/// Made once: its schemas take longer than all the rest.
static TOOL: LazyLock<ToolDefinition> = LazyLock::new(|| {
    let provider = ProviderId::new("p").expect("a provider id");
    ToolDefinition::new(ToolId::for_key(&provider, "k").expect("a tool id"), provider, "test", "")
});

/// As a tool may have: half a dozen.
const INPUTS_MAX: usize = 6;

const QUOTES: [char; 4] = ['"', '“', '”', '„'];

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (names, words) = text.split_once("\n\n").unwrap_or(("prompt", &text));
    let tool = tool(names);
    check_command(words);
    check_words(&tool, words);
    check_address(words);
    for most in [0, 1, 7, 200] {
        let (cut, length) = reading::cut(words, most);
        assert!(length <= most.max(1) && (cut == words || cut.ends_with('…')), "{cut:?}");
    }
});

/// Texts, by turns required and not.
fn tool(names: &str) -> ToolDefinition {
    let mut tool = TOOL.clone();
    let names: Vec<&str> = names.lines().take(INPUTS_MAX).collect();
    let property = |order: usize| json!({ "type": "string", "x-stationthis": { "order": order } });
    let properties: Map<String, Value> =
        names.iter().enumerate().map(|(order, name)| ((*name).to_owned(), property(order))).collect();
    let required: Vec<&&str> = names.iter().step_by(2).collect();
    tool.input_schema =
        JsonDoc::from_value(&json!({ "type": "object", "properties": properties, "required": required }));
    tool
}

/// A command is its parts, and nothing of the message is lost.
fn check_command(words: &str) {
    let Some((name, bot, rest)) = reading::command(words) else { return };
    assert!(!name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')), "{name:?}");
    let head = bot.map_or_else(|| format!("/{name}"), |bot| format!("/{name}@{bot}"));
    let after = words.trim().strip_prefix(head.as_str()).expect("it begins with the command");
    assert!(rest.is_empty() || after.starts_with(char::is_whitespace), "{after:?}");
    assert_eq!(after.trim(), rest);
}

fn check_words(tool: &ToolDefinition, words: &str) {
    let (free, pairs) = reading::words(tool, words);
    assert_eq!(free, free.trim());
    // Each letter is in the free text or in a pair; only quotes, spaces and the signs between names and values go.
    let letters = |text: &str| -> Vec<char> {
        let mut all: Vec<char> = text.chars().filter(|c| !c.is_whitespace() && !QUOTES.contains(c)).collect();
        all.sort_unstable();
        all
    };
    let again: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(letters(&format!("{free}{}", again.concat())), letters(words), "{words:?}");
    // What was read, written with quotes around each part, is read so again; quotes within have no way to be written.
    let fields = Fields::of(tool);
    let mut parts =
        fields.iter().map(|field| field.name.as_str()).chain([free.as_str()]).chain(again.iter().map(String::as_str));
    if !parts.any(|part| part.contains(QUOTES)) {
        let written: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        assert_eq!(reading::words(tool, &written.join(" ")), (String::new(), pairs.clone()), "{words:?}");
        let whole = format!("\"{free}\"");
        assert_eq!(reading::words(tool, &whole), (free.clone(), Vec::new()), "{whole:?}");
    }
    let Ok(inputs) = reading::inputs(tool, words) else {
        assert!(!free.is_empty(), "there is nothing to refuse");
        return;
    };
    // A later pair of the same input counts; without any, free text is somebody's.
    assert!(inputs.len() <= pairs.len() + 1);
    assert!(free.is_empty() || inputs.values().any(|value| *value == free) || !pairs.is_empty(), "{inputs:?}");
}

fn check_address(text: &str) {
    match reading::address(text) {
        Ok(written) => assert_eq!(reading::address(&written).ok(), Some(written), "{text:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput),
    }
}
