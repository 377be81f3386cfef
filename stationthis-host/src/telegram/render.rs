//! What the bot says, in words. Plain text throughout: nothing that anybody wrote is ever read as markup.

use std::time::Duration;

use stationthis_core::ToolDefinition;
use stationthis_core::station::Caller;
use stationthis_core::task::TaskRecord;
use stationthis_core::task::state::TaskStatus;
use stationthis_core::tool::naming::telegram_command;

use crate::costs::Costs;
use crate::face::chat::free_text;
use crate::face::input::{Field, Fields};
use crate::face::summary;
use crate::telegram::answer;
use crate::telegram::menu::{FIXED, Menu, command_reason};
use crate::telegram::text::{MESSAGE_MAX, cut, cut_lines};
use crate::view::ToolView;

/// The most of a default that is shown: a line on a telephone or two.
const DEFAULT_MAX: usize = 120;
/// The most of what a tool or an input is said to do.
const DESCRIPTION_MAX: usize = 400;
/// A line about a task: ten of them make a message.
const LINE_MAX: usize = 400;
/// What a service says that it is doing, as a part of a line.
const LIVE_MAX: usize = 60;

/// How far a task is. Of its end this says the least: the answer says the rest.
pub(crate) fn status(task: &TaskRecord) -> String {
    let state = &task.state;
    let step = match state.status {
        TaskStatus::Accepted | TaskStatus::Submitting => "starting".to_owned(),
        TaskStatus::InDoubt => "the service's answer was lost, looking for the run".to_owned(),
        TaskStatus::Queued => "waiting for a machine".to_owned(),
        TaskStatus::Running => running(task),
        TaskStatus::Finalizing => "fetching the result".to_owned(),
        TaskStatus::Completed => return format!("{}: done", task.tool_name),
        TaskStatus::Failed => return format!("{}: failed", task.tool_name),
        TaskStatus::Cancelled => return format!("{}: cancelled", task.tool_name),
        TaskStatus::TimedOut => return format!("{}: no end in time", task.tool_name),
    };
    let cancelling = if state.cancel.is_some() { ", to be cancelled" } else { "" };
    let usual = state.expected_ms.map(|ms| format!("{}, ", summary::typical_time(Duration::from_millis(ms))));
    let estimate = summary::estimate(&task.quote);
    format!("{}: {step}{cancelling}\n{}{estimate}", task.tool_name, usual.unwrap_or_default())
}

fn running(task: &TaskRecord) -> String {
    let percent = task.state.progress.map(|progress| format!(" {:.0} %", (progress.fraction() * 100.0).floor()));
    let live = task.state.live_status.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let live = if live.is_empty() { String::new() } else { format!(", {}", cut(&live, LIVE_MAX)) };
    format!("running{}{live}", percent.unwrap_or_default())
}

/// A line for `/status`.
pub(crate) fn status_line(task: &TaskRecord) -> String {
    if task.is_terminal() {
        return one_line(&answer::ended(task), LINE_MAX);
    }
    let text = status(task);
    format!("{} (task {})", text.lines().next().unwrap_or_default(), task.task_id)
}

/// What the bot is, for `/start` and `/help` alone.
pub(crate) fn welcome() -> String {
    let mut lines = vec![
        "I run image, video and other tools, and tell you what they cost.".to_owned(),
        "Write a command and what you want: /TOOL a red fox in snow".to_owned(),
        "Other inputs: name=value, or name=\"two words\". For pictures, write the command below them, or in reply to them."
            .to_owned(),
        String::new(),
    ];
    lines.extend(FIXED.iter().filter(|(name, _)| *name != "start").map(|(name, what)| format!("/{name} – {what}")));
    lines.join("\n")
}

