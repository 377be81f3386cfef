//! The service's routes: what is the same for every model.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stationthis_core::task::output::OutputKind;
use stationthis_core::tool::Execution;

/// A route of the API that makes something. In a catalogue and on the wire by its own name: `text2video`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Route {
    /// A film from a text.
    #[serde(rename = "text2video")]
    Text2Video,
    /// A film that begins with a picture.
    #[serde(rename = "img2video")]
    Img2Video,
    /// A film with what is on some pictures.
    #[serde(rename = "reference2video")]
    Reference2Video,
    /// A film between two pictures.
    #[serde(rename = "start-end2video")]
    StartEnd2Video,
    /// A picture, with or without others to go by.
    #[serde(rename = "reference2image")]
    Reference2Image,
    /// Any film with more pixels.
    UpscaleNew,
    /// A film of this service with more pixels; the older way.
    Upscale,
    /// Noises from a text.
    #[serde(rename = "text2audio")]
    Text2Audio,
    /// Speech; answers at once.
    AudioTts,
}

impl Route {
    /// The name, which is also the path's last part.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text2Video => "text2video",
            Self::Img2Video => "img2video",
            Self::Reference2Video => "reference2video",
            Self::StartEnd2Video => "start-end2video",
            Self::Reference2Image => "reference2image",
            Self::UpscaleNew => "upscale-new",
            Self::Upscale => "upscale",
            Self::Text2Audio => "text2audio",
            Self::AudioTts => "audio-tts",
        }
    }

    /// What people call it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Text2Video => "text to video",
            Self::Img2Video => "image to video",
            Self::Reference2Video => "references to video",
            Self::StartEnd2Video => "first and last frame to video",
            Self::Reference2Image => "references to image",
            Self::UpscaleNew => "upscale",
            Self::Upscale => "upscale a Vidu video",
            Self::Text2Audio => "text to sound",
            Self::AudioTts => "text to speech",
        }
    }

    pub(crate) const fn output(self) -> OutputKind {
        match self {
            Self::Text2Video
            | Self::Img2Video
            | Self::Reference2Video
            | Self::StartEnd2Video
            | Self::UpscaleNew
            | Self::Upscale => OutputKind::Video,
            Self::Reference2Image => OutputKind::Image,
            Self::Text2Audio | Self::AudioTts => OutputKind::Audio,
        }
    }

    /// Is the answer the result?
    pub(crate) const fn is_immediate(self) -> bool {
        matches!(self, Self::AudioTts)
    }

    /// Does it take a text of ours that it gives back (`payload`)? The page of `text2audio` lists all that it takes, and
    /// that is not among it; a field too many may be refused (`FieldUnwanted`).
    pub(crate) const fn takes_payload(self) -> bool {
        !matches!(self, Self::Text2Audio)
    }

    /// Does it take an address to call back? Those that make a task and take a payload.
    pub(crate) const fn takes_callback(self) -> bool {
        self.takes_payload() && !self.is_immediate()
    }

    pub(crate) const fn execution(self) -> Execution {
        match (self.is_immediate(), self.takes_callback()) {
            (true, _) => Execution::Immediate,
            (false, true) => Execution::CallbackAndPoll,
            (false, false) => Execution::Poll,
        }
    }

    /// Our inputs that stand in the service's list `images`, in its order: people name one picture, or two, and faces
    /// show a field for each.
    pub(crate) const fn frames(self) -> &'static [&'static str] {
        match self {
            Self::Img2Video => &["image"],
            Self::StartEnd2Video => &["first_frame", "last_frame"],
            _ => &[],
        }
    }

    /// The inputs as the service wants them.
    pub(crate) fn wire_inputs(self, inputs: &Map<String, Value>) -> Map<String, Value> {
        let mut sent: Map<String, Value> = inputs
            .iter()
            .filter(|(name, value)| !value.is_null() && !self.frames().contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), whole(value)))
            .collect();
        let frames: Vec<Value> = self.frames().iter().filter_map(|name| inputs.get(*name)).cloned().collect();
        if !frames.is_empty() {
            sent.insert("images".to_owned(), frames.into());
        }
        sent
    }
}

/// `5.0` as `5`: both are the same to JSON Schema, and the service reads whole numbers.
fn whole(value: &Value) -> Value {
    let float = value.as_f64().filter(|f| value.is_f64() && f.fract() == 0.0 && f.abs() < 9.0e15);
    // Whole and in range by the filter.
    #[allow(clippy::cast_possible_truncation)]
    float.map_or_else(|| value.clone(), |float| Value::from(float as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sent(route: Route, inputs: Value) -> Value {
        Value::Object(route.wire_inputs(inputs.as_object().unwrap()))
    }

    #[test]
    fn pictures_come_in_the_services_order_whatever_ours_is() {
        let inputs = json!({ "last_frame": "https://h/b.png", "first_frame": "https://h/a.png", "duration": 4.0 });
        let expected = json!({ "images": ["https://h/a.png", "https://h/b.png"], "duration": 4 });
        assert_eq!(sent(Route::StartEnd2Video, inputs), expected);
        let inputs = json!({ "image": "https://h/a.png", "prompt": null, "speed": 1.5 });
        assert_eq!(sent(Route::Img2Video, inputs), json!({ "images": ["https://h/a.png"], "speed": 1.5 }));
        let list = json!({ "images": ["https://h/a.png"], "prompt": "x" });
        assert_eq!(sent(Route::Reference2Video, list.clone()), list);
    }

    #[test]
    fn a_route_is_its_own_name() {
        for name in [
            "text2video",
            "img2video",
            "reference2video",
            "start-end2video",
            "reference2image",
            "upscale-new",
            "upscale",
            "text2audio",
            "audio-tts",
        ] {
            let route: Route = serde_json::from_value(json!(name)).unwrap();
            assert_eq!((route.name(), serde_json::to_value(route).unwrap()), (name, json!(name)));
        }
    }
}
