//! One thing that the bot sends.

use serde_json::{Value, json};
use stationthis_core::TaskId;
use stationthis_core::task::output::Output;

use crate::telegram::address::Place;

/// One thing that the bot sends: a message, a file, or an album.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// A text, with buttons below it.
    Text { text: String, buttons: Option<Value> },
    /// A file.
    File(Media, String),
    /// Two to ten pictures and films, with words below the first.
    Album(Vec<Media>, String),
}

/// A file, and how it gets to Telegram.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Media {
    /// Whose output it is.
    pub(crate) task: TaskId,
    pub(crate) form: Form,
    pub(crate) source: Source,
    /// Its file name there.
    pub(crate) filename: String,
    /// Its media type.
    pub(crate) mime: String,
}

/// The form in which a chat shows a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Photo,
    Video,
    Animation,
    Audio,
    Document,
}

/// Where a file comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// Telegram fetches it itself, by the URL of this output.
    Link(Box<Output>),
    /// The host fetches this output and sends it on.
    Fetched(Box<Output>),
    /// It is here.
    Bytes(Vec<u8>),
}

impl Form {
    /// The method that sends it.
    pub(crate) const fn method(self) -> &'static str {
        match self {
            Self::Photo => "sendPhoto",
            Self::Video => "sendVideo",
            Self::Animation => "sendAnimation",
            Self::Audio => "sendAudio",
            Self::Document => "sendDocument",
        }
    }

    /// The name of its field.
    pub(crate) const fn field(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Video => "video",
            Self::Animation => "animation",
            Self::Audio => "audio",
            Self::Document => "document",
        }
    }

    /// The most bytes that are uploaded, by Telegram's rules.
    pub(crate) const fn bytes_max(self) -> u64 {
        match self {
            Self::Photo => 10 * 1024 * 1024,
            Self::Video | Self::Animation | Self::Audio | Self::Document => 50 * 1024 * 1024,
        }
    }

    /// May it stand in an album with others?
    pub(crate) const fn fits_album(self) -> bool {
        matches!(self, Self::Photo | Self::Video)
    }
}

impl Piece {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), buttons: None }
    }

    /// How many messages it counts as.
    pub(crate) const fn items(&self) -> usize {
        match self {
            Self::Text { .. } | Self::File(..) => 1,
            Self::Album(media, _) => media.len(),
        }
    }

    /// The method that sends it.
    pub(crate) const fn method(&self) -> &'static str {
        match self {
            Self::Text { .. } => "sendMessage",
            Self::File(media, _) => media.form.method(),
            Self::Album(..) => "sendMediaGroup",
        }
    }

    /// Its files.
    pub(crate) fn media(&self) -> &[Media] {
        match self {
            Self::Text { .. } => &[],
            Self::File(media, _) => std::slice::from_ref(media),
            Self::Album(media, _) => media,
        }
    }

    /// The fields of its method, at a place.
    pub(crate) fn fields(&self, place: Place) -> Value {
        let mut fields = match self {
            Self::Text { text, buttons } => {
                let mut fields = json!({ "text": text, "link_preview_options": { "is_disabled": true } });
                put(&mut fields, "reply_markup", buttons.clone());
                fields
            }
            Self::File(media, caption) => {
                json!({ media.form.field(): media.reference(0), "caption": caption })
            }
            Self::Album(all, caption) => {
                let entries = all.iter().enumerate().map(|(index, media)| {
                    let mut entry = json!({ "type": media.form.field(), "media": media.reference(index) });
                    put(&mut entry, "caption", (index == 0).then(|| caption.clone().into()));
                    entry
                });
                json!({ "media": entries.collect::<Vec<_>>() })
            }
        };
        put(&mut fields, "chat_id", Some(place.chat.into()));
        put(&mut fields, "message_thread_id", place.thread.map(Value::from));
        // The command may be deleted while its task runs.
        let reply = place.message.map(|id| json!({ "message_id": id, "allow_sending_without_reply": true }));
        put(&mut fields, "reply_parameters", reply);
        fields
    }
}

impl Media {
    /// What the fields call it by: its URL, or the part of the upload that holds it.
    fn reference(&self, index: usize) -> String {
        match &self.source {
            Source::Link(output) => output.url.clone().unwrap_or_default(),
            Source::Fetched(_) | Source::Bytes(_) => format!("attach://{}", part(index)),
        }
    }

    /// The same file, fetched by the host and sent on.
    pub(crate) fn fetched(&self) -> Self {
        match &self.source {
            Source::Link(output) => Self { source: Source::Fetched(output.clone()), ..self.clone() },
            Source::Fetched(_) | Source::Bytes(_) => self.clone(),
        }
    }

    /// Where it is, when it is not here.
    pub(crate) fn url(&self) -> Option<&str> {
        match &self.source {
            Source::Link(output) | Source::Fetched(output) => output.url.as_deref(),
            Source::Bytes(_) => None,
        }
    }
}

/// The name of the part of an upload that holds the file of this index.
pub(crate) fn part(index: usize) -> String {
    format!("file{index}")
}

/// Sets a field of an object.
pub(crate) fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(fields), Some(value)) = (object.as_object_mut(), value) {
        fields.insert(name.to_owned(), value);
    }
}
