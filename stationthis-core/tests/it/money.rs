//! Money: exact products, parts that add up, and one function for quotes and settlements.

use proptest::prelude::*;
use serde_json::Map;
use stationthis_core::cost::{
    CardCostModel, CostModel, PinnedRate, RateCard, RateKey, Settlement, Unit, Usage, UsageBasis,
};
use stationthis_core::testkit::ScriptedProvider;
use stationthis_core::tool::{CostingModel, TableRow};
use stationthis_core::{Price, ToolDefinition, Usd};

/// A decimal of these digits with so many places, and its text. Written by hand, so that it shares no code with what
/// is tested.
fn decimal(digits: u64, places: u32) -> String {
    let text = format!("{digits:0>width$}", width = places as usize + 1);
    let (whole, fraction) = text.split_at(text.len() - places as usize);
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// `a × b` in nano-dollars, half away from zero, in whole numbers alone.
fn product(a: (u64, u32), b: (u64, u32)) -> u128 {
    let exact = u128::from(a.0) * u128::from(b.0);
    match a.1 + b.1 {
        places @ ..=9 => exact * 10_u128.pow(9 - places),
        places => {
            let unit = 10_u128.pow(places - 9);
            exact / unit + u128::from(exact % unit * 2 >= unit)
        }
    }
}

fn tool(model: CostingModel) -> ToolDefinition {
    let mut tool = ScriptedProvider::new().unwrap().tool().unwrap();
    tool.costing_model = model;
    tool
}

fn pinned(model: CostingModel, card: &RateCard) -> (ToolDefinition, PinnedRate) {
    let tool = tool(model);
    let rate = CardCostModel::default().rate(&tool, card).unwrap();
    (tool, rate)
}

fn card(price: Price, out: Price, unit: Unit) -> RateCard {
    let key = |name: &str| RateKey::Tool(format!("scripted:{name}"));
    RateCard::new("test").with(key("echo"), price, unit).with(key("echo/out"), out, Unit::OutputToken)
}

fn settled(rate: &PinnedRate, card: &RateCard, usage: &Usage) -> Settlement {
    let settlement = CardCostModel::default().settle(rate, card, usage);
    let text = serde_json::to_string(&settlement).unwrap();
    assert_eq!(serde_json::from_str::<Settlement>(&text).unwrap(), settlement, "text keeps every digit");
    settlement
}

/// What one run of each model costs, beside what was quoted for that very usage.
fn check_quote(model: CostingModel, unit: Unit, amount: &str, price: Price) -> Usd {
    let card = card(price, price, unit);
    let (tool, rate) = pinned(model, &card);
    let usage = Usage::of(unit, amount.parse().unwrap(), UsageBasis::Reported);
    let quote = CardCostModel::default().quote(&rate, &tool, &Map::new(), Some(&usage));
    let settlement = settled(&rate, &card, &usage);
    assert_eq!(quote.expected_usd, settlement.cost_usd, "{unit:?}: quoted and settled differ");
    settlement.cost_usd.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// I7.
    #[test]
    fn i07_money_is_exact_and_its_parts_add_up(
        amount in (0_u64..4_000_000_000, 0_u32..=6),
        price in prop_oneof![(0_u64..1_000_000, 0_u32..=12), (any::<u64>(), 10_u32..=28)],
        out in (0_u64..4_000_000_000, 0_u64..1_000_000),
    ) {
        let text = decimal(amount.0, amount.1);
        let per: Price = decimal(price.0, price.1).parse().unwrap();
        let exact = product(amount, price);
        let cost = Usd::of(text.parse().unwrap(), per);
        let Ok(exact) = i64::try_from(exact) else {
            prop_assert_eq!(cost, None, "out of range is no number");
            return Ok(());
        };
        prop_assert_eq!(cost.map(Usd::nanos), Some(exact));
        prop_assert_eq!(cost.unwrap().to_string(), decimal(exact.unsigned_abs(), 9));
        prop_assert_eq!(cost.unwrap().to_string().parse::<Usd>().unwrap(), cost.unwrap());

        // Quote and settlement are one function, for every model that can be quoted.
        let by_second = CostingModel::PerSecond { resource: None, machine: None };
        let row = TableRow::new(Map::new(), text.parse().unwrap());
        let table = CostingModel::Table { unit: Unit::Credit, rows: vec![row], addons: vec![] };
        for (model, unit) in [(by_second, Unit::Second), (CostingModel::PerCredit, Unit::Credit),
            (table, Unit::Credit), (CostingModel::PerToken, Unit::InputToken)] {
            prop_assert_eq!(check_quote(model, unit, &text, per), cost.unwrap());
        }
        prop_assert_eq!(check_quote(CostingModel::PerRequest, Unit::Request, "1", per).nanos(), i64::try_from(product((1, 0), price)).unwrap());

        // What went in and what came out, each rounded once, add up to the whole.
        let per_out: Price = decimal(out.1, 12).parse().unwrap();
        let card = card(per, per_out, Unit::InputToken);
        let (_, rate) = pinned(CostingModel::PerToken, &card);
        let mut usage = Usage::of(Unit::InputToken, text.parse().unwrap(), UsageBasis::Reported);
        usage.amounts.insert(Unit::OutputToken, out.0.into());
        let parts = exact.checked_add(i64::try_from(product((out.0, 0), (out.1, 12))).unwrap());
        prop_assert_eq!(settled(&rate, &card, &usage).cost_usd.map(Usd::nanos), parts);
    }
}
