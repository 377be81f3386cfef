//! All tools at one moment.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::id::{ProviderId, ToolId};
use crate::registry::provider_state::ProviderStatus;
use crate::registry::tool::Tool;
use crate::time::Timestamp;
use crate::tool::naming::{Assigned, Collision, Names, slug};
use crate::tool::nearest::nearest;
use crate::tool::{ToolDefinition, Visibility};

/// How many tools are suggested for a name that is not known: what fits into a chat message.
const MAX_SUGGESTIONS: usize = 5;
/// The most bytes of a name that is looked at when none has it: longer than every id, slug and alias.
const MAX_NAME_BYTES: usize = ToolId::MAX_BYTES;

/// All tools of all providers at one moment. Never changes; the next refresh makes another.
pub struct Snapshot {
    revision: u64,
    taken_at: Timestamp,
    /// In the order of their ids, so that an id is found by halving.
    tools: Vec<Arc<Tool>>,
    /// Slugs and aliases, which are unique together.
    by_name: HashMap<Box<str>, usize>,
    /// The tools in the order of their providers' keys.
    by_key: Vec<usize>,
    removed: Removed,
    providers: Vec<ProviderStatus>,
    collisions: Vec<Collision>,
}

/// Tools that are gone, by every name that they had.
#[derive(Default)]
struct Removed {
    names: Vec<Names>,
    by_name: HashMap<Box<str>, usize>,
}

