//! A known cost is what the books say; an unknown one has a bound that the books do not exceed.

use rust_decimal::Decimal;
use rust_decimal::RoundingStrategy::MidpointAwayFromZero;

use crate::cost::{Settlement, UsageBasis};
use crate::task::TaskRecord;
use crate::task::state::TaskStatus;
use crate::testkit::campaign::books::{Books, Run, Tells};
use crate::testkit::campaign::evidence::Evidence;
use crate::testkit::campaign::provider::{CREDIT_USD, Class, FAST_SECOND_USD, REQUEST_USD, SECOND_USD};
use crate::time::Timestamp;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let books = evidence.books();
    evidence
        .tasks
        .values()
        .filter_map(|task| wrong(task, &books).map(|what| format!("{}: {what}", task.task_id)))
        .collect()
}

fn wrong(task: &TaskRecord, books: &Books) -> Option<String> {
    let settlement = task.state.settlement.as_ref()?;
    let class = Class::ALL.into_iter().find(|class| class.name() == task.provider_id.as_str())?;
    let run = books.runs_of(task.task_id).next().map(|(_, run)| run);
    match (settlement.cost_usd.map(|cost| cost.nanos()), run) {
        (None, run) => bound_too_low(task, settlement, class, run),
        (Some(0), _) if settlement.basis == UsageBasis::NotRun => {
            run.map(|run| format!("nothing is charged as not run, and there is {}", run.id))
        }
        (Some(cost), None) => Some(format!("{cost} nano-dollars for no run at all, by {:?}", settlement.basis)),
        (Some(cost), Some(run)) => {
            let expected = expected_nanos(task, settlement, class, run)?;
            (cost != expected).then(|| format!("{cost} nano-dollars; by the books {expected} ({:?})", settlement.basis))
        }
    }
}

fn expected_nanos(task: &TaskRecord, settlement: &Settlement, class: Class, run: &Run) -> Option<i64> {
    let heard = &task.state.receipts;
    let micros = |from: Option<Timestamp>, to: Option<Timestamp>| Some(to?.micros_since(from?));
    let seconds = match settlement.basis {
        UsageBasis::Reported => None,
        // Told exactly, whatever the clocks: both times are by the same one.
        UsageBasis::ProviderRun if run.tells == Tells::Everything => Some(run.worked_micros(run.ended_at?)),
        UsageBasis::WebhookReceipt => micros(heard.webhook_running_at, heard.webhook_ended_at),
        UsageBasis::PollReceipt => micros(heard.poll_running_at, heard.poll_ended_at),
        // No other basis makes a cost known here.
        _ => return Some(-1),
    };
    let (amount, price) = match (class, seconds) {
        (Class::Idem, None) => (Decimal::from(run.credits?), CREDIT_USD),
        (Class::Chosen, None) => (Decimal::ONE, REQUEST_USD),
        (Class::Lookup | Class::None, Some(micros)) => {
            (Decimal::new(micros, 6), price_of(settlement.resource.as_deref()))
        }
        (_, _) => return Some(-1),
    };
    nanos(amount, price)
}

fn price_of(resource: Option<&str>) -> &'static str {
    if resource == Some("H100") { FAST_SECOND_USD } else { SECOND_USD }
}

fn nanos(amount: Decimal, price: &str) -> Option<i64> {
    let price: Decimal = price.parse().ok()?;
    let nanos = amount.checked_mul(price)?.checked_mul(Decimal::from(1_000_000_000))?;
    i64::try_from(nanos.round_dp_with_strategy(0, MidpointAwayFromZero)).ok()
}

fn bound_too_low(task: &TaskRecord, settlement: &Settlement, class: Class, run: Option<&Run>) -> Option<String> {
    if task.state.status == TaskStatus::Completed && class != Class::None {
        let run = run.filter(|run| run.tells != Tells::Nonsense)?;
        return Some(format!("its cost is unknown, and all of {} was told", run.id));
    }
    let per_second = matches!(class, Class::Lookup | Class::None);
    let bound = settlement.bound_usd.map(|bound| bound.nanos());
    match bound {
        None if per_second => Some("its cost is unknown and has no bound".to_owned()),
        None => None,
        Some(bound) => {
            // What the run does after the task's end is for nobody any more.
            let run = run?;
            let until = task.state.times.ended_at?;
            if class == Class::Chosen {
                let one = nanos(Decimal::ONE, REQUEST_USD)?;
                return (one > bound).then(|| format!("its bound is {bound} nano-dollars, and a request is {one}"));
            }
            // Where nobody said what it ran on, the bound is at the rate that was quoted.
            let price = price_of(settlement.resource.as_deref());
            let truth = nanos(Decimal::new(run.worked_micros(until), 6), price)?;
            (truth > bound).then(|| format!("its bound is {bound} nano-dollars, and it took {truth}"))
        }
    }
}
