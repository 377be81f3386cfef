//! What people see: tables, progress, saved files.

pub mod progress;
pub mod save;
pub mod table;

use stationthis_core::cost::{PinnedRate, Quote, Unit};
use stationthis_core::task::TaskRecord;
use stationthis_core::tool::ExactlyOnce;

/// A rate in words: `$0.000337 per second on A10G`.
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

/// A quote in words.
#[must_use]
pub fn quote_text(quote: &Quote) -> String {
    let part = |amount: &Option<stationthis_core::Usd>| amount.map(|usd| format!("${usd}"));
    let known = match (part(&quote.expected_usd), part(&quote.ceiling_usd)) {
        (Some(expected), Some(ceiling)) if expected == ceiling => expected,
        (Some(expected), Some(ceiling)) => format!("about {expected}, at most {ceiling}"),
        (Some(expected), None) => format!("about {expected}"),
        (None, Some(ceiling)) => format!("at most {ceiling}"),
        (None, None) => "unknown".to_owned(),
    };
    format!("{known} ({})", quote.basis)
}

/// What a task cost, in words: an unknown cost is called so, with its bound.
#[must_use]
pub fn cost_text(task: &TaskRecord) -> String {
    if let Some(cost) = task.state.charged_usd() {
        let reviewed =
            task.state.reconciled.as_ref().is_some_and(|found| found.settlement.cost_usd != task.state.cost_usd);
        return if reviewed { format!("${cost}, as reviewed") } else { format!("${cost}") };
    }
    if !task.is_terminal() {
        return "not settled yet".to_owned();
    }
    let bound = task.state.settlement.as_ref().and_then(|settlement| settlement.bound_usd);
    bound.map_or_else(|| "unknown".to_owned(), |bound| format!("unknown, at most ${bound}"))
}

/// What becomes of a submission whose answer is lost, in a sentence.
#[must_use]
pub const fn exactly_once_text(class: ExactlyOnce) -> &'static str {
    match class {
        ExactlyOnce::IdempotencyKey => "A lost submission is sent again under the same idempotency key.",
        ExactlyOnce::ClientChosenId => "A lost submission is asked for by the run id that we chose, never sent again.",
        ExactlyOnce::Lookup => "A lost submission is looked up by our task id, never sent again.",
        ExactlyOnce::None => "A lost submission waits for a callback or a person, and is never sent again.",
    }
}
