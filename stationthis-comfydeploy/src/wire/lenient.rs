//! Fields that may have the wrong type: they are then as good as absent, and do not cost the rest of the answer.

use super::given::Given;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use stationthis_core::Timestamp;

use crate::times;

/// Text; numbers become text, everything else is absent.
pub(crate) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Given::deserialize(from)? {
        Given::Text(text) => Some(text),
        Given::Number(number) => Some(number.to_string()),
        Given::Absent | Given::Bool(_) | Given::Link | Given::Other => None,
    })
}

/// A number, also one written as a string.
pub(crate) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    Ok(Given::deserialize(from)?.as_f64())
}

/// A whole number of seconds or things, also one written as a string or with decimals.
pub(crate) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    let number = Given::deserialize(from)?.as_f64().filter(|n| *n >= 0.0 && *n <= f64::from(u32::MAX));
    // In range by the filter.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok(number.map(|n| n as u32))
}

/// A time in any of the service's spellings.
pub(crate) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(text(from)?.as_deref().and_then(times::parse))
}

/// Anything that has its own shape; another shape is absent.
pub(crate) fn shaped<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(from)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()))
}

/// A list of which each item that has another shape is left out.
pub(crate) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let items: Option<Vec<Box<RawValue>>> = shaped(from)?;
    let items = items.unwrap_or_default();
    Ok(items.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect())
}
