//! Inputs that are files: a URL, or the file itself as a data URL.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::sentence::{escape, label};
use crate::media::FileUri;
use crate::tool::problem::InputProblem;

/// The most bytes of a URL, because servers refuse longer ones; presigned ones have up to 3,000.
const MAX_URL_BYTES: usize = 8 << 10;

/// Which inputs are files, and of which media type. Those are the properties (or items of a list) that have both
/// `format: "uri"` and a `contentMediaType`.
#[derive(Clone, Debug, Default)]
pub(super) struct MediaInputs(BTreeMap<String, String>);

impl MediaInputs {
    /// Finds them in a schema and takes `format` away there: a data URL of megabytes need not be parsed as a URI, and
    /// [`check`](Self::check) says better what is wrong.
    pub(super) fn take_from(schema: &mut Map<String, Value>) -> Self {
        let mut found = BTreeMap::new();
        let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
            return Self(found);
        };
        for (name, property) in properties {
            let media_type = take_media(property).or_else(|| property.get_mut("items").and_then(take_media));
            if let Some(media_type) = media_type {
                found.insert(name.clone(), media_type);
            }
        }
        Self(found)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// One problem for each text at a media input that is neither an HTTP URL nor a fitting data URL nor the name of a
    /// file. What is no text is left to the schema.
    pub(super) fn check(&self, inputs: &Map<String, Value>) -> Vec<InputProblem> {
        self.texts(inputs).iter().filter_map(check_text).collect()
    }

    /// Every text at a media input.
    pub(super) fn texts<'a>(&'a self, inputs: &'a Map<String, Value>) -> Vec<MediaText<'a>> {
        let mut texts = Vec::new();
        for (name, wanted) in &self.0 {
            let pointer = format!("/{}", escape(name));
            match inputs.get(name) {
                Some(Value::String(text)) => texts.push(MediaText { pointer, wanted, text }),
                Some(Value::Array(items)) => {
                    for (index, text) in items.iter().enumerate().filter_map(|(i, item)| Some((i, item.as_str()?))) {
                        texts.push(MediaText { pointer: format!("{pointer}/{index}"), wanted, text });
                    }
                }
                _ => {}
            }
        }
        texts
    }
}

/// A text that stands for a file.
#[derive(Clone, Debug)]
pub(crate) struct MediaText<'a> {
    /// Where, as a JSON pointer.
    pub(crate) pointer: String,
    /// The media type that is taken there.
    wanted: &'a str,
    pub(crate) text: &'a str,
}

impl MediaText<'_> {
    /// The file itself?
    pub(crate) fn is_data_url(&self) -> bool {
        is_data_url(self.text)
    }

    pub(crate) fn problem(&self, wrong: &str) -> InputProblem {
        InputProblem::new(&self.pointer, "media", format!("{} {wrong}.", label(&self.pointer)))
    }

    /// What is wrong with a file of this media type.
    pub(crate) fn type_problem(&self, given: &str) -> Option<InputProblem> {
        type_problem(given, self.wanted).map(|wrong| self.problem(&wrong))
    }
}

fn take_media(property: &mut Value) -> Option<String> {
    let property = property.as_object_mut()?;
    let media_type = property.get("contentMediaType")?.as_str()?.to_ascii_lowercase();
    property.get("format").filter(|format| *format == "uri")?;
    property.remove("format");
    Some(media_type)
}

/// Does it begin as a data URL does?
pub(super) fn is_data_url(text: &str) -> bool {
    starts_with(text, "data:")
}

fn starts_with(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

fn check_text(media: &MediaText<'_>) -> Option<InputProblem> {
    let text = media.text;
    let wrong = if is_data_url(text) {
        data_url_problem(text, media.wanted)
    } else if starts_with(text, "https://") || starts_with(text, "http://") {
        http_url_problem(text)
    } else if text.parse::<FileUri>().is_ok() {
        None
    } else {
        Some("must be an http or https URL, a data URL, or the uri of an uploaded file".to_owned())
    };
    wrong.map(|wrong| media.problem(&wrong))
}

fn http_url_problem(text: &str) -> Option<String> {
    if text.len() > MAX_URL_BYTES {
        return Some(format!("must have at most {MAX_URL_BYTES} bytes as a URL"));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("must be a URL without white space".to_owned());
    }
    let after_scheme = text.split_once("://").map_or("", |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    (host.is_empty() || host.starts_with(':')).then(|| "must be a URL with a host".to_owned())
}

fn data_url_problem(text: &str, media_type: &str) -> Option<String> {
    let Some((head, content)) = text.get(5..).and_then(|rest| rest.split_once(',')) else {
        return Some("must be a whole data URL: data:image/png;base64,…".to_owned());
    };
    let mut head = head.split(';').map(str::trim);
    let given = head.next().filter(|given| !given.is_empty()).unwrap_or("text/plain").to_ascii_lowercase();
    if let Some(wrong) = type_problem(&given, media_type) {
        return Some(wrong);
    }
    if content.is_empty() {
        return Some("must not be an empty file".to_owned());
    }
    let is_base64 = head.any(|part| part.eq_ignore_ascii_case("base64"));
    (is_base64 && !looks_like_base64(content.as_bytes())).then(|| "must be valid base64".to_owned())
}

fn type_problem(given: &str, wanted: &str) -> Option<String> {
    let shown = || given.chars().take(60).collect::<String>();
    (!fits(given, wanted)).then(|| format!("must be {wanted}; it is {}", shown()))
}

/// Does a media type match one that may end in `/*`?
fn fits(given: &str, wanted: &str) -> bool {
    let anything = matches!(wanted, "*/*" | "application/octet-stream");
    anything || wanted.strip_suffix('*').map_or(given == wanted, |start| given.starts_with(start))
}

/// The alphabet and the length, without decoding megabytes.
fn looks_like_base64(content: &[u8]) -> bool {
    let padding = content.iter().rev().take(3).take_while(|byte| **byte == b'=').count();
    let (letters, _) = content.split_at(content.len() - padding);
    padding <= 2
        && letters.len() % 4 != 1
        && (padding == 0 || content.len().is_multiple_of(4))
        && letters.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_'))
}
