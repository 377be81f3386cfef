//! `stationthis tools`.

use serde_json::json;
use stationthis_core::registry::{Impact, LastChange, ToolRef};

use crate::cli::{StationArgs, ToolsArgs, ToolsCommand};
use crate::commands::report::line;
use crate::config::Config;
use crate::face::input::Fields;
use crate::face::summary;
use crate::output::exactly_once_text;
use crate::output::table::table;
use crate::view::ToolView;

/// Prints the tools with their prices, or one with its inputs.
///
/// # Errors
/// As [`Desk::tools`](crate::desk::Desk::tools).
pub async fn tools(config: &Config, args: &ToolsArgs) -> anyhow::Result<()> {
    if let Some(ToolsCommand::Diff { station }) = &args.command {
        return diff(config, station).await;
    }
    let desk = super::open(config, &args.station).await?;
    let found = match &args.tool {
        Some(name) => desk.tool(name).await.map(|tool| vec![tool]),
        None => desk.tools().await,
    };
    desk.close().await?;
    let found = found?;
    match (args.station.json, &args.tool, found.as_slice()) {
        (true, Some(_), [tool]) => anstream::println!("{:#}", serde_json::to_value(tool)?),
        (true, ..) => anstream::println!("{:#}", json!({ "tools": found })),
        (false, Some(_), [tool]) => print_one(tool),
        (false, ..) => print_all(&found),
    }
    Ok(())
}

/// One line per tool.
pub(super) fn print_all(tools: &[ToolView]) {
    let rows = tools.iter().map(|tool| {
        let definition = &tool.definition;
        let name =
            if tool.stale { format!("{} (stale)", definition.display_name) } else { definition.display_name.clone() };
        [definition.slug.clone(), name, summary::price(tool), inputs(tool)]
    });
    anstream::println!("{}", table(["TOOL", "NAME", "PRICE", "INPUTS"], rows).trim_fmt());
}

/// Prints what the last refresh changed.
async fn diff(config: &Config, station: &StationArgs) -> anyhow::Result<()> {
    let desk = super::open(config, station).await?;
    let change = desk.last_change().await;
    desk.close().await?;
    let change = change?;
    if station.json {
        anstream::println!("{:#}", json!({ "change": change }));
    } else {
        anstream::println!("{}", change.map_or_else(|| "nothing has changed yet".to_owned(), |change| told(&change)));
    }
    Ok(())
}

/// A line for each tool: what came, what went, what is different.
fn told(change: &LastChange) -> String {
    let named = |tool: &ToolRef| format!("{} ({})", tool.slug, tool.display_name);
    let mut lines = vec![format!("changed at {}", change.at)];
    lines.extend(change.added.iter().map(|tool| format!("+ {}", named(tool))));
    lines.extend(change.removed.iter().map(|tool| format!("- {}", named(tool))));
    for changed in &change.changed {
        let impact = match changed.impact {
            Impact::Compatible => "compatible",
            Impact::Breaking => "BREAKING",
        };
        let mut facts = vec![impact.to_owned()];
        facts.extend(changed.renamed_from.as_ref().map(|from| format!("was {from}")));
        let inputs = [
            ("new inputs", &changed.inputs_added),
            ("inputs gone", &changed.inputs_removed),
            ("inputs changed", &changed.inputs_changed),
        ];
        let inputs = inputs.into_iter().filter(|(_, names)| !names.is_empty());
        facts.extend(inputs.map(|(word, names)| format!("{word}: {}", names.join(", "))));
        lines.push(format!("~ {}: {}", named(&changed.tool), facts.join("; ")));
    }
    lines.join("\n")
}

fn print_one(tool: &ToolView) {
    let definition = &tool.definition;
    line("tool", &format!("{} ({})", definition.slug, definition.display_name));
    line("id", definition.tool_id.as_str());
    if !definition.description.is_empty() {
        line("about", &definition.description);
    }
    line("price", &summary::price(tool));
    if let Some(reason) = &tool.unpriced {
        line("", reason);
    }
    if let Some(typical) = tool.typical_duration() {
        line("time", &summary::typical_time(typical));
    }
    line("lost", exactly_once_text(definition.exactly_once));
    let fields = Fields::of(definition);
    let rows = fields.iter().map(|field| {
        let default = if field.required { "required".to_owned() } else { field.default_text().unwrap_or_default() };
        [field.name.clone(), field.hint(), default, field.description.clone()]
    });
    anstream::println!("{}", table(["INPUT", "TAKES", "DEFAULT", ""], rows).trim_fmt());
}

fn inputs(tool: &ToolView) -> String {
    Fields::of(&tool.definition).iter().map(|field| field.name.clone()).collect::<Vec<_>>().join(", ")
}
