//! The names by which people call tools: valid on every platform, unique, and stable across refresh and restart.
//!
//! One name is assigned, the slug; the rest are derived from it. It is the path segment over HTTP, the subcommand on
//! the command line and the tool's name over MCP as it stands; [`telegram_command`] makes the Telegram command of it.
//!
//! # The rule
//! 1. A tool keeps its slug as long as its display name gives the same plain slug.
//! 2. A new tool, or one that was renamed, gets the plain [`slug`] of its display name when that is free, in the order
//!    of tool ids.
//! 3. It is not free while another tool has it, had it before a rename, or had it when it was removed and is still
//!    remembered. Then the tool gets the plain slug and six hexadecimal digits of its id's hash, and a [`Collision`]
//!    says so.
//! 4. After a rename the former slug stays as an alias (the last [`MAX_ALIASES`]).
//!
//! So a name that someone has typed into a script never comes to mean another tool.

mod slug;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

pub use self::slug::{MAX_COMMAND, MAX_SLUG, slug, telegram_command};
use crate::id::ToolId;
use crate::time::Timestamp;
use crate::tool::ToolDefinition;

/// The most former slugs that still find a tool, because nobody renames a tool that often for good reason.
pub const MAX_ALIASES: usize = 8;

/// The names of one tool, as they are remembered from one assignment to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Names {
    /// The tool.
    pub tool_id: ToolId,
    /// What its display name gives by itself.
    pub plain: String,
    /// What it is called.
    pub slug: String,
    /// What it was called before, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// When the tool was removed; its names are kept from others until whoever keeps this list forgets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
}

/// A tool that is not called what its display name gives, because that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Collision {
    /// The tool.
    pub tool_id: ToolId,
    /// What its display name gives.
    pub wanted: String,
    /// What it is called instead.
    pub slug: String,
    /// Who has, or had, the wanted name; `None` when it has become free since.
    pub held_by: Option<ToolId>,
}

/// The outcome of [`assign`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assigned {
    /// The tools with `slug` and `aliases` set, in the order of their ids.
    pub tools: Vec<ToolDefinition>,
    /// The names to remember: those of the tools, and unchanged those of tools that are not there now.
    pub names: Vec<Names>,
    /// Every tool that goes by another name than its plain one.
    pub collisions: Vec<Collision>,
}

/// Names `tools`, given what was remembered; see the [module](self) for the rule.
///
/// Every slug, alias and Telegram command is unique in the outcome. The outcome depends on the arguments only, not on
/// the order of `tools`; without any memory it depends on the set of tools only. Tool ids must be distinct: of two
/// equal ones the first is kept.
#[must_use]
pub fn assign(previous: &[Names], mut tools: Vec<ToolDefinition>) -> Assigned {
    tools.sort_by(|a, b| a.tool_id.cmp(&b.tool_id));
    tools.dedup_by(|later, first| later.tool_id == first.tool_id);
    let known: HashMap<&ToolId, &Names> = previous.iter().map(|names| (&names.tool_id, names)).collect();
    let mut taken = Taken::default();
    for names in known.values() {
        taken.hold(names);
    }

    let plains: Vec<String> = tools.iter().map(|tool| slug(&tool.display_name, &tool.tool_id)).collect();
    let mut chosen: Vec<Option<String>> = Vec::with_capacity(tools.len());
    for (tool, plain) in tools.iter().zip(&plains) {
        let kept = known.get(&tool.tool_id).filter(|names| names.plain == *plain).map(|names| names.slug.clone());
        chosen.push(kept.filter(|slug| taken.claim(slug, &tool.tool_id)));
    }
    for ((tool, plain), slot) in tools.iter().zip(&plains).zip(&mut chosen) {
        if slot.is_none() {
            *slot = Some(taken.choose(plain, &tool.tool_id));
        }
    }

    let mut assigned = Assigned::default();
    let mut names: BTreeMap<ToolId, Names> = previous.iter().map(|n| (n.tool_id.clone(), n.clone())).collect();
    for ((mut tool, plain), slug) in tools.into_iter().zip(plains).zip(chosen) {
        let slug = slug.unwrap_or_default();
        let aliases = aliases_of(known.get(&tool.tool_id).copied(), &slug, &taken);
        if slug != plain {
            assigned.collisions.push(Collision {
                tool_id: tool.tool_id.clone(),
                held_by: taken.holder(&plain).filter(|holder| *holder != tool.tool_id),
                wanted: plain.clone(),
                slug: slug.clone(),
            });
        }
        tool.slug.clone_from(&slug);
        tool.aliases.clone_from(&aliases);
        names.insert(
            tool.tool_id.clone(),
            Names { tool_id: tool.tool_id.clone(), plain, slug, aliases, removed_at: None },
        );
        assigned.tools.push(tool);
    }
    assigned.names = names.into_values().collect();
    assigned
}

