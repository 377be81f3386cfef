//! What runs cost: prices as data, arithmetic as pure functions.

// Money is decimal: a float has no place in it.
#![warn(clippy::float_arithmetic)]

pub mod card_model;
pub mod quote;
pub mod rate_card;
mod table;
pub mod usage;

pub use card_model::CardCostModel;
pub use quote::{PinnedRate, Quote, Settlement};
pub use rate_card::{RateCard, RateKey};
pub use usage::{DurationPolicy, Receipts, Unit, Usage, UsageBasis};

use serde_json::{Map, Value};

use crate::error::Result;
use crate::tool::ToolDefinition;

/// The arithmetic of one service's prices.
///
/// # Contract
/// Pure: no clock, no I/O, no memory; the same arguments give the same answer for ever. Prices come in as data, on a
/// [`RateCard`]: the builtin one, the service's own list of the moment, the operator's file, laid over each other by
/// the station. Quote and settlement use the same function (I7).
///
/// # Implementing
/// [`CardCostModel`] does the usual costing models; implement the trait to add a margin or a minimum charge, and
/// delegate the rest to it.
///
/// # Cancellation
/// Nothing here waits.
///
/// # Errors
/// `Unpriced` from [`rate`](Self::rate) when no entry fits; never a guess, never zero.
///
/// # Proving it
/// Property tests: parts add up to the total; a quote of what was used is what is settled.
pub trait CostModel: Send + Sync + std::fmt::Debug {
    /// The prices known when this was built, dated and with their source.
    fn builtin_card(&self) -> RateCard;

    /// The rate at which a tool runs, on this card.
    ///
    /// # Errors
    /// `Unpriced`, with a sentence that names what is missing.
    fn rate(&self, tool: &ToolDefinition, card: &RateCard) -> Result<PinnedRate>;

    /// What a run is expected to cost, and the most it can: `typical` is how much earlier runs used.
    fn quote(
        &self,
        rate: &PinnedRate,
        tool: &ToolDefinition,
        inputs: &Map<String, Value>,
        typical: Option<&Usage>,
    ) -> Quote;

    /// What a run did cost, from what it used, on the card that was pinned when it was accepted.
    fn settle(&self, rate: &PinnedRate, card: &RateCard, usage: &Usage) -> Settlement;
}
