//! What the Bot API takes, as its documentation states it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::fake::Upload;

/// An error of the Bot API.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: u16,
    pub description: String,
    pub parameters: Value,
}

impl Refusal {
    pub fn new(code: u16, description: &str) -> Self {
        Self { code, description: description.to_owned(), parameters: Value::Null }
    }

    pub fn flood(seconds: u64) -> Self {
        let description = format!("Too Many Requests: retry after {seconds}");
        Self { parameters: json!({ "retry_after": seconds }), ..Self::new(429, &description) }
    }

    pub fn migrated(to: i64) -> Self {
        let description = "Bad Request: group chat was upgraded to a supergroup chat";
        Self { parameters: json!({ "migrate_to_chat_id": to }), ..Self::new(400, description) }
    }

    pub fn body(&self) -> Value {
        let mut body = json!({ "ok": false, "error_code": self.code, "description": self.description });
        if !self.parameters.is_null() {
            body["parameters"] = self.parameters.clone();
        }
        body
    }
}

const MEDIA: [(&str, &str, usize); 5] = [
    ("sendPhoto", "photo", 10),
    ("sendVideo", "video", 50),
    ("sendAnimation", "animation", 50),
    ("sendAudio", "audio", 50),
    ("sendDocument", "document", 50),
];

const PLACE: [&str; 4] = ["chat_id", "message_thread_id", "reply_parameters", "disable_notification"];

/// Does the method send a message, so that it counts for the limits?
pub fn sends(method: &str) -> bool {
    method.starts_with("send")
}

/// Is the call one that the API takes, as far as itself can tell? What it breaks, if not.
pub fn check(method: &str, fields: &Map<String, Value>, files: &BTreeMap<String, Upload>) -> Result<(), String> {
    let known = |own: &[&str], place: bool| {
        let is_known = |name: &str| own.contains(&name) || place && PLACE.contains(&name);
        let stranger = fields.keys().find(|name| !is_known(name));
        stranger.map_or(Ok(()), |name| Err(format!("an unknown field {name}")))
    };
    if sends(method) || method == "editMessageText" {
        integer(fields, "chat_id", true)?;
    }
    if sends(method) {
        integer(fields, "message_thread_id", false)?;
        if let Some(reply) = fields.get("reply_parameters") {
            reply["message_id"].as_i64().ok_or("reply_parameters without a message_id")?;
        }
    }
    keyboard(fields.get("reply_markup"))?;
    match method {
        "getMe" | "getMyCommands" => known(&[], false),
        "deleteWebhook" => known(&["drop_pending_updates"], false),
        "getFile" => known(&["file_id"], false).and(text(fields, "file_id", 1, 512)),
        "setWebhook" => {
            known(&["url", "secret_token", "allowed_updates", "max_connections"], false)?;
            text(fields, "secret_token", 1, 256)?;
            let secret = fields["secret_token"].as_str().unwrap_or_default();
            let plain = secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
            let https = fields["url"].as_str().is_some_and(|url| url.starts_with("https://"));
            if plain && https { Ok(()) } else { Err("a webhook needs https and a secret of plain letters".to_owned()) }
        }
        "setMyCommands" => known(&["commands"], false).and_then(|()| commands(&fields["commands"])),
        "answerCallbackQuery" => {
            known(&["callback_query_id", "text", "show_alert"], false)?;
            text(fields, "text", 0, 200)
        }
        "sendMessage" => {
            known(&["text", "reply_markup", "link_preview_options"], true)?;
            text(fields, "text", 1, 4096)
        }
        "editMessageText" => {
            known(&["chat_id", "message_id", "text", "reply_markup"], false)?;
            integer(fields, "message_id", true)?;
            text(fields, "text", 1, 4096)
        }
        "sendMediaGroup" => {
            known(&["media"], true)?;
            album(&fields["media"], files)
        }
        _ => {
            let (_, field, megabytes) =
                *MEDIA.iter().find(|(name, ..)| *name == method).ok_or(format!("there is no method {method}"))?;
            known(&[field, "caption", "reply_markup"], true)?;
            if fields.contains_key("caption") {
                text(fields, "caption", 0, 1024)?;
            }
            media(&fields[field], field, megabytes, files)
        }
    }
}

