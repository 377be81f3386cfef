//! What ended tasks cost, added up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stationthis_core::station::Caller;
use stationthis_core::store::{Total, TotalsQuery};
use stationthis_core::{Error, ErrorKind, Result, Usd};

/// What time one sum is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// A month (UTC).
    #[default]
    Month,
    /// A day (UTC).
    Day,
}

impl Span {
    /// Its word in a query.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Day => "day",
        }
    }
}

/// Sums over ended tasks, pruned ones too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Costs {
    /// By month or day, caller and tool.
    pub totals: Vec<Total>,
    /// How many tasks these are.
    pub tasks: u64,
    /// The sum of the known costs.
    pub cost_usd: Usd,
    /// How many of the tasks have no known cost; those are not in the sum.
    pub unknown: u64,
}

impl Costs {
    /// Adds up what a caller's tasks cost, in one month (UTC, `2026-11`) or in all, with a sum for each `span`; an
    /// administrator's are everybody's.
    ///
    /// # Errors
    /// `InvalidInput` for what is no month; `StoreUnavailable`; `Corrupt` for a sum that no amount can hold.
    pub async fn of(caller: &Caller, month: Option<String>, span: Span) -> Result<Self> {
        if month.as_deref().is_some_and(|month| !is_month(month)) {
            return Err(
                Error::new(ErrorKind::InvalidInput, "add up costs").with_message("A month is given as 2026-11.")
            );
        }
        let totals = caller.totals(TotalsQuery { month, by_day: span == Span::Day, ..TotalsQuery::default() }).await?;
        let too_large = || Error::new(ErrorKind::Corrupt, "add up costs").with_message("The sum is out of range.");
        let cost_usd = totals.iter().try_fold(Usd::ZERO, |sum, total| sum.checked_add(total.cost_usd));
        Ok(Self {
            tasks: totals.iter().map(|total| total.tasks).sum(),
            unknown: totals.iter().map(|total| total.unknown).sum(),
            cost_usd: cost_usd.ok_or_else(too_large)?,
            totals,
        })
    }
}

fn is_month(text: &str) -> bool {
    let Some((year, month)) = text.split_once('-') else { return false };
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    digits(year, 4) && digits(month, 2) && month.parse::<u8>().is_ok_and(|month| (1..=12).contains(&month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_a_year_and_two_digits() {
        assert!(is_month("2026-11") && is_month("0001-01"));
        for bad in ["2026", "2026-1", "2026-13", "2026-00", "26-11", "2026-11-01", "2026-+1", ""] {
            assert!(!is_month(bad), "{bad}");
        }
    }
}
