//! The usual costing models, priced from a rate card.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::cost::CostModel;
use crate::cost::quote::{PinnedRate, Quote, Settlement};
use crate::cost::rate_card::{RateCard, RateKey};
use crate::cost::table;
use crate::cost::usage::{Unit, Usage, UsageBasis};
use crate::error::{Error, ErrorKind, Result};
use crate::money::{Price, Usd};
use crate::tool::{CostingModel, ToolDefinition};

/// Prices every [`CostingModel`] from a card: `amount × rate`, exactly, rounded once.
///
/// Which entry: `tool:` before `machine:` before `resource:`. A service that reports another resource than the quoted
/// one is settled at that resource's entry of the pinned card, and flagged; without such an entry the cost is unknown.
#[derive(Clone, Debug, Default)]
pub struct CardCostModel {
    builtin: RateCard,
}

impl CardCostModel {
    /// A model over a builtin card.
    #[must_use]
    pub const fn new(builtin: RateCard) -> Self {
        Self { builtin }
    }
}

impl CostModel for CardCostModel {
    fn builtin_card(&self) -> RateCard {
        self.builtin.clone()
    }

    fn rate(&self, tool: &ToolDefinition, card: &RateCard) -> Result<PinnedRate> {
        let (keys, unit, resource) = wanted(tool);
        if matches!(tool.costing_model, CostingModel::Free) {
            let key = RateKey::Tool(tool.tool_id.to_string());
            return Ok(PinnedRate::new(
                Price::new(Decimal::ZERO)?,
                unit,
                resource,
                key,
                "free".to_owned(),
                card.hash(),
            ));
        }
        let Some((key, rate)) = card.find(&keys, unit) else {
            let tried = keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(Error::new(ErrorKind::Unpriced, "price tool").with_message(format!(
                "{} has no known price per {}: give one for any of {tried} in the rates file, or set unpriced = \"allow\".",
                tool.display_name,
                unit_word(unit),
            )));
        };
        let source = rate.source.clone().unwrap_or_else(|| card.source.clone());
        Ok(PinnedRate::new(rate.amount, unit, resource, key.clone(), source, card.hash()))
    }

    fn quote(
        &self,
        rate: &PinnedRate,
        tool: &ToolDefinition,
        inputs: &Map<String, Value>,
        typical: Option<&Usage>,
    ) -> Quote {
        let of = |amount: Decimal| Usd::of(amount, rate.amount);
        match &tool.costing_model {
            CostingModel::PerSecond { .. } if rate.unit == Unit::Second => {
                let expected = typical.and_then(|u| u.amounts.get(&Unit::Second)).copied();
                let ceiling = tool.run_timeout_s(inputs).map(Decimal::from);
                let basis = match (expected, ceiling) {
                    (Some(e), Some(c)) => format!("earlier runs took {e} s; a run is ended after {c} s"),
                    (Some(e), None) => format!("earlier runs took {e} s"),
                    (None, Some(c)) => format!("no earlier run to go by; a run is ended after {c} s"),
                    (None, None) => "no earlier run to go by, and no run timeout".to_owned(),
                };
                Quote::new(expected.and_then(of), ceiling.and_then(of), basis)
            }
            CostingModel::Table { rows, addons, .. } => match table::amount(rows, addons, inputs) {
                Some(amount) => Quote::new(of(amount), of(amount), "by the tool's table").of_amount(amount),
                None => Quote::new(None, None, "the tool's table has no row for these inputs"),
            },
            CostingModel::Free => Quote::new(Some(Usd::ZERO), Some(Usd::ZERO), "free"),
            CostingModel::PerToken | CostingModel::PerCredit => {
                let expected = typical.and_then(|u| u.amounts.get(&rate.unit)).copied();
                Quote::new(expected.and_then(of), None, "by what earlier runs used")
            }
            CostingModel::PerRequest | CostingModel::PerSecond { .. } => {
                Quote::new(of(Decimal::ONE), of(Decimal::ONE), "a fixed price each time")
            }
        }
    }

