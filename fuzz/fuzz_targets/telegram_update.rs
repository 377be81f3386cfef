//! An update of Telegram's, from whoever writes to the bot.
//!
//! The input is one as JSON.
#![no_main]

use std::collections::HashSet;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use stationthis_core::{JsonDoc, ProviderId, ToolDefinition, ToolId};
use stationthis_host::telegram::reading::{self, File};

/// The most files that one message holds: a picture, a film, a song, a voice and a document.
const FILES_MAX: usize = 5;

/// A tool that takes one of each kind of file, and a list of pictures last.
static TOOL: LazyLock<ToolDefinition> = LazyLock::new(|| {
    let provider = ProviderId::new("p").expect("a provider id");
    let mut tool = ToolDefinition::new(ToolId::for_key(&provider, "k").expect("a tool id"), provider, "test", "");
    let file = |kind: &str, order: u8| {
        let order = json!({ "order": order });
        json!({ "type": "string", "format": "uri", "contentMediaType": kind, "x-stationthis": order })
    };
    tool.input_schema = JsonDoc::from_value(&json!({ "type": "object", "required": ["film"], "properties": {
        "picture": file("image/*", 0), "film": file("video/*", 1), "sound": file("audio/*", 2),
        "more": { "type": "array", "items": file("image/*", 0), "x-stationthis": { "order": 3 } },
    } }));
    tool
});

fuzz_target!(|data: &[u8]| {
    let Ok(raw) = serde_json::from_slice::<Value>(data) else { return };
    let number = raw.get("update_id").and_then(Value::as_i64);
    let read = reading::update(raw.clone());
    // Whatever has a number can be confirmed, or it would come for ever; nothing else can.
    assert_eq!(read.as_ref().map(|update| update.id), number);
    let Some(read) = read else { return };
    assert_eq!(reading::update(grown(raw.clone())).as_ref(), Some(&read), "a new field changed what was read");
    let Some(said) = &read.message else {
        assert!(read.album.is_none(), "an album without a message");
        return;
    };
    let message = raw.get("message").expect("it was read from there");
    assert_eq!(read.chat, message.pointer("/chat/id").and_then(Value::as_i64));
    assert_eq!(read.album.as_deref(), message.get("media_group_id").and_then(Value::as_str));
    let words = message.get("text").and_then(Value::as_str).or(message.get("caption").and_then(Value::as_str));
    assert_eq!(said.words, words.unwrap_or_default());
    assert!(said.files.len() <= 2 * FILES_MAX, "{:?}", said.files);
    check_files(&said.files);
});

/// Each file has one input of its kind, in order, that nobody named before.
fn check_files(files: &[File]) {
    let named = Map::from_iter([("sound".to_owned(), json!("https://a.example/s.mp3"))]);
    for inputs in [Map::new(), named] {
        let Ok(assigned) = reading::assign(&TOOL, &inputs, files) else { continue };
        let order: Vec<&File> = assigned.iter().map(|(_, file)| file).collect();
        assert!(order.iter().copied().eq(files), "{assigned:?}");
        let mut taken = HashSet::new();
        for (name, file) in &assigned {
            assert!(!inputs.contains_key(name), "{name} was given in words");
            assert!(taken.insert(name) || name == "more", "{name} twice");
            let kind = match name.as_str() {
                "film" => "video/",
                "sound" => "audio/",
                _ => "image/",
            };
            assert!(file.mime.starts_with(kind), "{assigned:?}");
        }
    }
}

/// With what Telegram may say some day, at each level that is looked at.
fn grown(mut raw: Value) -> Value {
    for path in ["", "/message", "/message/chat", "/message/from", "/message/reply_to_message", "/callback_query"] {
        if let Some(fields) = raw.pointer_mut(path).and_then(Value::as_object_mut) {
            fields.entry("a_new_field").or_insert_with(|| json!({ "type": ["of", 1, "kind"] }));
        }
    }
    raw
}
