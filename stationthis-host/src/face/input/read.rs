//! From a text to the value that it stands for.

use serde_json::{Number, Value};

use super::{FieldKind, Media, plain};

/// The value that a text is for a kind; the text itself where it is none.
pub(super) fn value(kind: &FieldKind, text: &str) -> Value {
    let trimmed = text.trim();
    let found = match kind {
        FieldKind::Text => None,
        FieldKind::Integer | FieldKind::Number => number(trimmed).map(Value::Number),
        FieldKind::Boolean => yes_or_no(trimmed).map(Value::Bool),
        FieldKind::Choice(choices) => choices
            .iter()
            .find(|choice| plain(choice) == text)
            .or(choices.iter().find(|c| plain(c) == trimmed))
            .cloned()
            // Among numbers a number is meant, also one that is no choice.
            .or_else(|| choices.iter().all(|choice| !choice.is_string()).then(|| any(trimmed))),
        FieldKind::Media(_) => Some(Value::from(trimmed)),
        FieldKind::List(entry) => list(entry, trimmed),
        FieldKind::Json => Some(any(text)),
    };
    found.unwrap_or_else(|| Value::from(text))
}

/// JSON where it is JSON, else text.
pub(super) fn any(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// Exact where JSON can write it.
fn number(text: &str) -> Option<Number> {
    let text = text.strip_prefix('+').filter(|rest| !rest.starts_with(['+', '-'])).unwrap_or(text);
    // NaN and the infinities are no JSON numbers.
    serde_json::from_str(text).ok().or_else(|| Number::from_f64(text.parse().ok()?))
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn list(entry: &FieldKind, text: &str) -> Option<Value> {
    if text.is_empty() {
        return Some(Value::Array(Vec::new()));
    }
    if let Ok(whole @ Value::Array(_)) = serde_json::from_str(text) {
        return Some(whole);
    }
    let entries: Vec<&str> = match entry {
        // One entry of no simple kind, or nothing that could be told apart.
        FieldKind::Json | FieldKind::List(_) => {
            return serde_json::from_str::<Value>(text).ok().map(|only| Value::Array(vec![only]));
        }
        FieldKind::Media(_) => addresses(text),
        _ => text.split(',').map(str::trim).collect(),
    };
    Some(entries.into_iter().map(|text| value(entry, text)).collect())
}

/// Addresses stand apart by spaces, or by a comma before the next one's scheme: URLs may hold commas, and data URLs do.
fn addresses(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for mut word in text.split_whitespace() {
        while let Some(comma) = word.match_indices(',').map(|(at, _)| at).find(|at| is_address(word.get(at + 1..))) {
            let (first, rest) = word.split_at(comma);
            found.push(first);
            word = rest.trim_start_matches(',');
        }
        found.push(word.trim_matches(','));
    }
    found.retain(|address| !address.is_empty());
    found
}

fn is_address(text: Option<&str>) -> bool {
    let starts =
        |scheme: &str| text.and_then(|t| t.get(..scheme.len())).is_some_and(|t| t.eq_ignore_ascii_case(scheme));
    ["http://", "https://", "data:", "stationthis:"].into_iter().any(starts)
}

impl Media {
    /// Would the face take this text for an address, and not for the name of a file?
    #[must_use]
    pub fn is_address(text: &str) -> bool {
        is_address(Some(text.trim()))
    }
}
