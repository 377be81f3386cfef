//! How single settings are read: from a file's values, or from the text of a variable.

use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use stationthis_core::{Error, Secret};
use toml::Value;

use super::{API_KEY_CHARS_MIN, MIB};
use crate::custody::CustodyPlace;
use crate::outputs::OUTPUT_BYTES_MAX;

pub(super) fn http_url<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let url = url::Url::parse(&text).map_err(|e| serde::de::Error::custom(format!("{text:?} is no URL: {e}")))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !matches!(url.scheme(), "http" | "https") || !plain || url.host().is_none() {
        return Err(serde::de::Error::custom("an http or https URL is needed, without user, query or fragment"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

pub(super) fn http_url_maybe<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<String>, D::Error> {
    http_url(from).map(Some)
}

/// The texts of a list, or, as a variable has it, of one text with commas; `None` when it is neither.
fn texts(value: Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(text.split(',').map(|part| part.trim().to_owned()).collect()),
        Value::Array(list) => Some(list.iter().map(|part| part.as_str().unwrap_or_default().to_owned()).collect()),
        _ => None,
    }
}

/// A list, or, as a variable has it, one text with commas.
pub(super) fn list<'de, D, T>(from: D) -> std::result::Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = Error>,
{
    let texts = texts(Value::deserialize(from)?);
    let texts = texts.ok_or_else(|| serde::de::Error::custom("a list of texts is needed"))?;
    let read =
        |text: &String| text.parse().map_err(|e: Error| serde::de::Error::custom(e.message().unwrap_or_default()));
    texts.iter().map(read).collect()
}

/// A list, or, as a variable has it, one text with commas.
pub(super) fn chats<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Vec<i64>, D::Error> {
    let refused = || serde::de::Error::custom("a list of ids of chats is needed, which are whole numbers");
    match Value::deserialize(from)? {
        Value::String(text) => text.split(',').map(|id| id.trim().parse().map_err(|_| refused())).collect(),
        Value::Array(list) => list.iter().map(|id| id.as_integer().ok_or_else(refused)).collect(),
        _ => Err(refused()),
    }
}

/// True or false, as itself or, as a variable has it, as text.
pub(super) fn yes_or_no<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<bool, D::Error> {
    match Value::deserialize(from)? {
        Value::Boolean(value) => Ok(value),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        _ => Err(serde::de::Error::custom("true or false is needed")),
    }
}

pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<Secret>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(serde::de::Error::custom("a key is not empty and has no white space"));
    }
    Ok(Some(Secret::new(text)))
}

/// A list, or, as a variable has it, one text with commas.
pub(super) fn secrets<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Vec<Secret>, D::Error> {
    let refused = || serde::de::Error::custom("a list of secrets is needed, none of them empty or with white space");
    let texts = texts(Value::deserialize(from)?).ok_or_else(refused)?;
    let good = |text: &String| !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if texts.iter().all(good) { Ok(texts.into_iter().map(Secret::new).collect()) } else { Err(refused()) }
}

pub(super) fn api_key<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<Secret>, D::Error> {
    let key = secret(from)?;
    if key.as_ref().is_some_and(|key| key.expose().chars().count() < API_KEY_CHARS_MIN) {
        return Err(serde::de::Error::custom("the API key needs 16 characters or more"));
    }
    Ok(key)
}

fn whole<'de, D: Deserializer<'de>>(from: D, min: u64, max: u64) -> std::result::Result<Option<u64>, D::Error> {
    let refused = || serde::de::Error::custom(format!("a whole number from {min} to {max} is needed"));
    let value = Value::deserialize(from)?;
    let number = value.as_integer().and_then(|n| u64::try_from(n).ok()).ok_or_else(refused)?;
    if (min..=max).contains(&number) { Ok(Some(number)) } else { Err(refused()) }
}

pub(super) fn deadline<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<u64>, D::Error> {
    // A week: longer than any run, and callback URLs stay valid as long.
    whole(from, 1, 7 * 24 * 3600)
}

pub(super) fn poll_interval<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<u64>, D::Error> {
    whole(from, 100, 600_000)
}

pub(super) fn lookup_interval<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<u64>, D::Error> {
    // Each search reads a list and runs: more often is rude, and after ten minutes nobody waits any more.
    whole(from, 100, 600_000)
}

pub(super) fn absent_after<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<u64>, D::Error> {
    // An hour: the default time in which a task has to start.
    whole(from, 100, 3_600_000)
}

pub(super) fn file_mib<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<u64, D::Error> {
    // A file is in memory while it is given to its service; ComfyDeploy takes 250.
    whole(from, 1, 250).map(Option::unwrap_or_default)
}

pub(super) fn place<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<CustodyPlace>, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map(Some).map_err(|e: Error| serde::de::Error::custom(e.message().unwrap_or_default()))
}

pub(super) fn output_mib<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<u64, D::Error> {
    // No transfer through the host is longer.
    whole(from, 1, OUTPUT_BYTES_MAX / MIB).map(Option::unwrap_or_default)
}

pub(super) fn caller_mib<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<u64, D::Error> {
    // A terabyte.
    whole(from, 1, 1024 * 1024).map(Option::unwrap_or_default)
}

pub(super) fn kept_h<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<u64, D::Error> {
    // A month: these are inputs on their way, no archive.
    whole(from, 1, 720).map(Option::unwrap_or_default)
}

pub(super) fn requests<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<NonZeroU32, D::Error> {
    // A million a minute is as good as no limit.
    let number = whole(from, 1, 1_000_000)?.and_then(|number| NonZeroU32::new(u32::try_from(number).ok()?));
    number.ok_or_else(|| serde::de::Error::custom("a whole number is needed"))
}

pub(super) fn waits<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<usize, D::Error> {
    // As many as there can be of all callers together.
    let number = whole(from, 1, 1024)?.and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| serde::de::Error::custom("a whole number is needed"))
}
