//! The price list of August to October 2026.

use super::task::Kind;
use serde_json::{Map, Value};

/// The credits of a task, before a discount.
pub(super) fn of(kind: Kind, body: &Map<String, Value>) -> u32 {
    let flag = |name: &str, default: bool| body.get(name).and_then(Value::as_bool).unwrap_or(default);
    let word = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let model = word("model");
    let textured = flag("texture", true) || flag("pbr", true);
    let quality = if textured { word("texture_quality") } else { "" };
    match kind {
        Kind::TextToModel | Kind::ImageToModel | Kind::MultiviewToModel => {
            let by_image = if kind == Kind::TextToModel { 0 } else { 10 };
            if model.starts_with("P2") {
                return 100 + if textured { 10 } else { 0 };
            }
            if model.starts_with("P1") {
                let texture = if textured { if quality == "detailed" { 20 } else { 10 } } else { 0 };
                return 30 + by_image + texture;
            }
            let texture = match (textured, quality) {
                (false, _) => 0,
                (true, "detailed") => 20,
                (true, "extreme") => 30,
                (true, _) => 10,
            };
            let addons = [
                (word("geometry_quality") == "detailed", 20),
                (flag("quad", false), 5),
                (flag("smart_low_poly", false), 10),
                (flag("generate_parts", false), 20),
            ];
            10 + by_image + texture + addons.iter().filter(|(on, _)| *on).map(|(_, credits)| credits).sum::<u32>()
        }
        Kind::Texture => match quality {
            "detailed" => 20,
            "extreme" => 30,
            _ => 10,
        },
        Kind::Convert => {
            let plain = |name: &str, value: &Value| matches!(name, "input" | "format") || *value == Value::Bool(false);
            if body.iter().all(|(name, value)| plain(name, value)) { 5 } else { 10 }
        }
        Kind::RigCheck => 0,
        Kind::Rig => 25,
        Kind::Retarget => {
            let many = body.get("animations").and_then(Value::as_array).map_or(1, Vec::len);
            10 * u32::try_from(many).unwrap_or(1)
        }
        Kind::TextToImage => 5,
        Kind::ImageToMultiview => 10,
    }
}
