//! Prices as data.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::cost::usage::Unit;
use crate::error::{Error, ErrorKind};
use crate::money::Price;

/// A list of prices with its source and date.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateCard {
    /// Where the prices come from, and as of when: `comfydeploy gpu-pricing, 2026-03-30`.
    pub source: String,
    /// The prices, in US dollars.
    pub rates: BTreeMap<RateKey, Rate>,
}

/// One price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// US dollars per unit.
    pub amount: Price,
    /// The unit.
    pub unit: Unit,
    /// Where this price comes from, when not from the card's own source (after cards were laid over each other).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// What a price is for: `resource:A10G`, `machine:<id>`, `tool:<id>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RateKey {
    /// A resource class.
    Resource(String),
    /// One machine.
    Machine(String),
    /// One tool.
    Tool(String),
}

impl RateCard {
    /// An empty card.
    pub fn new(source: impl Into<String>) -> Self {
        Self { source: source.into(), rates: BTreeMap::new() }
    }

    /// With one more price.
    #[must_use]
    pub fn with(mut self, key: RateKey, amount: Price, unit: Unit) -> Self {
        self.rates.insert(key, Rate { amount, unit, source: None });
        self
    }

    /// This card with another laid over it: the other's prices win, and each keeps its source.
    #[must_use]
    pub fn overlaid(&self, over: &Self) -> Self {
        let mut card = self.clone();
        for (key, rate) in &over.rates {
            let source = rate.source.clone().or_else(|| Some(over.source.clone()));
            card.rates.insert(key.clone(), Rate { source, ..rate.clone() });
        }
        card
    }

    /// The price for the first of `keys` that has one in `unit`.
    #[must_use]
    pub fn find<'a>(&self, keys: impl IntoIterator<Item = &'a RateKey>, unit: Unit) -> Option<(&'a RateKey, &Rate)> {
        keys.into_iter().find_map(|key| Some((key, self.rates.get(key).filter(|rate| rate.unit == unit)?)))
    }

    /// The hash of the content, which names this card for ever.
    #[must_use]
    pub fn hash(&self) -> String {
        // Text keys, so it always serialises; BTreeMap gives one order.
        let text = serde_json::to_vec(self).unwrap_or_default();
        crate::hex(Sha256::digest(text).get(..16).unwrap_or_default())
    }

    /// Reads an operator's file.
    ///
    /// ```
    /// # use stationthis_core::cost::{RateCard, RateKey};
    /// let card = RateCard::from_toml(r#"
    /// source = "our own machines, 2026-11"
    /// [rates]
    /// "machine:7f72268a" = { amount = "0.0005", unit = "second" }
    /// "tool:comfydeploy:6b01" = { amount = "0.02", unit = "request" }
    /// "#)?;
    /// assert_eq!(card.rates[&RateKey::Machine("7f72268a".into())].amount.to_string(), "0.0005");
    /// # Ok::<(), stationthis_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` with line and column.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, "read rate card").with_message(e.to_string()).with_source(e)
        })
    }
}

impl fmt::Display for RateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(name) => write!(f, "resource:{name}"),
            Self::Machine(id) => write!(f, "machine:{id}"),
            Self::Tool(id) => write!(f, "tool:{id}"),
        }
    }
}

impl FromStr for RateKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            Some(("resource", name)) if !name.is_empty() => Ok(Self::Resource(name.to_owned())),
            Some(("machine", id)) if !id.is_empty() => Ok(Self::Machine(id.to_owned())),
            Some(("tool", id)) if !id.is_empty() => Ok(Self::Tool(id.to_owned())),
            _ => Err(Error::new(ErrorKind::InvalidInput, "parse rate key")
                .with_message("A rate is for `resource:NAME`, `machine:ID` or `tool:ID`.")),
        }
    }
}

impl Serialize for RateKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RateKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for RateKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RateKey".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(resource|machine|tool):.+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> RateKey {
        text.parse().unwrap()
    }

    #[test]
    fn a_card_laid_over_another_wins_and_keeps_its_source() {
        let base = RateCard::new("builtin").with(key("resource:A10G"), "0.000337".parse().unwrap(), Unit::Second).with(
            key("resource:T4"),
            "0.00018".parse().unwrap(),
            Unit::Second,
        );
        let over = RateCard::new("file").with(key("resource:A10G"), "0.0004".parse().unwrap(), Unit::Second);
        let card = base.overlaid(&over);
        assert_eq!(card.rates[&key("resource:A10G")].source.as_deref(), Some("file"));
        assert_eq!(card.rates[&key("resource:T4")].source, None);
        assert_ne!(card.hash(), base.hash());
        assert_eq!(card.hash(), base.overlaid(&over).hash());
    }

    #[test]
    fn the_more_specific_key_comes_first_and_units_must_fit() {
        let card = RateCard::new("x").with(key("tool:a:b"), "1".parse().unwrap(), Unit::Request).with(
            key("resource:A10G"),
            "2".parse().unwrap(),
            Unit::Second,
        );
        let keys = [key("tool:a:b"), key("resource:A10G")];
        assert_eq!(card.find(&keys, Unit::Second).unwrap().0, &keys[1]);
        assert!(card.find(&keys, Unit::Credit).is_none());
    }

    #[test]
    fn a_key_is_its_own_text_and_names_something() {
        for text in ["resource:A10G", "machine:7f72", "tool:comfydeploy:6b01"] {
            let json = serde_json::to_string(&key(text)).unwrap();
            assert_eq!((json.as_str(), key(text).to_string().as_str()), (format!("\"{text}\"").as_str(), text));
            assert_eq!(serde_json::from_str::<RateKey>(&json).unwrap(), key(text));
        }
        for wrong in ["resource:", "machine:", "tool:", "gpu:A10G", "A10G", ""] {
            assert!(wrong.parse::<RateKey>().is_err(), "{wrong:?}");
        }
        let schema = schemars::schema_for!(RateKey).to_value();
        assert_eq!((&schema["title"], &schema["pattern"]), (&"RateKey".into(), &"^(resource|machine|tool):.+$".into()));
    }

    #[test]
    fn a_typo_in_a_file_is_named() {
        let error =
            RateCard::from_toml("source = \"x\"\n[rates]\n\"gpu:A10G\" = { amount = \"1\", unit = \"second\" }");
        assert!(error.unwrap_err().message().unwrap().contains("resource:NAME"));
        let error = RateCard::from_toml("source = \"x\"\nrate = 1");
        assert!(error.unwrap_err().message().unwrap().contains("unknown field `rate`"));
    }
}
