//! From what is known of a run's times to its cost.

use std::sync::Arc;

use rust_decimal::Decimal;

use crate::cost::{RateCard, Receipts, Settlement, Unit, Usage, UsageBasis, usage};
use crate::error::{ErrorKind, Result};
use crate::money::Usd;
use crate::station::engine::Engine;
use crate::task::TaskRecord;
use crate::task::event::Event;
use crate::task::policy::UnsuccessfulPolicy;
use crate::task::report::{RunReport, RunStatus, RunTimes};
use crate::task::state::TaskStatus;

/// The settlement of a task that has just ended, on the card that was pinned when it was accepted.
pub(crate) async fn settled(engine: &Engine, task: &TaskRecord, not_run: bool) -> Result<Event> {
    let ended_well = task.state.status == TaskStatus::Completed;
    let usage = if not_run { Usage::not_run() } else { used(engine, task, ended_well) };
    let mut settlement = match () {
        () if not_run => Settlement::known(Usd::ZERO, UsageBasis::NotRun),
        () if waived(engine, task) => Settlement::known(Usd::ZERO, UsageBasis::Waived),
        () => priced(engine, task, &usage).await?,
    };
    if settlement.cost_usd.is_none() && settlement.bound_usd.is_none() && !settlement.resource_changed {
        // Nothing was measured; then it is at most what was quoted for the same resource.
        settlement.bound_usd = task.quote.ceiling_usd;
    }
    let over_ceiling = settlement.cost_usd.zip(task.quote.ceiling_usd).is_some_and(|(cost, ceiling)| cost > ceiling);
    Ok(Event::Settled { usage, settlement: Box::new(settlement), over_ceiling })
}

/// What a run used and cost, by what its provider says of it now, after the task's end.
pub(crate) async fn reconciled(engine: &Engine, task: &TaskRecord, report: &RunReport) -> Result<(Usage, Settlement)> {
    let mut task = task.clone();
    task.state.run_heard = false;
    task.state.provider_times.update(&report.times);
    task.state.resource = report.resource.clone().or(task.state.resource);
    task.state.reported_usage = report.usage.clone().or(task.state.reported_usage);
    let usage = used(engine, &task, report.status == RunStatus::Succeeded);
    let settlement = priced(engine, &task, &usage).await?;
    Ok((usage, settlement))
}

async fn priced(engine: &Engine, task: &TaskRecord, usage: &Usage) -> Result<Settlement> {
    let Some(rate) = &task.cost_rate else { return Ok(Settlement::unknown(None)) };
    Ok(match (engine.backend(&task.provider_id), pinned(engine, &rate.card_hash).await?) {
        (Ok(backend), Some(card)) => backend.cost.settle(rate, &card, usage),
        // Its provider was taken out of the configuration, or its card is damaged: the end must not wait for that.
        (_, _) => Settlement::unknown(None),
    })
}

/// The pinned card; `None` when it cannot be read and never will.
async fn pinned(engine: &Engine, hash: &str) -> Result<Option<Arc<RateCard>>> {
    match engine.rates.card(engine.store.as_ref(), hash).await {
        Ok(card) => Ok(Some(card)),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::error!(%error, "a pinned rate card cannot be read; the cost is unknown");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn waived(engine: &Engine, task: &TaskRecord) -> bool {
    engine.policy.unsuccessful == UnsuccessfulPolicy::Waived && task.state.status != TaskStatus::Completed
}

fn used(engine: &Engine, task: &TaskRecord, ended_well: bool) -> Usage {
    let state = &task.state;
    let lifetime = state.times.submitting_at.zip(state.over_at());
    if state.run_heard {
        // What a webhook alone says of a run that nobody else knows is no measure of anything.
        return usage::measure(&RunTimes::default(), &Receipts::default(), engine.policy.duration, lifetime);
    }
    if let Some(usage) = &state.reported_usage {
        return usage.clone();
    }
    if let (Some(amount), Some(rate)) = (task.quote.amount, &task.cost_rate) {
        // What a table says is the price of a run that gave what was asked for; of all others only the most it can be.
        let whole = ended_well && state.run_id.is_some();
        let usage = if whole { Usage::of(rate.unit, amount, UsageBasis::Estimated) } else { Usage::unknown(None) };
        return usage.on(state.resource.clone());
    }
    let per_request = task.cost_rate.as_ref().is_some_and(|rate| rate.unit == Unit::Request);
    if per_request && state.run_id.is_some() {
        // A run is one request by its nature; where nobody knows whether there is one, nothing is counted.
        return Usage::of(Unit::Request, Decimal::ONE, UsageBasis::Reported).on(state.resource.clone());
    }
    usage::measure(&state.provider_times, &state.receipts, engine.policy.duration, lifetime).on(state.resource.clone())
}
