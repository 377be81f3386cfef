//! What a run used, and how that is known.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::task::report::RunTimes;
use crate::time::Timestamp;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    /// A second on a resource.
    Second,
    /// One run.
    Request,
    /// A token that went in.
    InputToken,
    /// A token that came out.
    OutputToken,
    /// A credit of the service.
    Credit,
}

/// What a run used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Usage {
    /// How much of each unit, as exact decimal text; empty when unknown.
    #[schemars(with = "BTreeMap<Unit, String>")]
    pub amounts: BTreeMap<Unit, Decimal>,
    /// The resource class that was used, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// How it is known.
    pub basis: UsageBasis,
    /// When it is unknown: at most so many seconds, as decimal text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bound_seconds: Option<Decimal>,
}

impl Usage {
    /// Known usage of one unit.
    #[must_use]
    pub fn of(unit: Unit, amount: Decimal, basis: UsageBasis) -> Self {
        Self { amounts: BTreeMap::from([(unit, amount)]), resource: None, basis, bound_seconds: None }
    }

    /// What never ran used nothing.
    #[must_use]
    pub fn not_run() -> Self {
        Self { amounts: BTreeMap::new(), resource: None, basis: UsageBasis::NotRun, bound_seconds: None }
    }

    /// Unknown, with an upper bound where there is one.
    #[must_use]
    pub fn unknown(bound_seconds: Option<Decimal>) -> Self {
        Self { amounts: BTreeMap::new(), resource: None, basis: UsageBasis::Unknown, bound_seconds }
    }

    /// On a resource class.
    #[must_use]
    pub fn on(mut self, resource: Option<String>) -> Self {
        self.resource = resource;
        self
    }
}

/// How a usage is known, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UsageBasis {
    /// The service counted it.
    Reported,
    /// The service's own times, from the start of the work to its end.
    ProviderRun,
    /// The service's own times, from when a container took the run to its end.
    ProviderContainer,
    /// From the first webhook that showed it running to the one that showed its end.
    WebhookReceipt,
    /// From the first poll that showed it running to the one that showed its end.
    PollReceipt,
    /// Estimated from the inputs, by the tool's table: its service counted nothing.
    Estimated,
    /// It provably did not run: exactly nothing.
    NotRun,
    /// It ran, but policy does not charge runs that did not end well.
    Waived,
    /// Not known; there may be a bound.
    Unknown,
}

/// Which of the service's times count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DurationPolicy {
    /// From the start of the work to its end.
    #[default]
    Run,
    /// From when a container took the run to its end: nearer to what ComfyDeploy bills.
    Container,
}

/// When we heard that a run was running, and that it had ended; for services that tell no times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipts {
    /// The first webhook that showed it running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_running_at: Option<Timestamp>,
    /// The first webhook that showed its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_ended_at: Option<Timestamp>,
    /// The first poll that showed it running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_running_at: Option<Timestamp>,
    /// The first poll that showed its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_ended_at: Option<Timestamp>,
}

/// The seconds a run used, by the best basis that both exists and is not negative: the service's times as `policy` says
/// (container time falls back to run time), then webhook receipts, then poll receipts, else unknown, bounded by
/// `lifetime` (from when we began to submit to when we knew of the end).
#[must_use]
pub fn measure(
    times: &RunTimes,
    receipts: &Receipts,
    policy: DurationPolicy,
    lifetime: Option<(Timestamp, Timestamp)>,
) -> Usage {
    let container = (UsageBasis::ProviderContainer, times.queued_at, times.ended_at);
    let run = (UsageBasis::ProviderRun, times.started_at, times.ended_at);
    let by_times = match policy {
        DurationPolicy::Run => [run, run],
        DurationPolicy::Container => [container, run],
    };
    let by_receipts = [
        (UsageBasis::WebhookReceipt, receipts.webhook_running_at, receipts.webhook_ended_at),
        (UsageBasis::PollReceipt, receipts.poll_running_at, receipts.poll_ended_at),
    ];
    for (basis, from, to) in by_times.into_iter().chain(by_receipts) {
        if let Some(seconds) = from.zip(to).and_then(|(from, to)| seconds_between(from, to)) {
            return Usage::of(Unit::Second, seconds, basis);
        }
    }
    // The service's own span from making the run to its end is the tighter bound.
    let by_service = times.created_at.zip(times.ended_at).and_then(|(from, to)| seconds_between(from, to));
    Usage::unknown(by_service.or_else(|| lifetime.and_then(|(from, to)| seconds_between(from, to))))
}

/// Exact seconds, `None` when negative.
fn seconds_between(from: Timestamp, to: Timestamp) -> Option<Decimal> {
    let micros = to.micros_since(from);
    (micros >= 0).then(|| Decimal::new(micros, 6).normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp::from_micros(seconds * 1_000_000))
    }

    fn check(times: RunTimes, receipts: Receipts, policy: DurationPolicy, basis: UsageBasis, seconds: Option<i64>) {
        let usage = measure(&times, &receipts, policy, at(0).zip(at(100)));
        assert_eq!(usage.basis, basis, "{times:?} {receipts:?}");
        assert_eq!(usage.amounts.get(&Unit::Second).copied(), seconds.map(Decimal::from));
    }

    #[test]
    fn the_best_basis_that_makes_sense_is_taken() {
        let all = RunTimes { created_at: at(1), queued_at: at(10), started_at: at(15), ended_at: at(40) };
        let heard = Receipts {
            webhook_running_at: at(16),
            webhook_ended_at: at(41),
            poll_running_at: at(20),
            poll_ended_at: at(50),
        };
        check(all, heard, DurationPolicy::Run, UsageBasis::ProviderRun, Some(25));
        check(all, heard, DurationPolicy::Container, UsageBasis::ProviderContainer, Some(30));
        let no_queue = RunTimes { queued_at: None, ..all };
        check(no_queue, heard, DurationPolicy::Container, UsageBasis::ProviderRun, Some(25));
        let skewed = RunTimes { started_at: at(60), ..all };
        check(skewed, heard, DurationPolicy::Run, UsageBasis::WebhookReceipt, Some(25));
        let classic = RunTimes { queued_at: None, started_at: None, ..all };
        let polls = Receipts { webhook_running_at: None, ..heard };
        check(classic, polls, DurationPolicy::Run, UsageBasis::PollReceipt, Some(30));
        check(classic, Receipts::default(), DurationPolicy::Run, UsageBasis::Unknown, None);
    }

    #[test]
    fn what_is_unknown_has_a_bound_and_is_not_zero() {
        let times = RunTimes { created_at: at(1), ended_at: at(40), ..RunTimes::default() };
        let usage = measure(&times, &Receipts::default(), DurationPolicy::Run, at(0).zip(at(100)));
        assert_eq!(usage.bound_seconds, Some(Decimal::from(39)));
        let usage = measure(&RunTimes::default(), &Receipts::default(), DurationPolicy::Run, at(0).zip(at(100)));
        assert_eq!(usage.bound_seconds, Some(Decimal::from(100)));
    }
}
