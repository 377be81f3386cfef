//! The classes of input nodes.

use super::SendAs;

/// A class of input nodes (ComfyDeploy protocol notes, §2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Text,
    Image,
    ImageBatch,
    Number,
    NumberInt,
    Slider,
    SliderInt,
    Boolean,
    Choice,
    Seed,
    Lora,
    Checkpoint,
    Video,
    Audio,
    Exr,
    File,
    FaceModel,
    Color,
    /// Only for realtime connections, which a durable run is not.
    Realtime,
    /// A class newer than this crate.
    Unknown,
}

const PREFIX: &str = "ComfyUIDeployExternal";

/// Whether a node of that class takes a value from outside. (Misspelt by the service.)
pub(crate) fn is_input(class: &str) -> bool {
    class.starts_with(PREFIX) || class == "ComfyDeployWebscoketImageInput"
}

/// Whether the service's own list surely has inputs of that class: it lacks four, and may lack newer ones.
pub(super) fn is_listed(class_type: &str) -> bool {
    let name = class_type.strip_prefix(PREFIX).unwrap_or_default();
    !matches!(name, "Seed" | "FaceModel" | "Vid" | "Color")
        && !matches!(Class::of(class_type), Class::Realtime | Class::Unknown)
}

impl Class {
    pub(crate) fn of(class_type: &str) -> Self {
        let Some(name) = class_type.strip_prefix(PREFIX) else {
            return Self::Realtime;
        };
        match name {
            "Text" | "TextAny" | "TextSingleLine" => Self::Text,
            "Image" | "ImageAlpha" => Self::Image,
            "ImageBatch" => Self::ImageBatch,
            "Number" => Self::Number,
            "NumberInt" => Self::NumberInt,
            "NumberSlider" => Self::Slider,
            "NumberSliderInt" => Self::SliderInt,
            "Boolean" => Self::Boolean,
            "Enum" => Self::Choice,
            "Seed" => Self::Seed,
            "Lora" => Self::Lora,
            "Checkpoint" => Self::Checkpoint,
            "Video" | "Vid" => Self::Video,
            "Audio" => Self::Audio,
            "EXR" => Self::Exr,
            "File" => Self::File,
            "FaceModel" => Self::FaceModel,
            "Color" => Self::Color,
            _ => Self::Unknown,
        }
    }

    pub(crate) const fn send_as(self) -> Option<SendAs> {
        match self {
            Self::NumberInt | Self::SliderInt | Self::Seed => Some(SendAs::Integer),
            Self::ImageBatch => Some(SendAs::JsonText),
            _ => None,
        }
    }

    /// The word in `x-stationthis.kind`.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::ImageBatch => "images",
            Self::Number | Self::NumberInt => "number",
            Self::Slider | Self::SliderInt => "slider",
            Self::Boolean => "boolean",
            Self::Choice => "choice",
            Self::Seed => "seed",
            Self::Lora => "lora",
            Self::Checkpoint => "checkpoint",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Exr => "exr",
            Self::File => "file",
            Self::FaceModel => "faceModel",
            Self::Color => "color",
            Self::Realtime | Self::Unknown => "unknown",
        }
    }
}