/// The listed tools whose names contain `word`, with their prices, and those that are no commands, with the reason.
pub(crate) fn tools(menu: &Menu, caller: &Caller, word: &str) -> String {
    let word = word.to_lowercase().replace('_', "-");
    let views = ToolView::all(caller);
    let fits = |slug: &str| slug.contains(word.as_str());
    let runs = views.iter().filter(|view| fits(&view.definition.slug) && command_reason(&view.definition).is_none());
    let mut lines: Vec<String> = runs
        .map(|view| {
            let command = telegram_command(&view.definition.slug);
            format!("/{command} – {}: {}", one_line(&view.definition.display_name, 60), summary::price(view))
        })
        .collect();
    lines
        .extend(menu.left_out.iter().filter(|(slug, _)| fits(slug)).map(|(slug, reason)| format!("{slug} – {reason}")));
    if lines.is_empty() {
        return "There are no tools of that name.".to_owned();
    }
    cut_lines(&lines, MESSAGE_MAX, |left| {
        format!("… and {left} more. /tools WORD shows those with a word in their name.")
    })
}

/// How to run one tool.
pub(crate) fn help(view: &ToolView) -> String {
    let tool = &view.definition;
    let mut lines = vec![one_line(&tool.display_name, 200)];
    if !tool.description.trim().is_empty() {
        lines.push(one_line(&tool.description, DESCRIPTION_MAX));
    }
    if let Some(reason) = command_reason(tool) {
        lines.push(reason);
    }
    let usual = view.typical_duration().map(|time| format!("; {}", summary::typical_time(time)));
    lines.push(format!("Price: {}{}", summary::price(view), usual.unwrap_or_default()));
    lines.push(String::new());
    let fields = Fields::of(tool);
    lines.push(example(tool, &fields));
    lines.extend(fields.iter().map(|field| input(field, free_text(tool, &fields))));
    cut_lines(&lines, MESSAGE_MAX, |left| format!("… and {left} more."))
}

fn example(tool: &ToolDefinition, fields: &Fields) -> String {
    let command = telegram_command(&tool.slug);
    let text = free_text(tool, fields).map(|field| format!(" {}", field.name.to_uppercase()));
    let media = fields.iter().find_map(|field| field.kind.media());
    let with = media.map(|media| format!(", below or in reply to: {}", media.word()));
    format!("/{command}{}{}", text.unwrap_or_default(), with.unwrap_or_default())
}

fn input(field: &Field, free: Option<&Field>) -> String {
    let mut about = vec![field.hint()];
    if free == Some(field) {
        about.push("the words after the command".to_owned());
    }
    if field.required {
        about.push("needed".to_owned());
    }
    about.extend(field.default_text().map(|text| format!("else {}", one_line(&text, DEFAULT_MAX))));
    let what = if field.description.is_empty() {
        String::new()
    } else {
        format!(". {}", one_line(&field.description, DEFAULT_MAX))
    };
    format!("• {}: {}{what}", field.name, about.join(", "))
}

/// What a user's tasks cost in a month.
pub(crate) fn costs(costs: &Costs, month: &str, caller: &Caller) -> String {
    let tools = caller.tools();
    let name = |id| tools.get(id).map_or_else(|| id.to_string(), |tool| tool.definition().slug.clone());
    let unknown = |count: u64| if count == 0 { String::new() } else { format!(", {count} of unknown cost") };
    let runs = |count: u64| if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") };
    if costs.tasks == 0 {
        return format!("{month}: none of your tasks has ended yet.");
    }
    let mut lines =
        vec![format!("{month}: {}, {}{}", summary::exact(costs.cost_usd), runs(costs.tasks), unknown(costs.unknown))];
    lines.extend(costs.totals.iter().map(|total| {
        let name = name(&total.tool_id);
        format!("• {name}: {}, {}{}", summary::exact(total.cost_usd), runs(total.tasks), unknown(total.unknown))
    }));
    cut_lines(&lines, MESSAGE_MAX, |left| format!("… and {left} more."))
}

/// A text on one line, of so many characters at most.
fn one_line(text: &str, most: usize) -> String {
    cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), most)
}

#[cfg(test)]
mod tests;
