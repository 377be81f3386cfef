//! What a run's picture is drawn from.

use super::graph::Graph;
use super::ids;
use serde_json::{Map, Value};

/// The largest side of a drawn picture in pixels: a drawing costs the time of its area, and the
/// simulator is no place to wait.
pub(crate) const MAX_SIDE: u32 = 512;

/// The inputs that a picture depends on.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) prompt: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Pictures of one prompt differ by seed and by source picture.
    pub(crate) seed: u64,
}

impl Scene {
    /// Reads the scene from a graph and the values given to it; `luck` stands in where the engine would
    /// choose a seed itself.
    pub(crate) fn of(graph: &Graph, inputs: &Map<String, Value>, luck: u64) -> Self {
        let side = |name: &str| {
            let value = graph.resolve(name, inputs);
            value.as_ref().and_then(as_side).unwrap_or(MAX_SIDE)
        };
        let (width, height) = fit(side("width"), side("height"));
        let external = |id: &str| {
            let mut nodes = graph.nodes.iter();
            let node = nodes.find(|node| node.external_id() == Some(id))?;
            graph.value_of(node, inputs)
        };
        let prompt = ["prompt", "text", "question", "input_text"]
            .into_iter()
            .find_map(|id| external(id)?.as_str().map(str::to_owned))
            .or_else(|| inputs.values().find_map(|v| v.as_str().map(str::to_owned)))
            .unwrap_or_default();
        let given = external("seed");
        let random = match &given {
            // The seed node takes -1, and whatever else is out of its range, as "any".
            Some(seed) => seed.as_f64().is_none_or(|seed| seed < 1.0),
            // The worker replaces seeds written into the graph before each run (§2.5).
            None => graph.nodes.iter().any(|node| node.inputs.get("seed").is_some_and(Value::is_number)),
        };
        let seed = format!("{given:?}|{:?}|{:?}", inputs.get("input_image"), random.then_some(luck));
        Self { prompt, width, height, seed: ids::hash64(&seed) }
    }

    /// A text about the prompt, for nodes whose result is one.
    pub(crate) fn caption(&self) -> String {
        let picked = |words: &[&'static str], shift: u32| {
            let hash = self.seed ^ ids::hash64(&self.prompt);
            let at = usize::try_from(hash >> shift).unwrap_or(0) % words.len().max(1);
            words.get(at).copied().unwrap_or_default()
        };
        let light = picked(&["soft morning light", "a low evening sun", "clear noon light"], 3);
        let place = picked(&["layered hills", "a quiet shore", "a wide valley"], 13);
        let mood = picked(&["calm", "expectant", "dreamlike"], 23);
        format!("Asked: {}\nThe picture shows {place} under {light}; the mood is {mood}.\n", self.prompt)
    }
}

/// A side in pixels from a number or a text; nothing sensible gives none.
fn as_side(value: &Value) -> Option<u32> {
    let number = match value {
        Value::String(text) => text.parse::<f64>().ok()?,
        other => other.as_f64()?,
    };
    let rounded = number.round();
    (1.0..=65_536.0).contains(&rounded).then(|| format!("{rounded:.0}").parse().ok()).flatten()
}

/// Shrinks to [`MAX_SIDE`], keeping the proportions.
fn fit(width: u32, height: u32) -> (u32, u32) {
    let largest = width.max(height).max(1);
    if largest <= MAX_SIDE {
        return (width.max(1), height.max(1));
    }
    let scaled = |side: u32| (side.saturating_mul(MAX_SIDE) / largest).max(1);
    (scaled(width), scaled(height))
}
