//! `stationthis costs`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use stationthis_core::store::Total;
use stationthis_core::{Error, ErrorKind, Result, ToolId, Usd};

use crate::cli::operate::{CostsArgs, CostsBy};
use crate::config::Config;
use crate::costs::{Costs, Span};
use crate::face::summary;
use crate::output::table::columns;

/// The longest bar, in characters: with the rest it fits into eighty columns.
const BAR_CHARS: i64 = 24;

/// Prints what ended tasks cost.
///
/// # Errors
/// As [`Desk::costs`](crate::desk::Desk::costs).
pub async fn costs(config: &Config, args: &CostsArgs) -> anyhow::Result<()> {
    let span = if args.by.contains(&CostsBy::Day) { Span::Day } else { Span::Month };
    let desk = super::open(config, &args.station).await?;
    let costs = desk.costs(args.month.clone(), span, args.all).await;
    // Without them ids are shown, which is no reason to show nothing.
    let slugs = if args.station.json { BTreeMap::new() } else { desk.slugs().await.unwrap_or_default() };
    desk.close().await?;
    let costs = costs?;
    if args.station.json {
        anstream::println!("{:#}", json!(grouped(&costs, &args.by)?));
    } else {
        anstream::println!("{}", chart(&costs, &args.by, &slugs)?);
    }
    Ok(())
}

/// One sum.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sum {
    tasks: u64,
    cost_usd: Usd,
    unknown: u64,
}

/// A sum, and what it is of.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    of: BTreeMap<&'static str, String>,
    #[serde(flatten)]
    sum: Sum,
}

#[derive(Serialize)]
struct Grouped {
    totals: Vec<Row>,
    #[serde(flatten)]
    whole: Sum,
}

/// Adds up what has the same key.
fn sums<K: Ord>(costs: &Costs, key: impl Fn(&Total) -> K) -> Result<BTreeMap<K, Sum>> {
    let mut sums: BTreeMap<K, Sum> = BTreeMap::new();
    for total in &costs.totals {
        let sum = sums.entry(key(total)).or_default();
        let too_large = || Error::new(ErrorKind::Corrupt, "add up costs").with_message("The sum is out of range.");
        sum.tasks += total.tasks;
        sum.unknown += total.unknown;
        sum.cost_usd = sum.cost_usd.checked_add(total.cost_usd).ok_or_else(too_large)?;
    }
    Ok(sums)
}

/// The same form as the host's [`Costs`], with sums of what is asked for.
fn grouped(costs: &Costs, by: &[CostsBy]) -> Result<Grouped> {
    let of = |total: &Total| by.iter().map(|part| field(total, *part)).collect();
    let totals = sums(costs, of)?.into_iter().map(|(of, sum)| Row { of, sum }).collect();
    Ok(Grouped { totals, whole: whole(costs) })
}

const fn whole(costs: &Costs) -> Sum {
    Sum { tasks: costs.tasks, cost_usd: costs.cost_usd, unknown: costs.unknown }
}

/// A field of [`Total`], and its value.
fn field(total: &Total, part: CostsBy) -> (&'static str, String) {
    match part {
        CostsBy::Day => total.day.clone().map_or_else(|| ("month", total.month.clone()), |day| ("day", day)),
        CostsBy::Month => ("month", total.month.clone()),
        CostsBy::Caller => ("caller", total.caller.to_string()),
        CostsBy::Tool => ("toolId", total.tool_id.to_string()),
    }
}

/// A line for each sum with a bar beside it, and the whole below.
fn chart(costs: &Costs, by: &[CostsBy], slugs: &BTreeMap<ToolId, String>) -> Result<String> {
    let labels = |total: &Total| by.iter().map(|part| label(total, *part, slugs)).collect::<Vec<_>>();
    let sums = sums(costs, labels)?;
    let largest = sums.values().map(|sum| sum.cost_usd).max().unwrap_or_default();
    let rows = sums.into_iter().map(|(labels, sum)| row(labels, &sum, bar(sum.cost_usd, largest)));
    let mut labels = vec![String::new(); by.len()];
    if let Some(first) = labels.first_mut() {
        "all".clone_into(first);
    }
    let all = row(labels, &whole(costs), String::new());
    let headings = by.iter().map(|part| heading(*part)).chain(["TASKS", "UNKNOWN", "COST", ""]);
    Ok(columns(headings, rows.chain([all])).trim_fmt())
}

fn row(labels: Vec<String>, sum: &Sum, bar: String) -> Vec<String> {
    let mut cells = labels;
    cells.extend([sum.tasks.to_string(), sum.unknown.to_string(), summary::exact(sum.cost_usd), bar]);
    cells
}

