//! What a run gave, in one shape for every service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::custody::Kept;
use crate::json_doc::JsonDoc;
use crate::time::Timestamp;

/// One thing a run gave. Made once, where the provider's answer is read; everybody downstream sees only this (I10).
///
/// Exactly one of `url`, `text` and `json` is set, as [`OutputKind`] says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Output {
    /// What it is.
    pub kind: OutputKind,
    /// Where it is, for everything but text and JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The text itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The JSON itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// Its file name at the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// Its media type, from the service or by its extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// The node of the workflow that gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// The name its author gave this output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_id: Option<String>,
    /// Its place among the run's outputs, from zero.
    pub order: u32,
    /// When `url` stops working; absent when it does not, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Where it is kept, once it is in custody; `url` still says where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custody: Option<Kept>,
}

impl Output {
    /// A file of some kind at a URL.
    pub fn file(kind: OutputKind, url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), ..Self::blank(kind) }
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::blank(OutputKind::Text) }
    }

    /// A JSON value.
    #[must_use]
    pub fn json(value: Value) -> Self {
        Self { json: Some(value), ..Self::blank(OutputKind::Json) }
    }

    const fn blank(kind: OutputKind) -> Self {
        Self {
            kind,
            url: None,
            text: None,
            json: None,
            filename: None,
            mime: None,
            node_id: None,
            output_id: None,
            order: 0,
            expires_at: None,
            custody: None,
        }
    }

    /// Is it at a URL, and in no custody? Text and JSON are on the record already.
    #[must_use]
    pub const fn is_unkept(&self) -> bool {
        self.url.is_some() && self.custody.is_none()
    }

    /// Is it the same output as another, reported again? By URL without its query (presigned URLs differ each time),
    /// else by content and node.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        match (self.url.as_deref().map(bare), other.url.as_deref().map(bare)) {
            (Some(a), Some(b)) => a == b,
            (None, None) => self.text == other.text && self.json == other.json && self.node_id == other.node_id,
            _ => false,
        }
    }
}

/// A URL without its query, where services put signatures: what stays the same when it is signed again.
pub(crate) fn bare(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// What an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OutputKind {
    /// A still or animated picture.
    Image,
    /// A film.
    Video,
    /// Sound.
    Audio,
    /// A three-dimensional model.
    Model3d,
    /// Plain text, in the output itself.
    Text,
    /// Any other file.
    File,
    /// Structured data, in the output itself.
    Json,
}

impl OutputKind {
    /// The kind that a media type says, `File` for those that say nothing.
    #[must_use]
    pub fn from_mime(mime: &str) -> Self {
        match mime.split('/').next().unwrap_or_default() {
            "image" => Self::Image,
            "video" => Self::Video,
            "audio" => Self::Audio,
            "model" => Self::Model3d,
            _ => Self::File,
        }
    }
}

/// Adds what `new` has and `known` has not, keeping the order of arrival; true when something was added. A known
/// output's URL and expiry are renewed, and its custody stays. What a report says of custody is not believed.
pub(crate) fn merge(known: &mut Vec<Output>, new: &[Output]) -> bool {
    let before = known.len();
    for output in new {
        if let Some(old) = known.iter_mut().find(|old| old.same_as(output)) {
            old.url.clone_from(&output.url);
            old.expires_at = output.expires_at;
        } else {
            let mut output = output.clone();
            output.custody = None;
            output.order = u32::try_from(known.len()).unwrap_or(u32::MAX);
            known.push(output);
        }
    }
    known.len() > before
}

/// The output schema of a tool that says nothing more: a list of [`Output`].
#[must_use]
pub fn schema_of_outputs() -> JsonDoc {
    let output = schemars::schema_for!(Output).to_value();
    JsonDoc::from_value(&json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "array",
        "items": { "type": "object", "properties": output.get("properties").cloned().unwrap_or_default().as_object().map(|p| {
            p.keys().map(|k| (k.clone(), json!(true))).collect::<serde_json::Map<_, _>>()
        }), "required": ["kind", "order"] }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_presigned_url_signed_again_is_the_same_output() {
        let mut known = vec![Output::file(OutputKind::Image, "https://b.example/a.png?sig=1")];
        assert!(!merge(&mut known, &[Output::file(OutputKind::Image, "https://b.example/a.png?sig=2")]));
        assert_eq!(known[0].url.as_deref(), Some("https://b.example/a.png?sig=2"));
        assert!(merge(&mut known, &[Output::text("hi"), Output::text("ho")]));
        assert_eq!(known.iter().map(|o| o.order).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn an_empty_report_takes_nothing_away() {
        let mut known = vec![Output::text("hi")];
        assert!(!merge(&mut known, &[]));
        assert_eq!(known.len(), 1);
    }
}
