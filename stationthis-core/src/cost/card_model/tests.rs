use serde_json::json;

use super::*;
use crate::id::{ProviderId, ToolId};
use crate::tool::{TableRow, TimeoutRow};

fn tool(model: CostingModel) -> ToolDefinition {
    let provider = ProviderId::new("p").unwrap();
    let mut tool = ToolDefinition::new(ToolId::new("p:t").unwrap(), provider, "service", "A tool");
    tool.costing_model = model;
    tool
}

fn key(text: &str) -> RateKey {
    text.parse().unwrap()
}

fn card(rates: &[(&str, &str, Unit)]) -> RateCard {
    rates
        .iter()
        .fold(RateCard::new("test"), |card, (name, price, unit)| card.with(key(name), price.parse().unwrap(), *unit))
}

fn by_second() -> CostingModel {
    CostingModel::PerSecond { resource: Some("GPU".to_owned()), machine: Some("m1".to_owned()) }
}

fn seconds(n: i64) -> Usage {
    Usage::of(Unit::Second, n.into(), UsageBasis::ProviderRun)
}

#[test]
fn the_most_specific_entry_in_the_right_unit_is_pinned() {
    let all = [
        ("resource:GPU", "1", Unit::Second),
        ("machine:m1", "2", Unit::Second),
        ("tool:p:t", "3", Unit::Second),
        ("resource:service", "4", Unit::Credit),
    ];
    let model = CardCostModel::new(card(&all));
    assert_eq!(model.builtin_card(), card(&all));
    for (known, wanted) in [(3, "tool:p:t"), (2, "machine:m1"), (1, "resource:GPU")] {
        let rate = model.rate(&tool(by_second()), &card(&all[..known])).unwrap();
        assert_eq!((rate.key, rate.amount.to_string(), rate.unit), (key(wanted), known.to_string(), Unit::Second));
        assert_eq!(rate.resource.as_deref(), Some("GPU"));
    }
    let credit = model.rate(&tool(CostingModel::PerCredit), &card(&all)).unwrap();
    assert_eq!((credit.key, credit.resource), (key("resource:service"), None));
}

#[test]
fn without_an_entry_it_is_unpriced_in_so_many_words() {
    let rows = vec![TableRow::new(Map::new(), Decimal::ONE)];
    let credits = CostingModel::Table { unit: Unit::Credit, rows, addons: Vec::new() };
    for (model, unit) in [
        (by_second(), "second"),
        (CostingModel::PerRequest, "request"),
        (CostingModel::PerToken, "token"),
        (CostingModel::PerCredit, "credit"),
        (credits, "credit"),
    ] {
        // An output token is not what such a tool is priced by.
        let card = card(&[("tool:p:t", "1", Unit::OutputToken)]);
        let error = CardCostModel::default().rate(&tool(model), &card).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unpriced);
        let message = error.message().unwrap();
        assert!(message.contains(&format!("no known price per {unit}: give one for any of tool:p:t")), "{message}");
    }
}

#[test]
fn a_settlement_says_how_it_came_about() {
    let card = card(&[("resource:GPU", "0.5", Unit::Second), ("resource:BIG", "2", Unit::Second)]);
    let rate = CardCostModel::default().rate(&tool(by_second()), &card).unwrap();
    let settle = |usage: Usage| CardCostModel::default().settle(&rate, &card, &usage);
    let plain = settle(seconds(4));
    assert_eq!((plain.amount, plain.unit), (Some(4.into()), Some(Unit::Second)));
    assert_eq!((plain.rate.unwrap().to_string(), plain.resource.as_deref()), ("0.5".to_owned(), Some("GPU")));
    assert!(!plain.resource_changed && plain.cost_usd == "2".parse().ok());
    let same = settle(seconds(4).on(Some("GPU".to_owned())));
    assert_eq!(same, plain);
    let elsewhere =
        CardCostModel::default().settle(&rate, &RateCard::new("empty"), &seconds(4).on(Some("GPU".to_owned())));
    assert_eq!(elsewhere.cost_usd, same.cost_usd, "what was pinned holds for what was quoted");
    let other = settle(seconds(4).on(Some("BIG".to_owned())));
    assert_eq!((other.resource.as_deref(), other.resource_changed), (Some("BIG"), true));
    assert_eq!((other.rate.unwrap().to_string(), other.cost_usd), ("2".to_owned(), "8".parse().ok()));
    let unpriced = settle(seconds(4).on(Some("NEW".to_owned())));
    assert_eq!((unpriced.cost_usd, unpriced.rate, unpriced.bound_usd), (None, None, None));
    let bounded = settle(Usage::unknown(Some(6.into())));
    assert_eq!((bounded.cost_usd, bounded.bound_usd), (None, "3".parse().ok()));
    let none = settle(Usage::not_run());
    assert_eq!(none, Settlement::known(Usd::ZERO, UsageBasis::NotRun));
}

