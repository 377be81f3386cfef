//! Fields that may have the wrong type: they are then as good as absent, and do not cost the rest of the answer.

use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use stationthis_core::Timestamp;

/// Anything that has its own shape; another shape is absent.
pub(crate) fn shaped<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(from)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()))
}

/// The text of a scalar: of a string its content, of a number as it stands there.
fn scalar<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(from)?;
    Ok(raw.and_then(|raw| match raw.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw.get()).ok(),
        Some(b'-' | b'0'..=b'9') => Some(raw.get().to_owned()),
        _ => None,
    }))
}

/// Text; numbers become text, everything else is absent.
pub(crate) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    scalar(from)
}

/// A whole number, also one written as text.
pub(crate) fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    Ok(scalar(from)?.and_then(|text| text.trim().parse().ok()))
}

/// A number, also one written as text.
pub(crate) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    Ok(scalar(from)?.and_then(|text| text.trim().parse().ok()))
}

/// An exact decimal, from the digits as they stand there, also in text. More digits than can be held are absent.
pub(crate) fn decimal<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Decimal>, D::Error> {
    let text = scalar(from)?;
    Ok(text.as_deref().map(str::trim).and_then(|text| {
        let scientific = text.contains(['e', 'E']);
        if scientific { Decimal::from_scientific(text).ok() } else { Decimal::from_str_exact(text).ok() }
    }))
}

/// A time.
pub(crate) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(scalar(from)?.and_then(|text| text.parse().ok()))
}
