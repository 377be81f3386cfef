//! Prices, costs and times in words.

use std::time::Duration;

use stationthis_core::Usd;
use stationthis_core::cost::{PinnedRate, Quote, Unit};
use stationthis_core::task::TaskRecord;

use crate::view::ToolView;

/// What is said where there is no price.
const NO_PRICE: &str = "no price is known";

const NANOS: i64 = 1_000_000_000;
const CENT: i64 = NANOS / 100;

/// What a tool costs, in one line: the estimate where earlier runs or the price list allow one, with the rate it comes
/// from; the rate alone; or that there is no price.
#[must_use]
pub fn price(tool: &ToolView) -> String {
    let Some(rate) = &tool.rate else { return NO_PRICE.to_owned() };
    match tool.estimate.as_ref().and_then(bounds) {
        Some(bounds) => format!("{bounds} ({})", rate_text(rate)),
        None => rate_text(rate),
    }
}

/// A rate: `$0.000337 per second on A10G`.
#[must_use]
pub fn rate_text(rate: &PinnedRate) -> String {
    let unit = match rate.unit {
        Unit::Second => "second",
        Unit::Request => "run",
        Unit::InputToken => "token in",
        Unit::OutputToken => "token out",
        Unit::Credit => "credit",
    };
    let on = rate.resource.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
    format!("${} per {unit}{on}", rate.amount)
}

/// What a run will cost: `about $0.0021, at most $0.10`. The most is rounded up, never down.
#[must_use]
pub fn estimate(quote: &Quote) -> String {
    bounds(quote).unwrap_or_else(|| NO_PRICE.to_owned())
}

fn bounds(quote: &Quote) -> Option<String> {
    match (quote.expected_usd, quote.ceiling_usd) {
        (Some(expected), Some(ceiling)) if expected == ceiling => Some(exact(expected)),
        (Some(expected), Some(ceiling)) => Some(format!("about {}, at most {}", about(expected), at_most(ceiling))),
        (Some(expected), None) => Some(format!("about {}", about(expected))),
        (None, Some(ceiling)) => Some(format!("at most {}", at_most(ceiling))),
        (None, None) => None,
    }
}

/// What a task cost: exactly, or that it is unknown with the most it can be.
#[must_use]
pub fn cost(task: &TaskRecord) -> String {
    if let Some(cost) = task.state.charged_usd() {
        let reviewed =
            task.state.reconciled.as_ref().is_some_and(|found| found.settlement.cost_usd != task.state.cost_usd);
        return if reviewed { format!("{}, as reviewed", exact(cost)) } else { exact(cost) };
    }
    if !task.is_terminal() {
        return "not settled yet".to_owned();
    }
    let bound = task.state.settlement.as_ref().and_then(|settlement| settlement.bound_usd);
    bound.map_or_else(|| "unknown".to_owned(), |bound| format!("unknown, at most {}", at_most(bound)))
}

/// How long a run usually takes: `usually 6 s`.
#[must_use]
pub fn typical_time(typical: Duration) -> String {
    format!("usually {}", time(typical))
}

/// A time with the precision that people want: `0.4 s`, `6 s`, `2 min 30 s`, `1 h 5 min`.
#[must_use]
pub fn time(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        let tenths = time.as_millis() / 100;
        return if tenths == 0 { "under 0.1 s".to_owned() } else { format!("0.{tenths} s") };
    }
    let seconds = time.saturating_add(Duration::from_millis(500)).as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// An amount in full, without zeros that say nothing: `$0.002021`, `$1.50`.
#[must_use]
pub fn exact(amount: Usd) -> String {
    let text = amount.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, nanos) = digits.split_once('.').unwrap_or((digits, "00"));
    let shown = nanos.trim_end_matches('0').len().max(2);
    format!("{sign}${whole}.{}", nanos.get(..shown).unwrap_or(nanos))
}

/// To two digits, from ten cents on to cents.
fn about(amount: Usd) -> String {
    let unit = unit(amount);
    exact(Usd::from_nanos(amount.nanos().saturating_add(unit / 2) / unit * unit))
}

fn at_most(amount: Usd) -> String {
    let unit = unit(amount);
    exact(Usd::from_nanos(amount.nanos().saturating_add(unit - 1) / unit * unit))
}

/// What the second digit of an amount stands for, a cent at most.
fn unit(amount: Usd) -> i64 {
    let mut unit = 1;
    while unit < CENT && amount.nanos() / unit >= 100 {
        unit *= 10;
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: Option<&str>, ceiling: Option<&str>, text: &str) {
        let usd = |text: &str| text.parse::<Usd>().unwrap();
        assert_eq!(estimate(&Quote::new(expected.map(usd), ceiling.map(usd), "")), text);
    }

    #[test]
    fn estimates_are_short_and_the_most_is_never_less() {
        check(Some("0.002123457"), Some("0.101100000"), "about $0.0021, at most $0.11");
        check(Some("0.002150000"), Some("0.100000000"), "about $0.0022, at most $0.10");
        check(Some("0.099600000"), None, "about $0.10");
        check(None, Some("12.340000001"), "at most $12.35");
        check(None, Some("0.000000001"), "at most $0.000000001");
        check(Some("0.05"), Some("0.05"), "$0.05");
        check(Some("0"), Some("0"), "$0.00");
        check(None, None, "no price is known");
    }

    #[test]
    fn amounts_are_shown_in_full() {
        for (amount, text) in [("1.5", "$1.50"), ("0.002021", "$0.002021"), ("-0.25", "-$0.25"), ("3", "$3.00")] {
            assert_eq!(exact(amount.parse().unwrap()), text);
        }
    }

    #[test]
    fn times_have_the_precision_people_want() {
        let cases = [(0, "under 0.1 s"), (430, "0.4 s"), (6_400, "6 s"), (6_500, "7 s"), (59_900, "1 min")];
        let more = [(60_000, "1 min"), (150_000, "2 min 30 s"), (3_900_000, "1 h 5 min")];
        for (ms, text) in cases.into_iter().chain(more) {
            assert_eq!(typical_time(Duration::from_millis(ms)), format!("usually {text}"));
        }
    }
}