fn integer(fields: &Map<String, Value>, name: &str, needed: bool) -> Result<(), String> {
    match fields.get(name) {
        None if !needed => Ok(()),
        Some(value) if value.is_i64() => Ok(()),
        other => Err(format!("{name} is no integer: {other:?}")),
    }
}

fn text(fields: &Map<String, Value>, name: &str, least: usize, most: usize) -> Result<(), String> {
    let Some(text) = fields.get(name).and_then(Value::as_str) else { return Err(format!("{name} is no text")) };
    let units = text.encode_utf16().count();
    if (least..=most).contains(&units) && (least == 0 || !text.trim().is_empty()) {
        return Ok(());
    }
    Err(format!("{name} has {units} UTF-16 units"))
}

fn keyboard(markup: Option<&Value>) -> Result<(), String> {
    let Some(markup) = markup else { return Ok(()) };
    let rows = markup["inline_keyboard"].as_array().ok_or("a keyboard without rows")?;
    for button in rows.iter().flat_map(|row| row.as_array().unwrap()) {
        let data = button["callback_data"].as_str().unwrap_or_default();
        if button["text"].as_str().is_none_or(str::is_empty) || !(1..=64).contains(&data.len()) {
            return Err(format!("a button that is none: {button}"));
        }
    }
    Ok(())
}

fn commands(commands: &Value) -> Result<(), String> {
    let commands = commands.as_array().ok_or("commands are no list")?;
    if commands.len() > 100 {
        return Err(format!("{} commands", commands.len()));
    }
    for entry in commands {
        let name = entry["command"].as_str().unwrap_or_default();
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let description = entry["description"].as_str().unwrap_or_default().encode_utf16().count();
        if !plain || !(1..=32).contains(&name.len()) || !(1..=256).contains(&description) {
            return Err(format!("BOT_COMMAND_INVALID: {entry}"));
        }
    }
    let mut names: Vec<_> = commands.iter().map(|entry| entry["command"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() == commands.len() { Ok(()) } else { Err("a command twice".to_owned()) }
}

fn album(all: &Value, files: &BTreeMap<String, Upload>) -> Result<(), String> {
    let all = all.as_array().ok_or("media is no list")?;
    if !(2..=10).contains(&all.len()) {
        return Err(format!("an album of {}", all.len()));
    }
    for entry in all {
        let kind = entry["type"].as_str().unwrap_or_default();
        let megabytes = match kind {
            "photo" => 10,
            "video" => 50,
            _ => return Err(format!("{kind} in an album with others")),
        };
        media(&entry["media"], kind, megabytes, files)?;
        if entry["caption"].as_str().is_some_and(|caption| caption.encode_utf16().count() > 1024) {
            return Err("a caption that is too long".to_owned());
        }
    }
    Ok(())
}

/// What is no mistake of the caller is decided elsewhere: a URL that cannot be fetched, a file that is refused.
fn media(value: &Value, kind: &str, megabytes: usize, files: &BTreeMap<String, Upload>) -> Result<(), String> {
    let value = value.as_str().ok_or("no media")?;
    let Some(part) = value.strip_prefix("attach://") else {
        let zipped = value.ends_with(".pdf") || value.ends_with(".zip");
        if kind == "document" && !zipped {
            return Err(format!("a document by URL that is neither PDF nor ZIP: {value}"));
        }
        return if value.starts_with("http") { Ok(()) } else { Err(format!("no media: {value}")) };
    };
    let file = files.get(part).ok_or(format!("no part {part}"))?;
    if file.bytes.is_empty() || file.filename.is_empty() || !file.mime.contains('/') {
        return Err(format!("a file that is none: {} {:?} {}", file.bytes.len(), file.filename, file.mime));
    }
    if file.bytes.len() > megabytes * 1024 * 1024 { Err(format!("{} bytes", file.bytes.len())) } else { Ok(()) }
}
