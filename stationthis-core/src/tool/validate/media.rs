//! Inputs that are files: a URL, or the file itself as a data URL.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::sentence::{escape, label};
use crate::tool::problem::InputProblem;

/// The most bytes of a URL, because servers refuse longer ones; presigned ones have up to 3,000.
const MAX_URL_BYTES: usize = 8 << 10;

/// Which inputs are files, and of which media type. Those are the properties (or items of a list) that have both
/// `format: "uri"` and a `contentMediaType`.
#[derive(Clone, Debug, Default)]
pub(super) struct MediaInputs(BTreeMap<String, String>);

impl MediaInputs {
    /// Finds them in a schema and takes `format` away there: a data URL of megabytes need not be parsed as a URI, and
    /// [`check`](Self::check) says better what is wrong.
    pub(super) fn take_from(schema: &mut Map<String, Value>) -> Self {
        let mut found = BTreeMap::new();
        let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
            return Self(found);
        };
        for (name, property) in properties {
            let media_type = take_media(property).or_else(|| property.get_mut("items").and_then(take_media));
            if let Some(media_type) = media_type {
                found.insert(name.clone(), media_type);
            }
        }
        Self(found)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// One problem for each text at a media input that is neither an HTTP URL nor a fitting data URL. What is no text
    /// is left to the schema.
    pub(super) fn check(&self, inputs: &Map<String, Value>) -> Vec<InputProblem> {
        let mut problems = Vec::new();
        for (name, media_type) in &self.0 {
            let pointer = format!("/{}", escape(name));
            match inputs.get(name) {
                Some(Value::String(text)) => problems.extend(check_text(text, media_type, &pointer)),
                Some(Value::Array(items)) => {
                    for (index, text) in items.iter().enumerate().filter_map(|(i, item)| Some((i, item.as_str()?))) {
                        problems.extend(check_text(text, media_type, &format!("{pointer}/{index}")));
                    }
                }
                _ => {}
            }
        }
        problems
    }
}

fn take_media(property: &mut Value) -> Option<String> {
    let property = property.as_object_mut()?;
    let media_type = property.get("contentMediaType")?.as_str()?.to_ascii_lowercase();
    property.get("format").filter(|format| *format == "uri")?;
    property.remove("format");
    Some(media_type)
}

/// Does it begin as a data URL does?
pub(super) fn is_data_url(text: &str) -> bool {
    starts_with(text, "data:")
}

fn starts_with(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

fn check_text(text: &str, media_type: &str, pointer: &str) -> Option<InputProblem> {
    let wrong = if is_data_url(text) {
        data_url_problem(text, media_type)
    } else if starts_with(text, "https://") || starts_with(text, "http://") {
        http_url_problem(text)
    } else {
        Some("must be an http or https URL, or a data URL".to_owned())
    };
    wrong.map(|wrong| InputProblem::new(pointer, "media", format!("{} {wrong}.", label(pointer))))
}

fn http_url_problem(text: &str) -> Option<String> {
    if text.len() > MAX_URL_BYTES {
        return Some(format!("must have at most {MAX_URL_BYTES} bytes as a URL"));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("must be a URL without white space".to_owned());
    }
    let after_scheme = text.split_once("://").map_or("", |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    (host.is_empty() || host.starts_with(':')).then(|| "must be a URL with a host".to_owned())
}

fn data_url_problem(text: &str, media_type: &str) -> Option<String> {
    let Some((head, content)) = text.get(5..).and_then(|rest| rest.split_once(',')) else {
        return Some("must be a whole data URL: data:image/png;base64,…".to_owned());
    };
    let mut head = head.split(';').map(str::trim);
    let given = head.next().filter(|given| !given.is_empty()).unwrap_or("text/plain").to_ascii_lowercase();
    if !fits(&given, media_type) {
        let given: String = given.chars().take(60).collect();
        return Some(format!("must be {media_type}; it is {given}"));
    }
    if content.is_empty() {
        return Some("must not be an empty file".to_owned());
    }
    let is_base64 = head.any(|part| part.eq_ignore_ascii_case("base64"));
    (is_base64 && !looks_like_base64(content.as_bytes())).then(|| "must be valid base64".to_owned())
}

/// Does a media type match one that may end in `/*`?
fn fits(given: &str, wanted: &str) -> bool {
    let anything = matches!(wanted, "*/*" | "application/octet-stream");
    anything || wanted.strip_suffix('*').map_or(given == wanted, |start| given.starts_with(start))
}

/// The alphabet and the length, without decoding megabytes.
fn looks_like_base64(content: &[u8]) -> bool {
    let padding = content.iter().rev().take(3).take_while(|byte| **byte == b'=').count();
    let (letters, _) = content.split_at(content.len() - padding);
    padding <= 2
        && letters.len() % 4 != 1
        && (padding == 0 || content.len().is_multiple_of(4))
        && letters.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_'))
}