const fn heading(part: CostsBy) -> &'static str {
    match part {
        CostsBy::Day => "DAY (UTC)",
        CostsBy::Month => "MONTH (UTC)",
        CostsBy::Caller => "CALLER",
        CostsBy::Tool => "TOOL",
    }
}

fn label(total: &Total, part: CostsBy, slugs: &BTreeMap<ToolId, String>) -> String {
    match part {
        // What was forgotten by an early version is known by its month.
        CostsBy::Day => total.day.clone().unwrap_or_else(|| format!("{} (whole)", total.month)),
        CostsBy::Month => total.month.clone(),
        CostsBy::Caller => total.caller.to_string(),
        CostsBy::Tool => slugs.get(&total.tool_id).cloned().unwrap_or_else(|| total.tool_id.to_string()),
    }
}

/// As long as the amount is large beside the largest, to half a character; what costs anything has a bar.
fn bar(amount: Usd, largest: Usd) -> String {
    if amount.nanos() <= 0 {
        return String::new();
    }
    let halves = i128::from(amount.nanos()) * i128::from(2 * BAR_CHARS) / i128::from(largest.nanos().max(1));
    let halves = usize::try_from(halves).unwrap_or_default().max(1);
    format!("{}{}", "█".repeat(halves / 2), if halves.is_multiple_of(2) { "" } else { "▌" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(day: &str, caller: &str, tool: &str, cost: &str) -> Total {
        Total {
            month: day[..7].to_owned(),
            day: (day.len() > 7).then(|| day.to_owned()),
            caller: caller.parse().unwrap(),
            tool_id: tool.parse().unwrap(),
            tasks: 2,
            cost_usd: cost.parse().unwrap(),
            unknown: u64::from(cost == "0"),
        }
    }

    fn costs() -> Costs {
        let totals = vec![
            total("2026-10", "ada", "comfydeploy:a", "0.5"),
            total("2026-11-24", "ada", "comfydeploy:a", "1.000000001"),
            total("2026-11-24", "bob", "comfydeploy:b", "0"),
            total("2026-11-25", "ada", "comfydeploy:b", "0.25"),
        ];
        Costs { tasks: 8, unknown: 1, cost_usd: "1.750000001".parse().unwrap(), totals }
    }

    #[test]
    fn sums_are_of_what_is_asked_for_with_bars() {
        let by = [vec![CostsBy::Day], vec![CostsBy::Month], vec![CostsBy::Caller, CostsBy::Tool]];
        let slugs = BTreeMap::from([("comfydeploy:a".parse().unwrap(), "portrait".to_owned())]);
        let charts: Vec<String> = by.iter().map(|by| chart(&costs(), by, &slugs).unwrap()).collect();
        insta::assert_snapshot!(charts.join("\n\n"));
    }

    #[test]
    fn programs_are_given_the_same_sums() {
        let check = |by: &[CostsBy], expected: serde_json::Value| {
            let grouped = json!(grouped(&costs(), by).unwrap());
            assert_eq!(grouped["totals"], expected);
            let whole = json!({ "tasks": 8, "unknown": 1, "costUsd": "1.750000001" });
            assert!(whole.as_object().unwrap().iter().all(|(name, value)| grouped[name] == *value), "{grouped}");
        };
        check(
            &[CostsBy::Caller],
            json!([
                { "caller": "ada", "tasks": 6, "costUsd": "1.750000001", "unknown": 0 },
                { "caller": "bob", "tasks": 2, "costUsd": "0.000000000", "unknown": 1 },
            ]),
        );
        // What is known by its month alone stands beside the days.
        check(
            &[CostsBy::Day, CostsBy::Tool],
            json!([
                { "day": "2026-11-24", "toolId": "comfydeploy:a", "tasks": 2, "costUsd": "1.000000001", "unknown": 0 },
                { "day": "2026-11-24", "toolId": "comfydeploy:b", "tasks": 2, "costUsd": "0.000000000", "unknown": 1 },
                { "day": "2026-11-25", "toolId": "comfydeploy:b", "tasks": 2, "costUsd": "0.250000000", "unknown": 0 },
                { "month": "2026-10", "toolId": "comfydeploy:a", "tasks": 2, "costUsd": "0.500000000", "unknown": 0 },
            ]),
        );
    }

    #[test]
    fn a_bar_is_as_long_as_its_part() {
        let usd = |text: &str| text.parse::<Usd>().unwrap();
        assert_eq!(bar(usd("1"), usd("1")).chars().count(), 24);
        assert_eq!(bar(usd("0.5"), usd("1")), "█".repeat(12));
        assert_eq!(bar(usd("0.000000001"), usd("1000")), "▌");
        assert_eq!((bar(Usd::ZERO, usd("1")), bar(Usd::ZERO, Usd::ZERO)), (String::new(), String::new()));
    }
}
