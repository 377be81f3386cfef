//! What values a field takes.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// What values a field takes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FieldKind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// One of these values.
    Choice(Vec<Value>),
    /// A file: its URL, or a data URL.
    Media(Media),
    /// Several values of one kind.
    List(Box<FieldKind>),
    /// Any other JSON, or several types at once.
    Json,
}

/// What a file is, by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Media {
    /// `image/…`.
    Image,
    /// `video/…`.
    Video,
    /// `audio/…`.
    Audio,
    /// `model/…`.
    Model3d,
    /// Everything else.
    File,
}

impl FieldKind {
    /// The kind of one property of a schema (nulls set aside).
    pub(super) fn of(property: &Value) -> Self {
        if let Some(choices) = property.get("enum").and_then(Value::as_array).filter(|choices| !choices.is_empty()) {
            return Self::Choice(choices.iter().filter(|choice| !choice.is_null()).cloned().collect());
        }
        match property.get("type").and_then(Value::as_str) {
            // As core does, which takes both marks for a file.
            Some("string") => match property.get("contentMediaType").and_then(Value::as_str) {
                Some(media_type) if property.get("format").is_some_and(|format| format == "uri") => {
                    Self::Media(Media::of(media_type))
                }
                _ => Self::Text,
            },
            Some("integer") => Self::Integer,
            Some("number") => Self::Number,
            Some("boolean") => Self::Boolean,
            Some("array") => {
                Self::List(Box::new(property.get("items").map_or(Self::Json, |items| Self::of(&without_null(items).0))))
            }
            _ => Self::Json,
        }
    }

    /// Is it a list?
    #[must_use]
    pub const fn is_list(&self) -> bool {
        matches!(self, Self::List(_))
    }

    /// The file that it, or each entry of its list, is.
    #[must_use]
    pub fn media(&self) -> Option<Media> {
        match self {
            Self::Media(media) => Some(*media),
            Self::List(entry) => entry.media(),
            _ => None,
        }
    }

    /// Its word for people.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Integer => "integer".to_owned(),
            Self::Number => "number".to_owned(),
            Self::Boolean => "yes or no".to_owned(),
            Self::Choice(_) => "choice".to_owned(),
            Self::Media(media) => media.word().to_owned(),
            Self::List(entry) => match entry.as_ref() {
                Self::Json | Self::List(_) => "list".to_owned(),
                Self::Boolean => "list of yes or no".to_owned(),
                entry => format!("list of {}s", entry.word()),
            },
            Self::Json => "JSON".to_owned(),
        }
    }
}

impl Media {
    fn of(media_type: &str) -> Self {
        match media_type.split('/').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "image" => Self::Image,
            "video" => Self::Video,
            "audio" => Self::Audio,
            "model" => Self::Model3d,
            _ => Self::File,
        }
    }

    /// Its word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Model3d => "3D model",
            Self::File => "file",
        }
    }
}

/// A property without the null that it also takes, and whether it takes it: as `type: [T, null]`, as a `null` in `enum`,
/// or as `anyOf` or `oneOf` of one form and null.
pub(super) fn without_null(property: &Value) -> (Cow<'_, Value>, bool) {
    let Some(fields) = property.as_object() else { return (Cow::Borrowed(property), false) };
    if let Some(Value::Array(types)) = fields.get("type") {
        let others: Vec<&Value> = types.iter().filter(|name| *name != "null").collect();
        let nullable = others.len() < types.len();
        if let [only] = others.as_slice() {
            let mut plain = fields.clone();
            plain.insert("type".to_owned(), (*only).clone());
            return (Cow::Owned(Value::Object(plain)), nullable);
        }
        return (Cow::Borrowed(property), nullable);
    }
    for word in ["anyOf", "oneOf"] {
        let Some(forms) = fields.get(word).and_then(Value::as_array) else { continue };
        let is_null = |form: &&Value| form.get("type").is_some_and(|name| name == "null");
        let mut others = forms.iter().filter(|form| !is_null(form)).filter_map(Value::as_object);
        let nullable = forms.iter().any(|form| is_null(&form));
        if let (Some(only), None) = (others.next(), others.next()) {
            // What stands beside the forms (title, default) holds for all of them.
            let mut plain: Map<String, Value> = only.clone();
            plain
                .extend(fields.iter().filter(|(key, _)| *key != word).map(|(key, value)| (key.clone(), value.clone())));
            return (Cow::Owned(Value::Object(plain)), nullable);
        }
        return (Cow::Borrowed(property), nullable);
    }
    let nullable =
        fields.get("enum").and_then(Value::as_array).is_some_and(|choices| choices.iter().any(Value::is_null));
    (Cow::Borrowed(property), nullable)
}
