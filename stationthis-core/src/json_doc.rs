//! A JSON document kept as its text.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind};

/// A JSON value kept as compact text and shared when cloned.
///
/// A catalogue holds thousands of schemas that are read seldom: as text they take a fifth of the memory of a parsed
/// tree. Equality is of the text.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonDoc(Arc<str>);

impl JsonDoc {
    /// The compact text of a value.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        Self(value.to_string().into())
    }

    /// The document of anything that serialises.
    ///
    /// # Errors
    /// `Unexpected` when the value cannot be JSON (a map with keys that are not text).
    pub fn of<T: Serialize>(value: &T) -> Result<Self, Error> {
        serde_json::to_string(value)
            .map(|text| Self(text.into()))
            .map_err(|e| Error::new(ErrorKind::Unexpected, "write JSON").with_source(e))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parsed tree.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // The text came from a parser or a serialiser, so this cannot fail; null if it ever did.
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }

    /// The document as a type of the reader's own.
    ///
    /// # Errors
    /// `Corrupt` when it does not have that shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.0).map_err(|e| Error::new(ErrorKind::Corrupt, "read JSON document").with_source(e))
    }
}

impl Default for JsonDoc {
    fn default() -> Self {
        Self("{}".into())
    }
}

impl fmt::Debug for JsonDoc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for JsonDoc {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(to)
    }
}

impl<'de> Deserialize<'de> for JsonDoc {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        Ok(Self(raw.get().into()))
    }
}

impl JsonSchema for JsonDoc {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Json".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "Any JSON value" })
    }
}
