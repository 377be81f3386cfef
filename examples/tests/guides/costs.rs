//! The cost model of `docs/guides/costs.md`.

use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use stationthis_core::cost::{CostModel, PinnedRate, Quote, RateCard, Settlement, Usage, UsageBasis};
use stationthis_core::{Price, Result, ToolDefinition, Usd};

/// Another model's prices with a margin, and a minimum for each run.
#[derive(Debug)]
pub struct Margin {
    inner: Arc<dyn CostModel>,
    /// What each price is multiplied by: 1.2 for a fifth more.
    factor: Decimal,
    minimum: Usd,
}

impl Margin {
    /// A margin over `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn CostModel>, factor: Decimal, minimum: Usd) -> Self {
        Self { inner, factor, minimum }
    }

    fn raised(&self, price: Price) -> Result<Price> {
        Price::new(price.as_decimal() * self.factor)
    }

    fn at_least(&self, cost: Option<Usd>) -> Option<Usd> {
        cost.map(|cost| cost.max(self.minimum))
    }
}

impl CostModel for Margin {
    fn builtin_card(&self) -> RateCard {
        // What the service asks. The margin is added when a price is used, so it holds for live prices too.
        self.inner.builtin_card()
    }

    fn rate(&self, tool: &ToolDefinition, card: &RateCard) -> Result<PinnedRate> {
        let mut rate = self.inner.rate(tool, card)?;
        rate.amount = self.raised(rate.amount)?;
        rate.source = format!("{}, times {}", rate.source, self.factor);
        Ok(rate)
    }

    fn quote(
        &self,
        rate: &PinnedRate,
        tool: &ToolDefinition,
        inputs: &Map<String, Value>,
        typical: Option<&Usage>,
    ) -> Quote {
        let mut quote = self.inner.quote(rate, tool, inputs, typical);
        quote.expected_usd = self.at_least(quote.expected_usd);
        quote.ceiling_usd = self.at_least(quote.ceiling_usd);
        quote
    }

    fn settle(&self, rate: &PinnedRate, card: &RateCard, usage: &Usage) -> Settlement {
        // The run may have used another entry of the card than the pinned one: that has its margin, too.
        let mut raised = card.clone();
        for entry in raised.rates.values_mut() {
            match self.raised(entry.amount) {
                Ok(price) => entry.amount = price,
                Err(_) => return Settlement::unknown(None),
            }
        }
        let mut settlement = self.inner.settle(rate, &raised, usage);
        if settlement.basis != UsageBasis::NotRun {
            settlement.cost_usd = self.at_least(settlement.cost_usd);
            settlement.bound_usd = self.at_least(settlement.bound_usd);
        }
        settlement
    }
}

#[cfg(test)]
mod tests {
    use stationthis_core::cost::{CardCostModel, RateKey, Unit};
    use stationthis_core::tool::{CostingModel, Limits};
    use stationthis_core::{ProviderId, ToolId};

    use super::*;

    fn usd(text: &str) -> Option<Usd> {
        Some(text.parse().unwrap())
    }

    /// A tool of 300 s at most on a GPU of 0.001 USD a second, a fifth more of it, and 5 cents at least.
    fn margin() -> (Margin, ToolDefinition, RateCard) {
        let provider = ProviderId::new("gpus").unwrap();
        let id = ToolId::for_key(&provider, "portrait").unwrap();
        let mut tool = ToolDefinition::new(id, provider, "gpus", "Portrait");
        tool.costing_model = CostingModel::PerSecond { resource: Some("A10G".to_owned()), machine: None };
        tool.limits = Limits::default();
        tool.limits.run_timeout_s = Some(300);
        let key = |name: &str| RateKey::Resource(name.to_owned());
        let card = RateCard::new("gpus, 2026-11").with(key("A10G"), "0.001".parse().unwrap(), Unit::Second).with(
            key("H100"),
            "0.01".parse().unwrap(),
            Unit::Second,
        );
        let inner = Arc::new(CardCostModel::new(card.clone()));
        (Margin::new(inner, "1.2".parse().unwrap(), "0.05".parse().unwrap()), tool.seal(), card)
    }

    #[test]
    fn a_quote_of_what_was_used_is_what_is_settled() {
        let (margin, tool, card) = margin();
        let rate = margin.rate(&tool, &card).unwrap();
        assert_eq!(rate.amount.to_string(), "0.0012");
        for (seconds, cost) in [("0", "0.05"), ("10", "0.05"), ("41.666", "0.05"), ("100", "0.12"), ("300", "0.36")] {
            let usage = Usage::of(Unit::Second, seconds.parse().unwrap(), UsageBasis::ProviderRun);
            let quote = margin.quote(&rate, &tool, &Map::new(), Some(&usage));
            let settled = margin.settle(&rate, &card, &usage);
            assert_eq!((settled.cost_usd, quote.expected_usd), (usd(cost), usd(cost)), "{seconds} s");
            assert_eq!(quote.ceiling_usd, usd("0.36"), "300 s");
        }
    }

    #[test]
    fn another_gpu_has_the_margin_too() {
        let (margin, tool, card) = margin();
        let rate = margin.rate(&tool, &card).unwrap();
        let usage = Usage::of(Unit::Second, Decimal::TEN, UsageBasis::ProviderRun).on(Some("H100".to_owned()));
        let settled = margin.settle(&rate, &card, &usage);
        assert_eq!((settled.cost_usd, settled.resource_changed), (usd("0.12"), true));
    }

    #[test]
    fn what_did_not_run_costs_nothing_and_what_is_unknown_stays_so() {
        let (margin, tool, card) = margin();
        let rate = margin.rate(&tool, &card).unwrap();
        assert_eq!(margin.settle(&rate, &card, &Usage::not_run()).cost_usd, Some(Usd::ZERO));
        let unknown = margin.settle(&rate, &card, &Usage::unknown(Some(Decimal::ONE_HUNDRED)));
        assert_eq!((unknown.cost_usd, unknown.bound_usd), (None, usd("0.12")));
    }
}
