//! Files that somebody sent, as inputs of a tool.

use serde_json::{Map, Value};
use stationthis_core::{CallerId, Error, ErrorKind, Result, ToolDefinition};

use crate::face::input::{Fields, Media};
use crate::files::StoredFile;
use crate::telegram::api::{CallError, FILE_BYTES_MAX};
use crate::telegram::post::Post;
use crate::telegram::wire::{FileRef, Message};

/// A file of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attachment {
    pub(crate) file_id: String,
    /// Its media type; empty when Telegram does not say.
    pub(crate) mime: String,
    pub(crate) bytes: Option<u64>,
}

/// The files of a message: Telegram puts at most one into each, and several into an album of messages.
pub(crate) fn of(message: &Message) -> Vec<Attachment> {
    let attachment = |file: &FileRef, mime: &str| Attachment {
        file_id: file.file_id.clone(),
        mime: file.mime_type.clone().unwrap_or_else(|| mime.to_owned()).to_ascii_lowercase(),
        bytes: file.file_size,
    };
    // The largest size of a picture is the last one. Pictures are always JPEG.
    let photo = message.photo.last().map(|file| attachment(file, "image/jpeg"));
    let video = message.video.as_ref().or(message.animation.as_ref()).map(|file| attachment(file, "video/mp4"));
    let audio = message.audio.as_ref().map(|file| attachment(file, "audio/mpeg"));
    let voice = message.voice.as_ref().map(|file| attachment(file, "audio/ogg"));
    // An animation stands in `document` too.
    let document = message.document.as_ref().filter(|_| message.animation.is_none()).map(|file| attachment(file, ""));
    [photo, video, audio, voice, document].into_iter().flatten().collect()
}

/// Which input each file is for: those that the tool needs first, in the order of its author; a list takes all that come.
/// Inputs that were named in words are left alone.
///
/// # Errors
/// A sentence, when there is no input for one of them.
pub(crate) fn assign(
    tool: &ToolDefinition,
    inputs: &Map<String, Value>,
    files: Vec<Attachment>,
) -> std::result::Result<Vec<(String, Attachment)>, String> {
    let fields = Fields::of(tool);
    let free = fields.iter().filter(|field| !inputs.contains_key(&field.name));
    let mut slots: Vec<_> = free.filter_map(|field| Some((field, field.kind.media()?))).collect();
    slots.sort_by_key(|(field, _)| !field.required);
    let mut assigned = Vec::with_capacity(files.len());
    for file in files {
        let Some(at) = slots.iter().position(|(_, media)| fits(*media, &file.mime)) else {
            let what = file.mime.split('/').next().filter(|kind| matches!(*kind, "image" | "video" | "audio"));
            let what = what.map_or_else(|| "file".to_owned(), |kind| format!("file of the kind {kind}"));
            return Err(match fields.iter().filter(|field| field.kind.media().is_some()).count() {
                0 => format!("{} takes no files.", tool.slug),
                _ if assigned.is_empty() => format!("{} takes no {what}.", tool.slug),
                _ => format!("{} takes no {what} more than {}.", tool.slug, assigned.len()),
            });
        };
        let Some((field, _)) = slots.get(at) else { continue };
        assigned.push((field.name.clone(), file));
        if !field.kind.is_list() {
            slots.remove(at);
        }
    }
    Ok(assigned)
}

fn fits(media: Media, mime: &str) -> bool {
    match media {
        Media::Image => mime.starts_with("image/"),
        Media::Video => mime.starts_with("video/"),
        Media::Audio => mime.starts_with("audio/"),
        // Telegram knows few types of models.
        _ => true,
    }
}

/// Fetches the files, keeps them as the caller's and puts them into the inputs. Nobody but the host ever sees their
/// addresses at Telegram, which hold the bot's token.
///
/// Files of a request that is not taken stay until their end: another task may wait with the same picture.
///
/// # Errors
/// `InvalidInput` or `TooLarge` with a sentence for who sent them; `Unavailable` when Telegram does not give them;
/// `StoreUnavailable`.
pub(crate) async fn keep(
    post: &Post,
    caller: &CallerId,
    tool: &ToolDefinition,
    inputs: &mut Map<String, Value>,
    assigned: Vec<(String, Attachment)>,
) -> Result<()> {
    let fields = Fields::of(tool);
    for (name, file) in assigned {
        let value = Value::String(fetched(post, caller, &file).await?.uri);
        let is_list = fields.iter().any(|field| field.name == name && field.kind.is_list());
        match inputs.get_mut(&name) {
            Some(Value::Array(list)) => list.push(value),
            _ if is_list => drop(inputs.insert(name, Value::Array(vec![value]))),
            _ => drop(inputs.insert(name, value)),
        }
    }
    Ok(())
}

async fn fetched(post: &Post, caller: &CallerId, file: &Attachment) -> Result<StoredFile> {
    let too_large = || {
        Error::new(ErrorKind::TooLarge, "fetch file")
            .with_message("A bot can fetch files of 20 MB at most; give a larger one as name=URL.")
    };
    let lost = |error: CallError| {
        Error::new(ErrorKind::Unavailable, "fetch file")
            .with_message("Your file could not be fetched from Telegram. Please send it again.")
            .with_source(error)
    };
    if file.bytes.is_some_and(|bytes| bytes > FILE_BYTES_MAX) {
        return Err(too_large());
    }
    let mut content = post.api.file(&file.file_id).await.map_err(lost)?;
    let mut incoming = post.files.begin(caller).await?;
    let mut seen = 0_u64;
    while let Some(piece) = post.api.piece(&mut content).await.map_err(lost)? {
        seen = seen.saturating_add(piece.len() as u64);
        if seen > FILE_BYTES_MAX {
            return Err(too_large());
        }
        incoming.write(&piece).await?;
    }
    incoming.finish((!file.mime.is_empty()).then_some(&file.mime), None).await
}

#[cfg(test)]
mod tests;
