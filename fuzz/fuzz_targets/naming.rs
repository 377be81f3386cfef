//! Catalogues with any names, one after the other: slugs are valid, unique, and mean the same tool for ever.
//!
//! The input is lines of a key letter and a name; an empty line ends one refresh and begins the next.
#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stationthis_core::tool::naming::{self, MAX_ALIASES, MAX_COMMAND, MAX_SLUG, Names};
use stationthis_core::{ProviderId, ToolDefinition, ToolId};

/// Made once: its schemas take longer than all the rest.
static TOOL: LazyLock<ToolDefinition> = LazyLock::new(|| {
    let provider = ProviderId::new("p").expect("a provider id");
    ToolDefinition::new(ToolId::for_key(&provider, "k").expect("a tool id"), provider, "test", "")
});

/// As many as there are aliases, so that no name is ever forgotten.
const REFRESHES_MAX: usize = MAX_ALIASES;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut names: Vec<Names> = Vec::new();
    // Whom each name has ever meant.
    let mut meant: HashMap<String, ToolId> = HashMap::new();
    for refresh in text.split("\n\n").take(REFRESHES_MAX) {
        let tools: Vec<ToolDefinition> = refresh.lines().filter_map(tool).collect();
        let assigned = naming::assign(&names, tools.clone());
        let backwards = naming::assign(&names, tools.into_iter().rev().collect());
        // Of two equal ids the first is kept, so only distinct ones do not depend on the order.
        if backwards.tools.iter().zip(&assigned.tools).all(|(a, b)| a.display_name == b.display_name) {
            assert_eq!(backwards, assigned, "the order of the tools");
        }
        for tool in &assigned.tools {
            assert!(tool.aliases.len() <= MAX_ALIASES);
            for name in tool.aliases.iter().chain([&tool.slug]) {
                assert!(is_slug(name), "{name:?}");
                let owner = meant.entry(name.clone()).or_insert_with(|| tool.tool_id.clone());
                assert_eq!(*owner, tool.tool_id, "{name:?} came to mean another tool");
            }
            if let Some(before) = names.iter().find(|names| names.tool_id == tool.tool_id) {
                let unchanged = before.plain == naming::slug(&tool.display_name, &tool.tool_id);
                assert!(!unchanged || tool.slug == before.slug, "a name changed by itself");
                assert!(tool.slug == before.slug || tool.aliases.contains(&before.slug), "a former name is lost");
            }
        }
        let mut commands = HashMap::new();
        for (command, id) in naming::telegram_commands(&assigned.tools) {
            let valid = command.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
            assert!(valid && (1..=MAX_COMMAND).contains(&command.len()), "{command:?}");
            assert_eq!(commands.insert(command.clone(), id), None, "{command:?} twice");
        }
        let kept = serde_json::to_string(&assigned.names).expect("names are kept as JSON");
        names = serde_json::from_str(&kept).expect("and read again");
        assert_eq!(names, assigned.names);
    }
});

fn tool(line: &str) -> Option<ToolDefinition> {
    let key = line.chars().next()?;
    let mut tool = TOOL.clone();
    tool.tool_id = ToolId::for_key(&tool.provider_id, &key.to_string()).ok()?;
    tool.display_name = line.get(key.len_utf8()..)?.to_owned();
    Some(tool)
}

fn is_slug(name: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'));
    name.len() <= MAX_SLUG && name.split('-').all(word)
}
