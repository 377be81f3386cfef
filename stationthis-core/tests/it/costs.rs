//! What a task costs, whatever its service tells of the run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stationthis_core::cost::{RateCard, RateKey, Unit, Usage, UsageBasis};
use stationthis_core::store::MemoryStore;
use stationthis_core::task::report::{RunReport, RunStatus, RunTimes};
use stationthis_core::task::state::Flag;
use stationthis_core::testkit::ScriptedProvider;
use stationthis_core::tool::{CostingModel, TableRow};
use stationthis_core::{Clock, RunId, TaskRecord, TaskStatus, Timestamp};

use crate::bench::{Bench, inputs, report, success};

/// What one run tells of itself.
#[derive(Clone, Debug, Default)]
struct Told {
    /// Webhooks before the end, each with the second at which it comes.
    hooks: Vec<(u64, RunStatus)>,
    /// The service's own times, in seconds since the submission; they may contradict each other.
    started: Option<i64>,
    ended: Option<i64>,
    created: Option<i64>,
    resource: Option<&'static str>,
    usage: Option<Usage>,
}

/// A task whose cost is known, and how.
const fn known(cost: &'static str, basis: UsageBasis) -> (Option<&'static str>, UsageBasis, Option<&'static str>) {
    (Some(cost), basis, None)
}

/// One whose cost is not, and what it is at most.
const fn unknown(bound: Option<&'static str>) -> (Option<&'static str>, UsageBasis, Option<&'static str>) {
    (None, UsageBasis::Unknown, bound)
}

fn card() -> RateCard {
    let price = |text: &str| text.parse().unwrap();
    let key = |name: &str| RateKey::Resource(name.to_owned());
    RateCard::new("test")
        .with(key("GPU"), price("0.0005"), Unit::Second)
        .with(key("BIG"), price("0.002"), Unit::Second)
        .with(RateKey::Tool("scripted:request".to_owned()), price("0.04"), Unit::Request)
        .with(RateKey::Tool("scripted:token".to_owned()), price("0.000000025"), Unit::InputToken)
        .with(RateKey::Tool("scripted:token/out".to_owned()), price("0.0000001"), Unit::OutputToken)
        .with(RateKey::Tool("scripted:credit".to_owned()), price("0.005"), Unit::Credit)
        .with(RateKey::Tool("scripted:table".to_owned()), price("0.005"), Unit::Credit)
}

