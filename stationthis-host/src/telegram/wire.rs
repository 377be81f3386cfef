//! What the Bot API sends, as far as the bot looks at it. Everything else may change its form without being noticed.

use serde::Deserialize;
use serde_json::Value;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) id: i64,
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Message(Box<Message>),
    Press(Box<Press>),
    /// Something else, or something that cannot be read: it is confirmed and forgotten.
    Other,
}

/// A message in a chat.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) message_id: i64,
    /// Seconds since 1970.
    #[serde(default)]
    pub(crate) date: i64,
    pub(crate) chat: Chat,
    #[serde(default)]
    pub(crate) from: Option<User>,
    #[serde(default)]
    pub(crate) message_thread_id: Option<i64>,
    #[serde(default)]
    pub(crate) is_topic_message: bool,
    #[serde(default)]
    pub(crate) text: Option<String>,
    #[serde(default)]
    pub(crate) caption: Option<String>,
    #[serde(default)]
    pub(crate) media_group_id: Option<String>,
    /// One picture in several sizes, the largest last.
    #[serde(default)]
    pub(crate) photo: Vec<FileRef>,
    #[serde(default)]
    pub(crate) document: Option<FileRef>,
    /// A GIF, which stands in `document` too.
    #[serde(default)]
    pub(crate) animation: Option<FileRef>,
    #[serde(default)]
    pub(crate) video: Option<FileRef>,
    #[serde(default)]
    pub(crate) audio: Option<FileRef>,
    #[serde(default)]
    pub(crate) voice: Option<FileRef>,
    #[serde(default)]
    pub(crate) reply_to_message: Option<Box<Message>>,
    /// The group has become a supergroup with this id.
    #[serde(default)]
    pub(crate) migrate_to_chat_id: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Chat {
    pub(crate) id: i64,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    #[serde(default)]
    pub(crate) is_bot: bool,
}

/// A file that was sent to the bot.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FileRef {
    pub(crate) file_id: String,
    #[serde(default)]
    pub(crate) file_size: Option<u64>,
    #[serde(default)]
    pub(crate) mime_type: Option<String>,
}

/// Somebody pressed a button.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Press {
    pub(crate) id: String,
    pub(crate) from: User,
    /// Absent when the message with the button is too old.
    #[serde(default)]
    pub(crate) message: Option<PressedMessage>,
    #[serde(default)]
    pub(crate) data: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PressedMessage {
    pub(crate) chat: Chat,
}

impl Update {
    /// Reads one update; `None` when it has no number, by which alone it could be confirmed.
    pub(crate) fn read(raw: Value) -> Option<Self> {
        let id = raw.get("update_id")?.as_i64()?;
        let Value::Object(mut fields) = raw else { return None };
        let what = if let Some(message) = fields.remove("message") {
            serde_json::from_value(message).map(|message| What::Message(Box::new(message)))
        } else if let Some(press) = fields.remove("callback_query") {
            serde_json::from_value(press).map(|press| What::Press(Box::new(press)))
        } else {
            Ok(What::Other)
        };
        let what = what.unwrap_or_else(|error| {
            tracing::warn!(update = id, %error, "an update of Telegram cannot be read; it is skipped");
            What::Other
        });
        Some(Self { id, what })
    }

    /// The chat that it happened in.
    pub(crate) fn chat(&self) -> Option<i64> {
        match &self.what {
            What::Message(message) => Some(message.chat.id),
            What::Press(press) => press.message.as_ref().map(|message| message.chat.id),
            What::Other => None,
        }
    }

    /// The album that it is a part of, by chat and the album's own name.
    pub(crate) fn album(&self) -> Option<(i64, &str)> {
        let What::Message(message) = &self.what else { return None };
        Some((message.chat.id, message.media_group_id.as_deref()?))
    }
}

impl Message {
    /// What it says, beside a picture or alone.
    pub(crate) fn words(&self) -> &str {
        self.text.as_deref().or(self.caption.as_deref()).unwrap_or_default()
    }

    /// The topic that it is in, to be copied into answers.
    pub(crate) fn thread(&self) -> Option<i64> {
        self.message_thread_id.filter(|_| self.is_topic_message)
    }

    pub(crate) fn is_private(&self) -> bool {
        self.chat.kind == "private"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_new_hides_nothing_and_breaks_nothing() {
        let chat = json!({ "id": 1, "type": "a new kind", "more": [1] });
        let message =
            json!({ "message_id": 5, "chat": chat, "text": "/x", "new": {}, "forward_origin": { "type": "?" } });
        let update = Update::read(json!({ "update_id": 7, "message": message })).unwrap();
        assert!(matches!(&update.what, What::Message(m) if m.words() == "/x" && !m.is_private()));
        let other = Update::read(json!({ "update_id": 8, "a_new_kind": {} })).unwrap();
        assert!(matches!((other.id, other.what), (8, What::Other)));
        let broken = Update::read(json!({ "update_id": 9, "message": { "message_id": "five" } })).unwrap();
        assert!(matches!((broken.id, broken.what), (9, What::Other)), "it can be confirmed");
        assert!(Update::read(json!({ "message": {} })).is_none());
    }
}