#[test]
fn a_price_for_the_machine_holds_whatever_class_it_used() {
    let card = card(&[("machine:m1", "0.5", Unit::Second), ("resource:BIG", "2", Unit::Second)]);
    let rate = CardCostModel::default().rate(&tool(by_second()), &card).unwrap();
    let settled = CardCostModel::default().settle(&rate, &card, &seconds(4).on(Some("BIG".to_owned())));
    assert_eq!((settled.cost_usd, settled.resource_changed), ("2".parse().ok(), true));
    // Where no class was quoted, none has changed.
    let unnamed = tool(CostingModel::PerSecond { resource: None, machine: Some("m1".to_owned()) });
    let rate = CardCostModel::default().rate(&unnamed, &card).unwrap();
    let settled = CardCostModel::default().settle(&rate, &card, &seconds(4).on(Some("BIG".to_owned())));
    assert!(!settled.resource_changed && settled.resource.as_deref() == Some("BIG"));
}

#[test]
fn only_time_bounds_a_cost_and_only_tokens_come_in_two_parts() {
    let card = card(&[("tool:p:t", "1", Unit::Credit), ("tool:p:t/out", "5", Unit::OutputToken)]);
    let rate = CardCostModel::default().rate(&tool(CostingModel::PerCredit), &card).unwrap();
    let settle = |usage: Usage| CardCostModel::default().settle(&rate, &card, &usage);
    assert_eq!(settle(Usage::unknown(Some(6.into()))).bound_usd, None, "seconds are no credits");
    let mut usage = Usage::of(Unit::Credit, 2.into(), UsageBasis::Reported);
    usage.amounts.insert(Unit::OutputToken, 7.into());
    assert_eq!(settle(usage).cost_usd, "2".parse().ok(), "credits are not tokens");
}

/// What is expected, and the most, of a tool with a run timeout of 300 s.
fn check_quote(model: CostingModel, unit: Unit, typical: Option<&Usage>, expected: [Option<&str>; 2], basis: &str) {
    let mut tool = tool(model);
    tool.limits.run_timeout_s = Some(300);
    let card = card(&[("tool:p:t", "2", unit)]);
    let rate = PinnedRate::new(
        card.rates[&key("tool:p:t")].amount,
        unit,
        None,
        key("tool:p:t"),
        "test".to_owned(),
        card.hash(),
    );
    let inputs = json!({ "size": "big" }).as_object().unwrap().clone();
    let quote = CardCostModel::default().quote(&rate, &tool, &inputs, typical);
    let expected = expected.map(|usd| usd.map(|usd| usd.parse::<Usd>().unwrap()));
    assert_eq!([quote.expected_usd, quote.ceiling_usd], expected, "{}", quote.basis);
    assert!(quote.basis.contains(basis), "{}", quote.basis);
}

#[test]
fn quotes_say_what_is_expected_and_the_most_it_can_be() {
    let row = |when: Value, amount: i64| TableRow::new(when.as_object().unwrap().clone(), amount.into());
    let table = |rows| CostingModel::Table { unit: Unit::Credit, rows, addons: Vec::new() };
    let big = vec![row(json!({ "size": "small" }), 1), row(json!({ "size": "big" }), 4), row(json!({}), 9)];
    check_quote(by_second(), Unit::Second, Some(&seconds(4)), [Some("8"), Some("600")], "took 4 s; a run is ended");
    check_quote(by_second(), Unit::Second, None, [None, Some("600")], "no earlier run to go by; a run is ended");
    // A price for each run of a tool that otherwise goes by the second.
    check_quote(by_second(), Unit::Request, Some(&seconds(4)), [Some("2"), Some("2")], "a fixed price");
    check_quote(table(big), Unit::Credit, None, [Some("8"), Some("8")], "table");
    check_quote(table(vec![row(json!({ "size": "small" }), 1)]), Unit::Credit, None, [None, None], "no row");
    let credits = Usage::of(Unit::Credit, 3.into(), UsageBasis::Estimated);
    check_quote(CostingModel::PerCredit, Unit::Credit, Some(&credits), [Some("6"), None], "earlier runs");
    check_quote(CostingModel::PerCredit, Unit::Credit, None, [None, None], "earlier runs");
    check_quote(CostingModel::Free, Unit::Request, None, [Some("0"), Some("0")], "free");
    check_quote(CostingModel::PerRequest, Unit::Request, None, [Some("2"), Some("2")], "a fixed price");
}

#[test]
fn the_ceiling_follows_a_run_timeout_by_inputs() {
    let mut tool = tool(by_second());
    tool.limits.run_timeout_s = Some(300);
    let off_peak = json!({ "offPeak": true });
    tool.limits.run_timeout_when = vec![TimeoutRow::new(off_peak.as_object().unwrap().clone(), 172_800)];
    let card = card(&[("tool:p:t", "2", Unit::Second)]);
    let rate = CardCostModel::default().rate(&tool, &card).unwrap();
    for (inputs, ceiling) in [(off_peak, "345600"), (json!({ "offPeak": false }), "600"), (json!({}), "600")] {
        let quote = CardCostModel::default().quote(&rate, &tool, inputs.as_object().unwrap(), None);
        assert_eq!(quote.ceiling_usd, ceiling.parse().ok(), "{inputs}");
    }
}