fn models() -> [(&'static str, CostingModel); 6] {
    let rows =
        vec![TableRow::new(inputs(&json!({ "steps": 20 })), 4.into()), TableRow::new(inputs(&json!({})), 10.into())];
    [
        ("second", CostingModel::PerSecond { resource: Some("GPU".to_owned()), machine: None }),
        ("request", CostingModel::PerRequest),
        ("token", CostingModel::PerToken),
        ("credit", CostingModel::PerCredit),
        ("table", CostingModel::Table { unit: Unit::Credit, rows, addons: vec![] }),
        ("free", CostingModel::Free),
    ]
}

/// A run of that tool that ends well.
async fn run(model: &str, told: Told) -> TaskRecord {
    let done = ended(model, told, RunStatus::Succeeded).await;
    assert_eq!(done.state.status, TaskStatus::Completed, "{model}");
    done
}

/// A run of that tool, from its submission to the poll at second 40 that shows its end.
async fn ended(model: &str, told: Told, how: RunStatus) -> TaskRecord {
    let provider = ScriptedProvider::new().unwrap();
    let mut tool = provider.tool().unwrap();
    tool.tool_id = format!("scripted:{model}").parse().unwrap();
    tool.costing_model = models().into_iter().find(|(name, _)| *name == model).unwrap().1;
    let bench = Bench::over(Arc::new(MemoryStore::new()), provider.offering(tool, card())).await;
    let start = bench.clock.now();
    bench.provider.script().polls = [report(RunStatus::Queued)].into();
    let task = bench.run("x").await;
    bench.settle().await;
    for (second, status) in told.hooks.clone() {
        bench.clock.set(start.plus(Duration::from_secs(second)));
        bench.hook(&task, &report(status)).await;
        // The inbox is read; no poll shows more than the hook did.
        bench.provider.script().polls = [report(RunStatus::Queued)].into();
        bench.settle().await;
    }
    bench.clock.set(start.plus(Duration::from_secs(40)));
    bench.provider.script().polls = [end(start, &told, how)].into();
    bench.settle().await;
    bench.pass(15).await;
    let done = bench.task(task.task_id).await;
    assert!(done.is_terminal(), "{model}");
    done
}

fn end(start: Timestamp, told: &Told, how: RunStatus) -> RunReport {
    let after = |seconds: i64| Timestamp::from_micros(start.as_micros() + seconds * 1_000_000);
    let mut report = success(start);
    report.status = how;
    report.run_id = RunId::new("run-1").unwrap();
    report.times = RunTimes {
        created_at: told.created.map(after),
        queued_at: None,
        started_at: told.started.map(after),
        ended_at: told.ended.map(after),
    };
    report.resource = told.resource.map(str::to_owned);
    report.usage = told.usage.clone();
    report
}

type Cost = (Option<&'static str>, UsageBasis, Option<&'static str>);

/// By the second, at 0.0005 USD: with what is told of the start, and without it.
fn by_the_second() -> Vec<(&'static str, Told, Cost)> {
    use RunStatus::{Running, Succeeded};
    use UsageBasis::{ProviderRun, Reported, WebhookReceipt};
    let times = |created, started, ended| Told { created, started, ended, ..Told::default() };
    let hooks = |hooks: &[(u64, RunStatus)]| Told { hooks: hooks.to_vec(), ..Told::default() };
    let used = |unit, amount: &str| Told {
        usage: Some(Usage::of(unit, amount.parse().unwrap(), Reported)),
        ..times(Some(5), Some(10), Some(35))
    };
    let seen = [(12, Running), (33, Succeeded)];
    let whole = times(Some(5), Some(10), Some(35));
    vec![
        ("start and end", whole.clone(), known("0.012500000", ProviderRun)),
        ("hooks say otherwise", Told { hooks: seen.to_vec(), ..whole.clone() }, known("0.012500000", ProviderRun)),
        ("no time at all", times(Some(5), Some(20), Some(20)), known("0.000000000", ProviderRun)),
        ("no start", times(Some(5), None, Some(35)), unknown(Some("0.015000000"))),
        ("no end", times(Some(5), Some(10), None), unknown(Some("0.020000000"))),
        ("no times", Told::default(), unknown(Some("0.020000000"))),
        ("no times, hooks", hooks(&seen), known("0.010500000", WebhookReceipt)),
        (
            "no times, start twice and end twice",
            hooks(&[(12, Running), (15, Running), (20, Running), (33, Succeeded), (36, Succeeded)]),
            known("0.010500000", WebhookReceipt),
        ),
        ("no times, start after the end", hooks(&[(33, Succeeded), (35, Running)]), unknown(Some("0.020000000"))),
        ("the start after the end, by their clock", times(Some(5), Some(50), Some(35)), unknown(Some("0.015000000"))),
        (
            "the same, and hooks",
            Told { hooks: seen.to_vec(), ..times(Some(5), Some(50), Some(35)) },
            known("0.010500000", WebhookReceipt),
        ),
        ("every time skewed", times(Some(99), Some(98), Some(-97)), unknown(Some("0.020000000"))),
        ("another class", Told { resource: Some("BIG"), ..whole.clone() }, known("0.050000000", ProviderRun)),
        ("a class without a price", Told { resource: Some("NEW"), ..whole }, unknown(None)),
        ("counted by the service", used(Unit::Second, "7.5"), known("0.003750000", Reported)),
        ("counted in another unit", used(Unit::Credit, "7"), unknown(Some("0.150000000"))),
        ("counted below nothing", used(Unit::Second, "-7.5"), unknown(Some("0.150000000"))),
    ]
}

/// The other models, by what the service counted.
fn by_what_is_counted() -> Vec<(&'static str, Told, Cost)> {
    use UsageBasis::{Estimated, Reported};
    let used = |amounts: &[(Unit, &str)]| {
        let mut usage = Usage::not_run();
        usage.amounts = amounts.iter().map(|(unit, n)| (*unit, n.parse().unwrap())).collect::<BTreeMap<_, _>>();
        usage.basis = Reported;
        Told { usage: Some(usage), ..Told::default() }
    };
    vec![
        ("request", Told::default(), known("0.040000000", Reported)),
        ("token", used(&[(Unit::InputToken, "1000"), (Unit::OutputToken, "200")]), known("0.000045000", Reported)),
        ("token", used(&[(Unit::OutputToken, "200")]), unknown(None)),
        ("token", used(&[(Unit::InputToken, "1000"), (Unit::OutputToken, "-200")]), unknown(None)),
        ("token", Told::default(), unknown(None)),
        ("credit", used(&[(Unit::Credit, "3")]), known("0.015000000", Reported)),
        ("credit", Told::default(), unknown(None)),
        ("table", used(&[(Unit::Credit, "3.5")]), known("0.017500000", Reported)),
        ("table", Told::default(), known("0.020000000", Estimated)),
        ("free", Told::default(), known("0.000000000", Reported)),
    ]
}

fn check(case: &str, told: &Told, done: &TaskRecord, expected: Cost) {
    let settlement = done.state.settlement.as_ref().unwrap();
    let text = |usd: Option<stationthis_core::Usd>| usd.map(|usd| usd.to_string());
    let seen = (text(settlement.cost_usd), settlement.basis, text(settlement.bound_usd));
    assert_eq!(seen, (expected.0.map(str::to_owned), expected.1, expected.2.map(str::to_owned)), "{case}: {told:?}");
    assert_eq!(done.state.cost_usd, settlement.cost_usd, "{case}");
    let changed = matches!(told.resource, Some("BIG" | "NEW"));
    assert_eq!(done.state.flags.contains(&Flag::ResourceChanged), changed, "{case}");
    let json = serde_json::to_value(done).unwrap();
    assert_eq!(json.get("costUsd").and_then(|cost| cost.as_str()), expected.0, "{case}: unknown is absent, not zero");
}

/// I6.
#[tokio::test]
async fn i06_a_cost_is_known_or_unknown_with_a_bound() {
    for (case, told, expected) in by_the_second() {
        check(case, &told, &run("second", told.clone()).await, expected);
    }
    for (model, told, expected) in by_what_is_counted() {
        check(model, &told, &run(model, told.clone()).await, expected);
    }
}

/// Priced by a table at 4 credits of 0.005 USD: what a run costs that did not give what was asked for.
#[tokio::test]
async fn a_table_prices_only_what_ended_well() {
    let reported = |credits: i64| Some(Usage::of(Unit::Credit, credits.into(), UsageBasis::Reported));
    for (end, usage, expected) in [
        (RunStatus::Failed, None, unknown(Some("0.020000000"))),
        (RunStatus::Cancelled, None, unknown(Some("0.020000000"))),
        (RunStatus::Failed, reported(0), known("0.000000000", UsageBasis::Reported)),
        (RunStatus::Failed, reported(1), known("0.005000000", UsageBasis::Reported)),
        (RunStatus::Succeeded, reported(0), known("0.000000000", UsageBasis::Reported)),
    ] {
        let told = Told { usage, ..Told::default() };
        check("table", &told, &ended("table", told.clone(), end).await, expected);
    }
}
