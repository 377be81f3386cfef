//! The value of a node's field: plain, or a link to another node.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use std::fmt;

/// A plain value, or the fact that there is something else; nothing nested is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Given {
    /// Missing or null.
    #[default]
    Absent,
    Bool(bool),
    Number(Number),
    Text(String),
    /// An array of a node's id and a slot: `["47", 0]`.
    Link,
    /// Any other array or object.
    Other,
}

impl Given {
    /// Text that is not empty.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A number, also one written as text.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            Self::Text(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            _ => None,
        }
    }

    /// The plain value as JSON.
    pub(crate) fn value(&self) -> Option<Value> {
        match self {
            Self::Bool(yes) => Some(Value::Bool(*yes)),
            Self::Number(number) => Some(Value::Number(number.clone())),
            Self::Text(text) => Some(Value::String(text.clone())),
            Self::Absent | Self::Link | Self::Other => None,
        }
    }

    pub(crate) fn is_link(&self) -> bool {
        matches!(self, Self::Link)
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Plain)
    }
}

struct Plain;

impl<'de> Visitor<'de> for Plain {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Given, E> {
        Ok(Given::Absent)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Given, E> {
        Ok(Given::Bool(yes))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Given, E> {
        Ok(Given::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Given, E> {
        Ok(Given::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Given, E> {
        Ok(Number::from_f64(number).map_or(Given::Absent, Given::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Given, E> {
        Ok(Given::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Given, A::Error> {
        // Old graphs have the node's id as a number.
        let id: Option<Self::Value> = items.next_element()?;
        let slot: Option<Self::Value> = items.next_element()?;
        let mut more = false;
        while items.next_element::<IgnoredAny>()?.is_some() {
            more = true;
        }
        let link = matches!(id, Some(Given::Text(_) | Given::Number(_))) && matches!(slot, Some(Given::Number(_)));
        Ok(if link && !more { Given::Link } else { Given::Other })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Given, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Given::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_not_a_value() {
        let read = |text: &str| serde_json::from_str::<Given>(text).unwrap();
        assert!(read("[\"47\", 0]").is_link() && read("[47, 0]").is_link());
        for other in ["[]", "[\"a\"]", "[\"a\", \"b\"]", "[\"47\", 0, 1]", "[{\"r\": 0}]", "{\"a\": [1]}"] {
            assert_eq!(read(other), Given::Other, "{other}");
        }
        assert_eq!(read("null"), Given::Absent);
        assert_eq!(read("-3").value(), Some(Value::from(-3)));
        assert_eq!(read("\"12.5\"").as_f64(), Some(12.5));
        assert_eq!(read("\"NaN\"").as_f64(), None);
    }
}
