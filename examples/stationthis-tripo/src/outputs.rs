//! From the URLs of a finished task to outputs.

use serde_json::{Map, Value};
use stationthis_core::Timestamp;
use stationthis_core::task::output::{Output, OutputKind};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a URL is taken to work. Tripo's pages say 60 s, five minutes and 24 hours; a URL that is thought dead is
/// only asked for again.
const URL_LIFE: Duration = Duration::from_secs(60);

/// The most outputs of one task: a task has a few URLs, and lists of a few dozen at most.
const OUTPUTS_MAX: usize = 100;

/// The keys that hold the result itself, the best first. Those without `_url` are older names.
const PRIMARY: [&str; 6] = ["model_url", "model", "pbr_model", "base_model", "model_urls", "seg_model_url"];

/// What a check of a model says.
const FACTS: [&str; 3] = ["riggable", "rig_type", "topology"];

/// The reference picture that 3D tasks make on their way: a result only where there is no model.
const REFERENCE: &str = "generated_image_url";

/// The outputs of a finished task, seen at a time: models first, then the pictures, films and other files, each once;
/// what a check says as JSON.
pub(crate) fn convert(output: Option<&BTreeMap<String, Value>>, seen: Timestamp) -> Vec<Output> {
    let Some(output) = output else { return Vec::new() };
    let primary = PRIMARY.iter().filter_map(|key| Some((*key, output.get(*key)?)));
    let found: Vec<(&str, &str)> = primary.flat_map(|(key, value)| urls(key, value)).collect();
    let has_model = !found.is_empty();
    let rest = output.iter().filter(|(key, _)| !(PRIMARY.contains(&key.as_str()) || has_model && *key == REFERENCE));
    let rest = rest.flat_map(|(key, value)| named_urls(key, value));
    let mut seen_already = BTreeSet::new();
    let all = found.into_iter().chain(rest).filter(|(_, url)| seen_already.insert(bare(url)));
    let mut outputs: Vec<Output> = all.take(OUTPUTS_MAX).map(|(key, url)| file(key, url, seen)).collect();
    outputs.extend(facts(output));
    for (order, output) in (0..).zip(&mut outputs) {
        output.order = order;
    }
    outputs
}

/// The URLs below a key that is known to hold them.
fn urls<'a>(key: &'a str, value: &'a Value) -> Vec<(&'a str, &'a str)> {
    let texts: Vec<&str> = match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is_url = |text: &&str| text.starts_with("https://") || text.starts_with("http://");
    texts.into_iter().filter(is_url).map(|text| (key, text)).collect()
}

/// Those of every key that is named for them, and of the group of four views.
fn named_urls<'a>(key: &'a str, value: &'a Value) -> Vec<(&'a str, &'a str)> {
    match value {
        Value::Object(group) if key == "generate_multiview_image" => {
            group.iter().flat_map(|(key, value)| urls(key, value)).collect()
        }
        _ if key.ends_with("_url") || key.ends_with("_urls") => urls(key, value),
        _ => Vec::new(),
    }
}

fn bare(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// What it is, is said by the ending of its path: with quads and for FBX a model is no GLB.
fn file(key: &str, url: &str, seen: Timestamp) -> Output {
    let after_host = bare(url).split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
    let name = after_host.and_then(|path| path.rsplit('/').next()).filter(|name| !name.is_empty());
    let ending = name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
    let by_ending = ending.as_deref().and_then(by_ending);
    let kind = match by_ending {
        Some((kind, _)) if kind != OutputKind::File => kind,
        _ => by_key(key),
    };
    let mut output = Output::file(kind, url);
    output.mime = by_ending.map(|(_, mime)| mime.to_owned());
    output.filename = name.map(str::to_owned);
    output.output_id = Some(key.to_owned());
    output.expires_at = Some(seen.plus(URL_LIFE));
    output
}

fn by_ending(ending: &str) -> Option<(OutputKind, &'static str)> {
    use OutputKind::{File, Image, Model3d, Video};
    Some(match ending {
        "glb" => (Model3d, "model/gltf-binary"),
        "gltf" => (Model3d, "model/gltf+json"),
        "obj" => (Model3d, "model/obj"),
        "stl" => (Model3d, "model/stl"),
        "3mf" => (Model3d, "model/3mf"),
        "usdz" => (Model3d, "model/vnd.usdz+zip"),
        // These have no media type of their own.
        "fbx" | "ply" | "splat" | "spz" => (Model3d, "application/octet-stream"),
        "png" => (Image, "image/png"),
        "jpg" | "jpeg" => (Image, "image/jpeg"),
        "webp" => (Image, "image/webp"),
        "mp4" => (Video, "video/mp4"),
        "webm" => (Video, "video/webm"),
        // A model with its textures, or a sequence of pictures.
        "zip" => (File, "application/zip"),
        _ => return None,
    })
}

fn by_key(key: &str) -> OutputKind {
    if PRIMARY.contains(&key) || key == "splat_url" {
        OutputKind::Model3d
    } else if key.contains("video") {
        OutputKind::Video
    } else if key.contains("image") || key.contains("view") || matches!(key, "mask_url" | "uv_render_url") {
        OutputKind::Image
    } else {
        OutputKind::File
    }
}

/// What a check says, when it says anything.
fn facts(output: &BTreeMap<String, Value>) -> Option<Output> {
    let said =
        FACTS.iter().filter_map(|key| Some(((*key).to_owned(), output.get(*key).filter(|v| !v.is_null())?.clone())));
    let said: Map<String, Value> = said.filter(|(_, value)| !value.is_array() && !value.is_object()).collect();
    (!said.is_empty()).then(|| Output::json(Value::Object(said)))
}

#[cfg(test)]
mod tests;
