//! From what somebody wrote to what a tool is given.

use serde_json::{Map, Value};
use stationthis_core::ToolDefinition;

use crate::face::chat::free_text;
use crate::face::input::Fields;

/// A message that begins with a slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Command<'a> {
    /// The command, as it was written, without the slash.
    pub(crate) name: &'a str,
    /// The bot that it is for, when that was said: `/name@bot`.
    pub(crate) bot: Option<&'a str>,
    /// What stands after it.
    pub(crate) rest: &'a str,
}

impl<'a> Command<'a> {
    /// Reads the words of a message; `None` when they are no command.
    pub(crate) fn read(words: &'a str) -> Option<Self> {
        let words = words.trim_start().strip_prefix('/')?;
        let (name, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
        let (name, bot) = name.split_once('@').map_or((name, None), |(name, bot)| (name, Some(bot)));
        let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
        word(name).then_some(Self { name, bot, rest: rest.trim() })
    }

    /// Is it for the bot of this name?
    pub(crate) fn is_for(&self, username: &str) -> bool {
        self.bot.is_none_or(|bot| bot.eq_ignore_ascii_case(username))
    }
}

/// The inputs that the words after a command stand for.
///
/// `name=value` is an input when the name is one of the tool's, or could be one (letters, digits and `_`): a mistyped name
/// must not end up in the picture. Values with spaces stand in quotes, straight or curly. All other words together are
/// the tool's free text; words in quotes are never read as `name=value`.
///
/// # Errors
/// A sentence, when there are free words and the tool takes none.
pub(crate) fn inputs(tool: &ToolDefinition, words: &str) -> Result<Map<String, Value>, String> {
    let fields = Fields::of(tool);
    let Words { free, pairs } = Words::read(words, &fields);
    let mut all: Vec<(&str, &str)> = Vec::with_capacity(pairs.len() + 1);
    if !free.is_empty() {
        let Some(field) = free_text(tool, &fields) else {
            return Err(format!("{} takes no text of its own: write name=value.", tool.slug));
        };
        all.push((&field.name, &free));
    }
    // After the free text: who writes prompt=… and other words beside it means the former.
    all.extend(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Ok(fields.read(all))
}

/// Words, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) free: String,
    pub(crate) pairs: Vec<(String, String)>,
}

impl Words {
    pub(crate) fn read(text: &str, fields: &Fields) -> Self {
        let mut words = Self::default();
        let mut rest = text.trim();
        // A text that is quoted as a whole means what is between the quotes.
        if let Some((inner, "")) = quoted(rest) {
            return Self { free: inner.trim().to_owned(), pairs: Vec::new() };
        }
        while !rest.is_empty() {
            let after = if let Some((name, after)) = pair_name(rest, fields) {
                let (value, after) = value(after);
                words.pairs.push((name.to_owned(), value.to_owned()));
                after
            } else {
                // Quotes within the free text stay in it.
                let end = quoted(rest).map_or_else(|| word_end(rest), |(_, after)| rest.len() - after.len());
                let space = rest.get(end..).map_or(0, |tail| tail.len() - tail.trim_start().len());
                words.free.push_str(rest.get(..end + space).unwrap_or_default());
                rest.get(end + space..).unwrap_or_default()
            };
            rest = after.trim_start();
        }
        words.free.truncate(words.free.trim_end().len());
        words
    }
}

/// The name in `name=…` at the start, and what stands after the sign.
fn pair_name<'a>(text: &'a str, fields: &Fields) -> Option<(&'a str, &'a str)> {
    // Names of inputs may hold anything, spaces too: the longest that fits is meant.
    let known = fields.iter().filter_map(|field| {
        let after = text.strip_prefix(field.name.as_str())?.strip_prefix('=')?;
        Some((text.get(..field.name.len())?, after))
    });
    known.max_by_key(|(name, _)| name.len()).or_else(|| {
        let (name, after) = text.split_once('=')?;
        let mut letters = name.chars();
        let first = letters.next().is_some_and(|c| c.is_alphabetic() || c == '_');
        (first && letters.all(|c| c.is_alphanumeric() || c == '_')).then_some((name, after))
    })
}

fn value(text: &str) -> (&str, &str) {
    quoted(text).unwrap_or_else(|| text.split_at(word_end(text)))
}

fn word_end(text: &str) -> usize {
    text.find(char::is_whitespace).unwrap_or(text.len())
}

/// What stands in quotes at the start, and what after them. Telephones make curly ones of straight ones.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix(['"', '“', '”', '„'])?;
    let (inner, after) = inner.split_once(['"', '“', '”'])?;
    after.chars().next().is_none_or(char::is_whitespace).then_some((inner, after))
}

#[cfg(test)]
mod tests;
