//! Prices that are missing.

use serde_json::{Map, Value};

use super::{Fault, Faulty};
use crate::cost::{CostModel, PinnedRate, Quote, RateCard, Settlement, Usage};
use crate::error::{Error, ErrorKind, Result};
use crate::tool::ToolDefinition;

/// The arithmetic is pure; what can go wrong is that there is no price: [`Fault::FailBefore`] makes `rate` say so.
impl CostModel for Faulty<dyn CostModel> {
    fn builtin_card(&self) -> RateCard {
        self.inner().builtin_card()
    }

    fn rate(&self, tool: &ToolDefinition, card: &RateCard) -> Result<PinnedRate> {
        if self.next("rate", |fault| fault == Fault::FailBefore).0.is_some() {
            return Err(Error::new(ErrorKind::Unpriced, "find rate").with_message("The price is missing."));
        }
        self.inner().rate(tool, card)
    }

    fn quote(
        &self,
        rate: &PinnedRate,
        tool: &ToolDefinition,
        inputs: &Map<String, Value>,
        typical: Option<&Usage>,
    ) -> Quote {
        self.inner().quote(rate, tool, inputs, typical)
    }

    fn settle(&self, rate: &PinnedRate, card: &RateCard, usage: &Usage) -> Settlement {
        self.inner().settle(rate, card, usage)
    }
}
