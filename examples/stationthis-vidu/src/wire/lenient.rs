//! Fields that may have the wrong type: they are then as good as absent, and do not cost the rest of the answer.

use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Text; a number becomes its own digits, everything else is absent.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// An exact number, also one written as a string.
pub(super) fn decimal<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Decimal>, D::Error> {
    let text = text(from)?.unwrap_or_default();
    let text = text.trim();
    Ok(Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok())
}

/// A list of which each item that has another shape is left out; a single item stands for a list of one.
pub(super) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let items = match Value::deserialize(from)? {
        Value::Array(items) => items,
        item @ Value::Object(_) => vec![item],
        _ => Vec::new(),
    };
    Ok(items.into_iter().filter(Value::is_object).filter_map(|item| serde_json::from_value(item).ok()).collect())
}