    fn settle(&self, rate: &PinnedRate, card: &RateCard, usage: &Usage) -> Settlement {
        if usage.basis == UsageBasis::NotRun {
            return Settlement::known(Usd::ZERO, UsageBasis::NotRun);
        }
        let used = usage.resource.clone().or_else(|| rate.resource.clone());
        let changed = usage.resource.is_some() && rate.resource.is_some() && usage.resource != rate.resource;
        // A price given for this machine or tool holds whatever the class; one for a class does not hold for another.
        let price = match (&rate.key, &usage.resource) {
            (RateKey::Resource(quoted), Some(used)) if quoted != used => {
                card.find(&[RateKey::Resource(used.clone())], rate.unit).map(|(_, r)| r.amount)
            }
            (RateKey::Resource(_) | RateKey::Machine(_) | RateKey::Tool(_), _) => Some(rate.amount),
        };
        let amount = counted(usage, rate.unit);
        // What is free costs nothing, whether or not it ran.
        let amount = amount.or_else(|| price.filter(|price| price.as_decimal().is_zero()).map(|_| Decimal::ONE));
        let cost = amount.zip(price).and_then(|(amount, price)| total(rate, card, usage, amount, price));
        let at_most = match rate.unit {
            Unit::Second => usage.bound_seconds,
            // At most one was made.
            Unit::Request => Some(Decimal::ONE),
            Unit::InputToken | Unit::OutputToken | Unit::Credit => None,
        };
        let bound = at_most.zip(price).and_then(|(amount, price)| Usd::of(amount, price));
        let settled = match cost {
            Some(cost) => {
                Settlement::known(cost, if rate.unit == Unit::Request { UsageBasis::Reported } else { usage.basis })
            }
            None => Settlement::unknown(bound),
        };
        Settlement { amount, unit: Some(rate.unit), rate: price, resource: used, resource_changed: changed, ..settled }
    }
}

/// How much was used, unless that makes no sense: nobody uses less than nothing.
fn counted(usage: &Usage, unit: Unit) -> Option<Decimal> {
    usage.amounts.get(&unit).copied().filter(|amount| !amount.is_sign_negative())
}

/// `amount × price`, and for tokens both directions added up.
fn total(rate: &PinnedRate, card: &RateCard, usage: &Usage, amount: Decimal, price: Price) -> Option<Usd> {
    let cost = Usd::of(amount, price)?;
    if rate.unit != Unit::InputToken || !usage.amounts.contains_key(&Unit::OutputToken) {
        return Some(cost);
    }
    let out = counted(usage, Unit::OutputToken)?;
    // The card holds the price of what comes out under the same key with a `/out` ending.
    let key = match &rate.key {
        RateKey::Resource(name) => RateKey::Resource(format!("{name}/out")),
        RateKey::Machine(id) => RateKey::Machine(format!("{id}/out")),
        RateKey::Tool(id) => RateKey::Tool(format!("{id}/out")),
    };
    let (_, out_rate) = card.find(std::iter::once(&key), Unit::OutputToken)?;
    cost.checked_add(Usd::of(out, out_rate.amount)?)
}

/// Which entries of a card fit a tool, most specific first, in which unit, and the resource it names.
fn wanted(tool: &ToolDefinition) -> (Vec<RateKey>, Unit, Option<String>) {
    let mut keys = vec![RateKey::Tool(tool.tool_id.to_string())];
    let unit = match &tool.costing_model {
        CostingModel::PerSecond { resource, machine } => {
            keys.extend(machine.clone().map(RateKey::Machine));
            keys.extend(resource.clone().map(RateKey::Resource));
            return (keys, Unit::Second, resource.clone());
        }
        CostingModel::PerRequest | CostingModel::Free => Unit::Request,
        CostingModel::PerToken => Unit::InputToken,
        CostingModel::PerCredit => Unit::Credit,
        CostingModel::Table { unit, .. } => *unit,
    };
    keys.push(RateKey::Resource(tool.service_name.clone()));
    (keys, unit, None)
}

const fn unit_word(unit: Unit) -> &'static str {
    match unit {
        Unit::Second => "second",
        Unit::Request => "request",
        Unit::InputToken | Unit::OutputToken => "token",
        Unit::Credit => "credit",
    }
}

#[cfg(test)]
mod tests;