/// The Telegram command of each tool that [`assign`] named; unique, and the same as long as the slug is.
#[must_use]
pub fn telegram_commands<'a>(tools: impl IntoIterator<Item = &'a ToolDefinition>) -> Vec<(String, ToolId)> {
    tools.into_iter().map(|tool| (telegram_command(&tool.slug), tool.tool_id.clone())).collect()
}

fn aliases_of(before: Option<&Names>, slug: &str, taken: &Taken) -> Vec<String> {
    let Some(before) = before else { return Vec::new() };
    let mut seen = HashSet::from([slug]);
    let mut aliases: Vec<String> = before
        .aliases
        .iter()
        .chain([&before.slug])
        // The latest mention counts, so that the oldest names go first.
        .rev()
        .filter(|name| seen.insert(name.as_str()))
        .filter(|name| is_slug(name) && taken.is_of(name, &before.tool_id))
        .take(MAX_ALIASES)
        .cloned()
        .collect();
    aliases.reverse();
    aliases
}

/// Which names are held, by whom. Commands are held too, so that they stay unique when slugs are cut for them.
#[derive(Default)]
struct Taken {
    names: HashMap<String, ToolId>,
    commands: HashMap<String, ToolId>,
    live: HashSet<String>,
}

impl Taken {
    /// Keeps remembered names from others. Of two tools that claim one (a damaged memory) the lower id has it.
    fn hold(&mut self, names: &Names) {
        for name in names.aliases.iter().chain([&names.slug]) {
            for (map, key) in [(&mut self.names, name.clone()), (&mut self.commands, telegram_command(name))] {
                let holder = map.entry(key).or_insert_with(|| names.tool_id.clone());
                if names.tool_id < *holder {
                    *holder = names.tool_id.clone();
                }
            }
        }
    }

    fn holder(&self, name: &str) -> Option<ToolId> {
        self.names.get(name).or_else(|| self.commands.get(&telegram_command(name))).cloned()
    }

    fn is_of(&self, name: &str, tool: &ToolId) -> bool {
        self.names.get(name) == Some(tool) && self.commands.get(&telegram_command(name)) == Some(tool)
    }

    /// Makes `name` the slug of `tool`, unless another holds it.
    fn claim(&mut self, name: &str, tool: &ToolId) -> bool {
        let command = telegram_command(name);
        let free = |map: &HashMap<String, ToolId>, key: &str| map.get(key).is_none_or(|holder| holder == tool);
        if !is_slug(name) || !free(&self.names, name) || !free(&self.commands, &command) || self.live.contains(name) {
            return false;
        }
        self.names.insert(name.to_owned(), tool.clone());
        self.commands.insert(command, tool.clone());
        self.live.insert(name.to_owned());
        true
    }

    fn choose(&mut self, plain: &str, tool: &ToolId) -> String {
        if self.claim(plain, tool) {
            return plain.to_owned();
        }
        let mut attempt = 0;
        loop {
            // Ends: each attempt gives another name, and only so many are taken.
            let name = slug::with_suffix(plain, tool, attempt);
            if self.claim(&name, tool) {
                return name;
            }
            attempt += 1;
        }
    }
}

/// Is it a slug by form? What was remembered comes from a store and may be damaged.
fn is_slug(text: &str) -> bool {
    text.len() <= MAX_SLUG
        && text.split('-').all(|word| !word.is_empty() && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9')))
}
