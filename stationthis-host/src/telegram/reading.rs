//! What the bot reads, in plain words: for the fuzz targets, which see no private types.

use serde_json::{Map, Value};
use stationthis_core::{Result, ToolDefinition};

use crate::face::input::Fields;
use crate::telegram::address::Place;
use crate::telegram::attachments::{self, Attachment};
use crate::telegram::request::{self, Command, Words};
use crate::telegram::text;
use crate::telegram::wire::{Message, What};

/// An update, as far as the bot looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Its number.
    pub id: i64,
    /// The chat that it happened in.
    pub chat: Option<i64>,
    /// The album that it is a part of.
    pub album: Option<String>,
    /// Its message; nothing for a pressed button and for what cannot be read.
    pub message: Option<Said>,
    /// What the pressed button carries; empty when it carries nothing.
    pub pressed: Option<String>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its words.
    pub words: String,
    /// The topic that it is in.
    pub thread: Option<i64>,
    /// Its files, and those of the message that it answers.
    pub files: Vec<File>,
}

/// A file of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name at Telegram.
    pub id: String,
    /// Its media type; empty when Telegram does not say.
    pub mime: String,
}

/// Reads one update; `None` when it has no number.
#[must_use]
pub fn update(raw: Value) -> Option<Update> {
    let update = super::wire::Update::read(raw)?;
    let (message, pressed) = match &update.what {
        What::Message(message) => (Some(said(message)), None),
        What::Press(press) => (None, Some(press.data.clone().unwrap_or_default())),
        What::Other => (None, None),
    };
    let album = update.album().map(|(_, name)| name.to_owned());
    Some(Update { id: update.id, chat: update.chat(), album, message, pressed })
}

fn said(message: &Message) -> Said {
    let replied = message.reply_to_message.iter().flat_map(|message| attachments::of(message));
    let files = attachments::of(message).into_iter().chain(replied);
    let files = files.map(|file| File { id: file.file_id, mime: file.mime }).collect();
    Said { words: message.words().to_owned(), thread: message.thread(), files }
}

/// Which input of a tool each file is for, beside inputs that were named in words.
///
/// # Errors
/// A sentence, when there is no input for one of them.
pub fn assign(
    tool: &ToolDefinition,
    inputs: &Map<String, Value>,
    files: &[File],
) -> std::result::Result<Vec<(String, File)>, String> {
    let files = files.iter().map(|f| Attachment { file_id: f.id.clone(), mime: f.mime.clone(), bytes: None }).collect();
    let assigned = attachments::assign(tool, inputs, files)?.into_iter();
    Ok(assigned.map(|(name, file)| (name, File { id: file.file_id, mime: file.mime })).collect())
}

/// Words as a command: its name, the bot that it is for, and what stands after it.
#[must_use]
pub fn command(words: &str) -> Option<(&str, Option<&str>, &str)> {
    Command::read(words).map(|command| (command.name, command.bot, command.rest))
}

/// The words after a command, taken apart: free text, and pairs of names and values.
#[must_use]
pub fn words(tool: &ToolDefinition, text: &str) -> (String, Vec<(String, String)>) {
    let Words { free, pairs } = Words::read(text, &Fields::of(tool));
    (free, pairs)
}

/// The inputs that the words after a command stand for.
///
/// # Errors
/// A sentence, when there are free words and the tool takes none.
pub fn inputs(tool: &ToolDefinition, words: &str) -> std::result::Result<Map<String, Value>, String> {
    request::inputs(tool, words)
}

/// An address of a notification target, written again as it was understood.
///
/// # Errors
/// `InvalidInput` for one that is none.
pub fn address(text: &str) -> Result<String> {
    text.parse::<Place>().map(|place| place.to_string())
}

/// The text, or as much of it as fits in so many UTF-16 units, and how many those are.
#[must_use]
pub fn cut(text: &str, most: usize) -> (String, usize) {
    let cut = text::cut(text, most);
    let length = text::length(&cut);
    (cut, length)
}
