//! The rate that is pinned on a task, what it is expected to cost, and what it did cost.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cost::rate_card::RateKey;
use crate::cost::usage::{Unit, UsageBasis};
use crate::money::{Price, Usd};

/// The rate in force when a task was accepted; a later price never re-prices it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PinnedRate {
    /// US dollars per unit.
    pub amount: Price,
    /// Always `USD`.
    pub currency: String,
    /// The unit.
    pub unit: Unit,
    /// The resource class that the tool was to run on, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The entry of the card that gave it.
    pub key: RateKey,
    /// Where the price comes from.
    pub source: String,
    /// The card, which the store keeps under this name.
    pub card_hash: String,
}

impl PinnedRate {
    /// A rate of a card.
    #[must_use]
    pub fn new(
        amount: Price,
        unit: Unit,
        resource: Option<String>,
        key: RateKey,
        source: String,
        card_hash: String,
    ) -> Self {
        Self { amount, currency: "USD".to_owned(), unit, resource, key, source, card_hash }
    }
}

/// What a run is expected to cost, before it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Quote {
    /// As earlier runs went; absent while there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_usd: Option<Usd>,
    /// The most it can be, by the tool's run timeout or table; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling_usd: Option<Usd>,
    /// How many of the rate's unit the tool's table gives for these inputs, as exact decimal text: a run that ended well is
    /// settled by it, basis `estimated`, unless its service reports what it used. Absent without a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub amount: Option<Decimal>,
    /// How it was reckoned, in a sentence.
    pub basis: String,
}

impl Quote {
    /// A quote.
    pub fn new(expected_usd: Option<Usd>, ceiling_usd: Option<Usd>, basis: impl Into<String>) -> Self {
        Self { expected_usd, ceiling_usd, amount: None, basis: basis.into() }
    }

    /// Of so many units, which are known beforehand.
    #[must_use]
    pub const fn of_amount(mut self, amount: Decimal) -> Self {
        self.amount = Some(amount);
        self
    }
}

/// What a run did cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Settlement {
    /// The cost; absent when it is unknown. Never null as zero: what did not run is `0.000000000`, basis `notRun`.
    pub cost_usd: Option<Usd>,
    /// How the usage is known.
    pub basis: UsageBasis,
    /// How much was used of the unit, as exact decimal text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub amount: Option<Decimal>,
    /// The unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The price it was settled at; differs from the pinned one when another resource of the card was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Price>,
    /// The resource it was settled for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// When the cost is unknown: it is at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_usd: Option<Usd>,
    /// Did it run on another resource than the one that was quoted?
    #[serde(default)]
    pub resource_changed: bool,
}

impl Settlement {
    /// A known cost.
    #[must_use]
    pub const fn known(cost: Usd, basis: UsageBasis) -> Self {
        Self {
            cost_usd: Some(cost),
            basis,
            amount: None,
            unit: None,
            rate: None,
            resource: None,
            bound_usd: None,
            resource_changed: false,
        }
    }

    /// A cost that is not known, with the most it can be.
    #[must_use]
    pub fn unknown(bound: Option<Usd>) -> Self {
        Self { cost_usd: None, bound_usd: bound, ..Self::known(Usd::ZERO, UsageBasis::Unknown) }
    }
}