/// What a typed name means.
#[derive(Clone, Debug)]
pub enum Resolution<'a> {
    /// This tool.
    Exact(&'a Arc<Tool>),
    /// It is the key of tools of several providers; the id or the slug says which.
    Ambiguous(Vec<&'a Arc<Tool>>),
    /// It was a tool's, which its service has removed since; no other tool gets the name as long as this is remembered.
    Removed {
        /// The names that it had, and since when it is gone.
        names: &'a Names,
        /// As for an unknown name.
        suggestions: Vec<&'a Arc<Tool>>,
    },
    /// No tool has it.
    Unknown {
        /// Listed tools with a name near to it, the nearest first, at most 5. To show, never to run.
        suggestions: Vec<&'a Arc<Tool>>,
    },
}

impl Snapshot {
    pub(super) fn empty(taken_at: Timestamp, providers: Vec<ProviderStatus>) -> Self {
        Self {
            revision: 0,
            taken_at,
            tools: Vec::new(),
            by_name: HashMap::new(),
            by_key: Vec::new(),
            removed: Removed::default(),
            providers,
            collisions: Vec::new(),
        }
    }

    /// The snapshot that follows this one; tools that did not change are shared with it. `names` are all that are
    /// remembered.
    pub(super) fn next(
        &self,
        taken_at: Timestamp,
        assigned: Assigned,
        names: &[Names],
        mut providers: Vec<ProviderStatus>,
    ) -> Self {
        let mut tools: Vec<Arc<Tool>> = Vec::with_capacity(assigned.tools.len());
        for mut definition in assigned.tools {
            // Most tools have the very same output schema: one text for all.
            if let Some(last) = tools.last().filter(|last| last.definition().output_schema == definition.output_schema)
            {
                definition.output_schema = last.definition().output_schema.clone();
            }
            tools.push(match self.get(&definition.tool_id) {
                Some(before) => Tool::after(before, definition),
                None => Arc::new(Tool::new(definition)),
            });
        }
        let mut by_name = HashMap::new();
        for (index, tool) in tools.iter().enumerate() {
            let definition = tool.definition();
            for name in definition.aliases.iter().chain([&definition.slug]) {
                by_name.insert(name.as_str().into(), index);
            }
        }
        let mut by_key: Vec<(&str, usize)> = tools.iter().enumerate().map(|(index, tool)| (key(tool), index)).collect();
        by_key.sort_unstable();
        let by_key = by_key.into_iter().map(|(_, index)| index).collect();
        for provider in &mut providers {
            provider.tools = tools.iter().filter(|t| t.definition().provider_id == provider.provider_id).count();
        }
        let revision = self.revision + 1;
        let removed = Removed::of(names);
        Self { revision, taken_at, tools, by_name, by_key, removed, providers, collisions: assigned.collisions }
    }

    /// Counts up with each snapshot of this process.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// When it was put together.
    #[must_use]
    pub const fn taken_at(&self) -> Timestamp {
        self.taken_at
    }

    /// The tools, in the order of their ids; those that are not listed too.
    #[must_use]
    pub fn tools(&self) -> &[Arc<Tool>] {
        &self.tools
    }

    /// The tool with this id.
    #[must_use]
    pub fn get(&self, id: &ToolId) -> Option<&Arc<Tool>> {
        self.by_id(id.as_str())
    }

    /// What each provider's part is worth, in the order in which they were configured.
    #[must_use]
    pub fn providers(&self) -> &[ProviderStatus] {
        &self.providers
    }

    /// What one provider's part is worth.
    #[must_use]
    pub fn provider(&self, id: &ProviderId) -> Option<&ProviderStatus> {
        self.providers.iter().find(|provider| provider.provider_id == *id)
    }

    /// The tools that are not called as their display names say, because of each other.
    #[must_use]
    pub fn collisions(&self) -> &[Collision] {
        &self.collisions
    }

    /// The tool that a person means by what was typed: exactly an id, a slug or alias (in any letter case), or the
    /// provider's own key where only one provider has it, in this order. Nothing that is merely similar is ever taken.
    /// A name that none has may be one that a removed tool had.
    ///
    /// Takes microseconds, but for unknown names, which are compared with all for suggestions.
    #[must_use]
    pub fn resolve(&self, typed: &str) -> Resolution<'_> {
        let typed = typed.trim();
        if typed.len() > MAX_NAME_BYTES {
            return Resolution::Unknown { suggestions: Vec::new() };
        }
        let named = || self.by_name.get(typed.to_ascii_lowercase().as_str()).and_then(|index| self.tools.get(*index));
        if let Some(tool) = self.by_id(typed).or_else(named) {
            return Resolution::Exact(tool);
        }
        let start = self.by_key.partition_point(|index| self.key_at(*index) < typed);
        let same = self.by_key.iter().skip(start).take_while(|index| self.key_at(**index) == typed);
        let same: Vec<&Arc<Tool>> = same.filter_map(|index| self.tools.get(*index)).collect();
        match same.as_slice() {
            [] => {
                let suggestions = self.suggest(typed);
                match self.removed.find(typed) {
                    Some(names) => Resolution::Removed { names, suggestions },
                    None => Resolution::Unknown { suggestions },
                }
            }
            [tool] => Resolution::Exact(tool),
            _ => Resolution::Ambiguous(same),
        }
    }

    fn suggest(&self, typed: &str) -> Vec<&Arc<Tool>> {
        // Compared in the form of a slug, so that a display name finds its tool.
        let Ok(nobody) = ToolId::new("none:none") else { return Vec::new() };
        let typed = slug(typed, &nobody);
        let listed = |index: &usize| self.tools.get(*index).filter(|t| t.definition().visibility == Visibility::Listed);
        let names = self.by_name.iter().filter(|(_, index)| listed(index).is_some()).map(|(name, _)| &**name);
        let mut suggestions: Vec<&Arc<Tool>> = Vec::new();
        // A tool may be near by several of its names.
        for name in nearest(&typed, names, MAX_SUGGESTIONS * 2) {
            let tool = self.by_name.get(name).and_then(listed);
            suggestions.extend(tool.filter(|tool| !suggestions.iter().any(|known| Arc::ptr_eq(known, tool))));
        }
        suggestions.truncate(MAX_SUGGESTIONS);
        suggestions
    }

    fn by_id(&self, id: &str) -> Option<&Arc<Tool>> {
        let at = self.tools.binary_search_by(|tool| tool.definition().tool_id.as_str().cmp(id)).ok()?;
        self.tools.get(at)
    }

    fn key_at(&self, index: usize) -> &str {
        self.tools.get(index).map_or("", key)
    }

    pub(super) fn definitions_of(&self, provider: &ProviderId) -> impl Iterator<Item = &ToolDefinition> {
        self.tools.iter().map(|tool| tool.definition()).filter(move |tool| tool.provider_id == *provider)
    }
}

impl Removed {
    fn of(names: &[Names]) -> Self {
        let names: Vec<Names> = names.iter().filter(|names| names.removed_at.is_some()).cloned().collect();
        let mut by_name = HashMap::new();
        // Of two tools that had a key the one that was removed last is meant: it comes first.
        for (index, gone) in names.iter().enumerate() {
            let id = gone.tool_id.as_str();
            for name in gone.aliases.iter().map(String::as_str).chain([gone.slug.as_str(), id, key_of(id)]) {
                by_name.entry(name.into()).or_insert(index);
            }
        }
        Self { names, by_name }
    }

    fn find(&self, typed: &str) -> Option<&Names> {
        let index = self.by_name.get(typed).or_else(|| self.by_name.get(typed.to_ascii_lowercase().as_str()))?;
        self.names.get(*index)
    }
}

/// The provider's own key: the id without the provider's name.
fn key(tool: &Arc<Tool>) -> &str {
    key_of(tool.definition().tool_id.as_str())
}

fn key_of(id: &str) -> &str {
    id.split_once(':').map_or("", |(_, key)| key)
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("revision", &self.revision)
            .field("taken_at", &self.taken_at)
            .field("tools", &self.tools.len())
            .field("providers", &self.providers)
            .finish_non_exhaustive()
    }
}
