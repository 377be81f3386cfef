//! The tools as commands.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use stationthis_core::ToolDefinition;
use stationthis_core::registry::{Snapshot, Tool};
use stationthis_core::tool::Visibility;
use stationthis_core::tool::naming::telegram_command;

use crate::face::chat::chat_reason;
use crate::telegram::api::BotCommand;
use crate::telegram::text::{DESCRIPTION_MAX, cut};

/// The commands that are not tools, in the order of the menu.
pub(crate) const FIXED: [(&str, &str); 7] = [
    ("tools", "What there is to run, and what it costs"),
    ("help", "How to run a tool: /help TOOL"),
    ("status", "How far your tasks are"),
    ("cancel", "Stop a task"),
    ("cost", "What your tasks cost this month"),
    ("run", "Run a tool by its name: /run TOOL …"),
    ("start", "What this bot is"),
];

/// The most commands of a menu, by Telegram's rule.
const COMMANDS_MAX: usize = 100;

/// The tools of one snapshot as commands.
#[derive(Debug)]
pub(crate) struct Menu {
    revision: u64,
    /// By command; former names too, where no tool has them now.
    tools: HashMap<String, Arc<Tool>>,
    /// What chats show: [`FIXED`], then listed tools by slug, as many as there may be.
    pub(crate) commands: Vec<BotCommand>,
    /// Listed tools that are no commands, by slug, each with the reason.
    pub(crate) left_out: Vec<(String, String)>,
}

impl Menu {
    fn of(snapshot: &Snapshot) -> Self {
        let mut listed: Vec<&Arc<Tool>> = Vec::new();
        let (mut tools, mut left_out) = (HashMap::new(), Vec::new());
        for tool in snapshot.tools() {
            let definition = tool.definition();
            if let Some(reason) = command_reason(definition) {
                if definition.visibility == Visibility::Listed {
                    left_out.push((definition.slug.clone(), reason));
                }
                continue;
            }
            tools.insert(telegram_command(&definition.slug), Arc::clone(tool));
            if definition.visibility == Visibility::Listed {
                listed.push(tool);
            }
        }
        for tool in snapshot.tools() {
            for alias in &tool.definition().aliases {
                let command = telegram_command(alias);
                if command_reason(tool.definition()).is_none() && !is_fixed(&command) {
                    tools.entry(command).or_insert_with(|| Arc::clone(tool));
                }
            }
        }
        listed.sort_by(|a, b| a.definition().slug.cmp(&b.definition().slug));
        left_out.sort();
        let fixed = FIXED.iter().map(|(command, description)| BotCommand {
            command: (*command).to_owned(),
            description: (*description).to_owned(),
        });
        let commands = fixed.chain(listed.iter().map(|tool| command(tool.definition()))).take(COMMANDS_MAX).collect();
        Self { revision: snapshot.revision(), tools, commands, left_out }
    }

    /// The tool of a command, in any letter case.
    pub(crate) fn tool(&self, command: &str) -> Option<&Arc<Tool>> {
        self.tools.get(&command.to_ascii_lowercase())
    }
}

/// Why a tool is no command, in a sentence.
pub(crate) fn command_reason(tool: &ToolDefinition) -> Option<String> {
    let command = telegram_command(&tool.slug);
    let taken = || format!("/{command} is a command of the bot itself. Use /run {} instead.", tool.slug);
    chat_reason(tool).or_else(|| is_fixed(&command).then(taken))
}

fn is_fixed(command: &str) -> bool {
    FIXED.iter().any(|(fixed, _)| *fixed == command)
}

fn command(tool: &ToolDefinition) -> BotCommand {
    let description = tool.description.split_whitespace().collect::<Vec<_>>().join(" ");
    let description = [description.as_str(), tool.display_name.trim(), tool.slug.as_str()]
        .into_iter()
        .find(|text| !text.is_empty())
        .map(|text| cut(text, DESCRIPTION_MAX));
    BotCommand { command: telegram_command(&tool.slug), description: description.unwrap_or_default() }
}

/// The menu of the latest snapshot, made once for each.
#[derive(Debug, Default)]
pub(crate) struct Menus(Mutex<Option<Arc<Menu>>>);

impl Menus {
    /// The menu of a snapshot.
    pub(crate) fn of(&self, snapshot: &Snapshot) -> Arc<Menu> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match last.as_ref() {
            Some(menu) if menu.revision == snapshot.revision() => Arc::clone(menu),
            _ => Arc::clone(last.insert(Arc::new(Menu::of(snapshot)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stationthis_core::cost::RateCard;
    use stationthis_core::registry::{RegistryPolicy, ToolRegistry};
    use stationthis_core::testkit::ScriptedProvider;
    use stationthis_core::{JsonDoc, ProviderId, SystemClock, ToolId};

    use super::*;

    async fn menu(tools: &[(&str, &str, bool)]) -> Arc<Menu> {
        let mut providers: Vec<Arc<dyn stationthis_core::provider::ServiceProvider>> = Vec::new();
        for (name, description, structured) in tools {
            let id = ProviderId::new(format!("p{}", providers.len())).unwrap();
            let mut tool = ToolDefinition::new(ToolId::for_key(&id, name).unwrap(), id.clone(), "service", *name);
            tool.description = (*description).to_owned();
            if *structured {
                let properties = json!({ "rig": { "type": "object" } });
                let schema = json!({ "type": "object", "properties": properties, "required": ["rig"] });
                tool.input_schema = JsonDoc::from_value(&schema);
            }
            let provider = ScriptedProvider::named(id.as_str()).unwrap().offering(tool, RateCard::new("none"));
            providers.push(Arc::new(provider));
        }
        let registry = ToolRegistry::new(providers, Arc::new(SystemClock), RegistryPolicy::default()).unwrap();
        registry.refresh().await.unwrap();
        Menus::default().of(&registry.snapshot())
    }

    #[tokio::test]
    async fn tools_that_no_chat_can_feed_are_left_out_with_the_reason() {
        let long = "many words 🦊 ".repeat(40);
        let menu =
            menu(&[("Zebra", "", false), ("Puppet", "", true), ("Cost", "", false), ("A-b", &long, false)]).await;
        let tools: Vec<_> = menu.commands.iter().skip(FIXED.len()).collect();
        let names: Vec<_> = tools.iter().map(|command| command.command.as_str()).collect();
        assert_eq!(names, ["a_b", "zebra"]);
        assert_eq!(tools[1].description, "Zebra");
        assert!(tools[0].description.ends_with('…'));
        assert!(crate::telegram::text::length(&tools[0].description) <= DESCRIPTION_MAX);
        let left_out = [
            ("cost", "/cost is a command of the bot itself. Use /run cost instead."),
            ("puppet", "It needs rig, which is structured data: a chat gives texts and files."),
        ];
        assert_eq!(menu.left_out, left_out.map(|(slug, reason)| (slug.to_owned(), reason.to_owned())));
        assert!(menu.tool("Zebra").is_some() && menu.tool("puppet").is_none() && menu.tool("cost").is_none());
    }
}
