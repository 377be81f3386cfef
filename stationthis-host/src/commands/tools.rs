//! `stationthis tools`.

use serde_json::{Value, json};

use crate::cli::ToolsArgs;
use crate::commands::report::line;
use crate::config::Config;
use crate::face::summary::rate_text;
use crate::output::exactly_once_text;
use crate::output::table::table;
use crate::view::ToolView;

/// Prints the tools with their prices, or one with its inputs.
///
/// # Errors
/// As [`Desk::tools`](crate::desk::Desk::tools).
pub async fn tools(config: &Config, args: &ToolsArgs) -> anyhow::Result<()> {
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
        [definition.slug.clone(), name, price(tool), inputs(tool).collect::<Vec<_>>().join(", ")]
    });
    anstream::println!("{}", table(["TOOL", "NAME", "PRICE", "INPUTS"], rows).trim_fmt());
}

fn print_one(tool: &ToolView) {
    let definition = &tool.definition;
    line("tool", &format!("{} ({})", definition.slug, definition.display_name));
    line("id", definition.tool_id.as_str());
    if !definition.description.is_empty() {
        line("about", &definition.description);
    }
    line("price", &price(tool));
    if let Some(reason) = &tool.unpriced {
        line("", reason);
    }
    line("lost", exactly_once_text(definition.exactly_once));
    let schema = definition.input_schema.to_value();
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let rows = properties.into_iter().flatten().map(|(name, property)| {
        let text = |key: &str| property.get(key).map(plain).unwrap_or_default();
        let must = required.is_some_and(|names| names.iter().any(|required| required == name));
        let default = if must { "required".to_owned() } else { text("default") };
        [name.clone(), text("type"), default, text("description")]
    });
    anstream::println!("{}", table(["INPUT", "TYPE", "DEFAULT", ""], rows).trim_fmt());
}

fn price(tool: &ToolView) -> String {
    tool.rate.as_ref().map_or_else(|| "unpriced".to_owned(), rate_text)
}

fn inputs(tool: &ToolView) -> impl Iterator<Item = String> {
    let schema = tool.definition.input_schema.to_value();
    let names = schema.get("properties").and_then(Value::as_object).map(|p| p.keys().cloned().collect::<Vec<_>>());
    names.unwrap_or_default().into_iter()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
