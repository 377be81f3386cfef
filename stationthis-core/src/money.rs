//! Money: exact amounts in nano-dollars, and exact prices as decimal text.

// Money is decimal: a float has no place in it.
#![warn(clippy::float_arithmetic)]

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind};

/// An amount of US dollars, exact to the nano-dollar.
///
/// On the wire and in logs: decimal text with nine places (`"0.000336000"`). In stores: integer nano-dollars.
/// The range is ±9.2 thousand million dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Usd(i64);

/// Decimal places of a nano-dollar.
const NANO_PLACES: u32 = 9;

impl Usd {
    /// Nothing at all: the cost of what provably did not run, never that of what is unknown.
    pub const ZERO: Self = Self(0);

    /// The amount of so many nano-dollars.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Integer nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// `amount × price`, rounded once, half away from zero, to the nano-dollar.
    ///
    /// The one place where a quantity becomes money: quotes and settlements both go through it (I7).
    /// `None` when the product is out of range, or has more than 38 digits before it is rounded.
    #[must_use]
    pub fn of(amount: Decimal, price: Price) -> Option<Self> {
        let amount = amount.normalize();
        // In whole numbers: a decimal product would be cut to 28 digits, and so rounded twice.
        let exact = amount.mantissa().checked_mul(price.0.mantissa())?;
        let nanos = match amount.scale() + price.0.scale() {
            places @ ..=NANO_PLACES => exact.checked_mul(10_i128.pow(NANO_PLACES - places))?,
            places => match 10_i128.checked_pow(places - NANO_PLACES) {
                Some(unit) if (exact % unit).abs() >= unit / 2 => exact / unit + exact.signum(),
                Some(unit) => exact / unit,
                None => 0,
            },
        };
        i64::try_from(nanos).ok().map(Self)
    }

    /// The sum, or `None` past the range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let abs = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:09}", abs / 1_000_000_000, abs % 1_000_000_000)
    }
}

impl FromStr for Usd {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::new(ErrorKind::InvalidInput, "parse amount of money");
        let value = Decimal::from_str_exact(text).map_err(|e| refused().with_source(e))?;
        let nanos = value.checked_mul(Decimal::from(1_000_000_000_i64)).ok_or_else(refused)?;
        if !nanos.fract().is_zero() {
            return Err(refused().with_context("reason", "more than nine decimal places"));
        }
        i64::try_from(nanos).map(Self).map_err(|_| refused())
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Text only: a JSON number would already have lost digits.
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Usd {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Usd".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^-?\d+\.\d{9}$",
            "description": "US dollars as decimal text with nine places"
        })
    }
}

/// A price in US dollars per unit, as exact decimal text; it may be far below a nano-dollar (a token's price).
///
/// Never negative. Up to 28 significant digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Price(Decimal);

impl Price {
    /// Takes a decimal.
    ///
    /// # Errors
    /// `InvalidInput` when it is negative.
    pub fn new(value: Decimal) -> Result<Self, Error> {
        if value.is_sign_negative() && !value.is_zero() {
            return Err(Error::new(ErrorKind::InvalidInput, "parse price").with_context("reason", "negative"));
        }
        Ok(Self(value.normalize()))
    }

    /// The price as a decimal.
    #[must_use]
    pub const fn as_decimal(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Price {
    type Err = Error;

    /// Accepts plain and scientific notation (`4.2e-05`, which ComfyDeploy's price list uses for the CPU).
    fn from_str(text: &str) -> Result<Self, Error> {
        let value =
            if text.contains(['e', 'E']) { Decimal::from_scientific(text) } else { Decimal::from_str_exact(text) };
        Self::new(value.map_err(|e| Error::new(ErrorKind::InvalidInput, "parse price").with_source(e))?)
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Price {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Price".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^\d+(\.\d+)?$",
            "description": "US dollars per unit as exact decimal text"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn a_product_is_rounded_once_half_up() {
        let cost = |amount: &str, rate: &str| Usd::of(amount.parse().unwrap(), price(rate)).unwrap().to_string();
        assert_eq!(cost("1.162036", "0.000337"), "0.000391606");
        assert_eq!(cost("1", "0.0000000005"), "0.000000001");
        assert_eq!(cost("1", "0.00000000049"), "0.000000000");
        assert_eq!(cost("3600", "0.0023380"), "8.416800000");
        assert_eq!(cost("-1", "0.0000000005"), "-0.000000001");
        // As a decimal of 28 digits it would first be 0.0000000005 and then 0.000000001.
        assert_eq!(cost("0.0000000005", "0.9999999999999999999999999"), "0.000000000");
        assert_eq!(cost("0.0000000000000000000000000001", "0.0000000000000000000000000009"), "0.000000000");
    }

    #[test]
    fn prices_come_in_both_notations_and_never_below_zero() {
        assert_eq!(price("4.2e-05"), price("0.000042"));
        assert!("-1".parse::<Price>().is_err());
        assert!("NaN".parse::<Price>().is_err());
        assert!(serde_json::from_str::<Price>("0.1").is_err(), "JSON numbers lose digits");
    }

    #[test]
    fn amounts_and_prices_are_text_and_their_schemas_say_so() {
        assert_eq!(serde_json::to_string(&Usd::from_nanos(-1_500_000_000)).unwrap(), "\"-1.500000000\"");
        assert_eq!(serde_json::from_str::<Usd>("\"0.000000017\"").unwrap().nanos(), 17);
        assert!("0.0000000001".parse::<Usd>().is_err() && serde_json::from_str::<Usd>("1").is_err());
        assert_eq!(Usd::from_nanos(2).checked_add(Usd::from_nanos(3)), Some(Usd::from_nanos(5)));
        assert_eq!(Usd::from_nanos(i64::MAX).checked_add(Usd::from_nanos(1)), None);
        let low = price("0.000042");
        assert_eq!(serde_json::to_string(&low).unwrap(), "\"0.000042\"");
        assert_eq!((serde_json::from_str("\"4.2e-05\"").ok(), low.as_decimal()), (Some(low), Decimal::new(42, 6)));
        for (schema, title, pattern) in [
            (schemars::schema_for!(Usd), "Usd", r"^-?\d+\.\d{9}$"),
            (schemars::schema_for!(Price), "Price", r"^\d+(\.\d+)?$"),
        ] {
            let schema = schema.to_value();
            assert_eq!((&schema["title"], &schema["pattern"]), (&title.into(), &pattern.into()));
        }
    }

    #[test]
    fn out_of_range_is_none_not_a_wrong_number() {
        assert_eq!(Usd::of(Decimal::MAX, price("2")), None);
        assert_eq!(Usd::of(Decimal::from(i64::MAX), price("1")), None);
    }

    proptest! {
        #[test]
        fn text_gives_the_amount_back(nanos in any::<i64>()) {
            let amount = Usd::from_nanos(nanos);
            prop_assert_eq!(amount.to_string().parse::<Usd>().unwrap(), amount);
        }
    }
}
