//! How many units a tool's table gives for some inputs.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::tool::{TableRow, condition};

/// What the first matching row says, and every matching add-on on top; `None` where nothing says it: no row matches, or
/// the number by which one is multiplied is not there.
pub(crate) fn amount(rows: &[TableRow], addons: &[TableRow], inputs: &Map<String, Value>) -> Option<Decimal> {
    let matches = |row: &&TableRow| condition::holds(&row.when, inputs);
    let base = rows.iter().find(matches)?;
    // None of what a run is priced by (no seconds: "as long as the service likes") is no price of zero.
    let base = of(base, inputs).filter(|amount| base.times.is_none() || !amount.is_zero() || base.amount.is_zero())?;
    let whole = addons.iter().filter(matches).try_fold(base, |sum, addon| sum.checked_add(of(addon, inputs)?))?;
    // Rebates that are more than the price are a mistake in the table.
    (whole >= Decimal::ZERO).then_some(whole)
}

fn of(row: &TableRow, inputs: &Map<String, Value>) -> Option<Decimal> {
    match &row.times {
        Some(input) => row.amount.checked_mul(condition::count(inputs.get(input))?),
        None => Some(row.amount),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(when: &Value, amount: &str) -> TableRow {
        TableRow::new(when.as_object().unwrap().clone(), amount.parse().unwrap())
    }

    fn check(rows: &[TableRow], addons: &[TableRow], inputs: &Value, expected: Option<&str>) {
        let amount = amount(rows, addons, inputs.as_object().unwrap());
        assert_eq!(amount.map(|amount| amount.normalize().to_string()).as_deref(), expected, "{inputs}");
    }

    #[test]
    fn a_film_is_priced_by_its_seconds_and_its_extras() {
        let rows = [
            row(&json!({ "size": "720p", "offPeak": true }), "5.5").times("seconds"),
            row(&json!({ "size": "720p" }), "11").times("seconds"),
            row(&json!({ "size": "flat" }), "80"),
        ];
        let addons = [row(&json!({ "sound": true }), "15"), row(&json!({ "views": { "min": 1 } }), "5").times("views")];
        let film = |more: Value| {
            let mut inputs = json!({ "size": "720p", "seconds": 6, "offPeak": false, "sound": false });
            inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            inputs
        };
        for (more, expected) in [
            (json!({}), Some("66")),
            (json!({ "offPeak": true }), Some("33")),
            (json!({ "seconds": 0.5, "offPeak": true }), Some("2.75")),
            (json!({ "sound": true }), Some("81")),
            (json!({ "sound": true, "views": ["a", "b"] }), Some("91")),
            (json!({ "views": [] }), Some("66")),
            (json!({ "size": "flat", "seconds": 0 }), Some("80")),
            (json!({ "size": "4K" }), None),
            (json!({ "seconds": 0 }), None),
            (json!({ "seconds": null }), None),
            (json!({ "seconds": "6" }), None),
            (json!({ "seconds": 1e28 }), None),
        ] {
            check(&rows, &addons, &film(more), expected);
        }
        // An add-on whose number is missing leaves the whole unknown.
        check(&rows, &[row(&json!({}), "5").times("views")], &film(json!({})), None);
        check(&rows, &[row(&json!({}), "-6")], &film(json!({})), Some("60"));
        check(&rows, &[row(&json!({}), "-67")], &film(json!({})), None);
    }

    #[test]
    fn what_costs_nothing_costs_nothing() {
        check(&[row(&json!({}), "0")], &[], &json!({}), Some("0"));
        check(&[row(&json!({}), "0").times("seconds")], &[], &json!({ "seconds": 0 }), Some("0"));
    }
}
