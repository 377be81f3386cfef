//! A task of the service.

use super::config::Faults;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use stationthis_core::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// What a task does; one for each route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    TextToModel,
    ImageToModel,
    MultiviewToModel,
    Texture,
    Convert,
    RigCheck,
    Rig,
    Retarget,
    TextToImage,
    ImageToMultiview,
}

/// Tasks that share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    H,
    P,
    Images,
    Animations,
    Processing,
}

impl Kind {
    /// The kind of a route below `/v3`.
    pub(super) fn of_route(route: &str) -> Option<Self> {
        Some(match route {
            "generation/text-to-model" => Self::TextToModel,
            "generation/image-to-model" => Self::ImageToModel,
            "generation/multiview-to-model" => Self::MultiviewToModel,
            "models/texture" => Self::Texture,
            "models/convert" => Self::Convert,
            "animations/rig-check" => Self::RigCheck,
            "animations/rig" => Self::Rig,
            "animations/retarget" => Self::Retarget,
            "generation/text-to-image" => Self::TextToImage,
            "generation/image-to-multiview" => Self::ImageToMultiview,
            _ => return None,
        })
    }

    /// The old name, which lives on in task objects.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::TextToModel => "text_to_model",
            Self::ImageToModel => "image_to_model",
            Self::MultiviewToModel => "multiview_to_model",
            Self::Texture => "texture_model",
            Self::Convert => "convert_model",
            Self::RigCheck => "animate_prerigcheck",
            Self::Rig => "animate_rig",
            Self::Retarget => "animate_retarget",
            Self::TextToImage => "text_to_image",
            Self::ImageToMultiview => "generate_multiview_image",
        }
    }

    pub(super) fn group(self, body: &Map<String, Value>) -> Group {
        match self {
            Self::TextToModel | Self::ImageToModel | Self::MultiviewToModel => {
                let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
                if model.starts_with('P') { Group::P } else { Group::H }
            }
            Self::Texture | Self::Convert => Group::Processing,
            Self::RigCheck | Self::Rig | Self::Retarget => Group::Animations,
            Self::TextToImage | Self::ImageToMultiview => Group::Images,
        }
    }
}

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Queued,
    Running,
    Ended,
}

#[derive(Clone, Debug)]
pub(super) struct SimTask {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) group: Group,
    pub(super) body: Map<String, Value>,
    pub(super) credits: Decimal,
    pub(super) created: Instant,
    pub(super) created_at: Timestamp,
    pub(super) queue: Duration,
    pub(super) run: Duration,
    /// As things were when it was created.
    pub(super) faults: Faults,
}

impl SimTask {
    pub(super) fn phase(&self) -> Phase {
        let elapsed = self.created.elapsed();
        if elapsed < self.queue {
            Phase::Queued
        } else if self.faults.runs_stay || elapsed < self.queue + self.run {
            Phase::Running
        } else {
            Phase::Ended
        }
    }

    pub(super) fn succeeds(&self) -> bool {
        !self.faults.runs_fail
    }

    /// What it has taken for good by now.
    pub(super) fn consumed(&self) -> Decimal {
        if self.phase() == Phase::Ended && self.succeeds() { self.credits } else { Decimal::ZERO }
    }

    /// The task object, with URLs that are good until a time.
    pub(super) fn view(&self, faults: &Faults, origin: &str, urls_until: Timestamp) -> Value {
        let phase = self.phase();
        let (word, progress) = match (phase, self.succeeds()) {
            (Phase::Queued, _) => ("queued", 0),
            (Phase::Running, _) => ("running", 40),
            (Phase::Ended, true) => ("success", 100),
            (Phase::Ended, false) => ("failed", 40),
        };
        let mut view = Map::new();
        let mut set = |name: &str, value: Value| drop(view.insert(name.to_owned(), value));
        set("task_id", json!(self.id));
        set("type", json!(self.kind.word()));
        set("status", json!(faults.word.as_deref().filter(|_| phase == Phase::Ended).unwrap_or(word)));
        set("progress", json!(progress));
        set("input", json!(self.body));
        set("created_at", json!(self.created_at));
        if phase != Phase::Ended {
            return Value::Object(view);
        }
        set("completed_at", json!(self.created_at.plus(self.queue + self.run)));
        if !faults.no_credits {
            let credits = self.consumed().to_string();
            let number = serde_json::from_str(&credits).unwrap_or_default();
            set("credits_consumed", if faults.credits_as_text { Value::String(credits) } else { number });
        }
        if self.succeeds() {
            set("output", self.output(origin, urls_until));
        } else if faults.nested_error {
            set("error", json!({ "code": "2008", "message": "input rejected" }));
        } else {
            set("error_code", json!(2008));
            set("error_message", json!("input rejected"));
        }
        Value::Object(view)
    }

    fn output(&self, origin: &str, until: Timestamp) -> Value {
        let url = |name: &str| format!("{origin}/outputs/{}/{name}?e={}", self.id, until.as_micros());
        let fbx =
            self.body.get("quad") == Some(&Value::Bool(true)) || self.body.get("out_format") == Some(&json!("fbx"));
        let model = if fbx { "model.fbx" } else { "model.glb" };
        match self.kind {
            Kind::TextToModel | Kind::ImageToModel | Kind::MultiviewToModel => json!({
                "model_url": url(model),
                "rendered_image_url": url("preview.png"),
                "generated_image_url": url("reference.png"),
            }),
            Kind::Texture | Kind::Rig | Kind::Retarget => json!({ "model_url": url(model) }),
            Kind::Convert => {
                let format = self.body.get("format").and_then(Value::as_str).unwrap_or("gltf").to_lowercase();
                json!({ "model_url": url(&format!("model.{format}")) })
            }
            Kind::RigCheck => json!({ "riggable": true, "rig_type": "biped" }),
            Kind::TextToImage => json!({ "generated_image_url": url("picture.png") }),
            Kind::ImageToMultiview => json!({
                "front_view_url": url("front.png"),
                "left_view_url": url("left.png"),
                "back_view_url": url("back.png"),
                "right_view_url": url("right.png"),
            }),
        }
    }
}
