//! From the service's output rows to ours.

use crate::times;
use crate::wire::run::{MediaItem, OutputRow};
use serde_json::Value;
use stationthis_core::task::output::{Output, OutputKind};

/// The most outputs taken from one answer: a video as single frames has some thousand.
const OUTPUTS_MAX: usize = 5000;

/// The longest text output, in bytes; longer ones are a dump of something.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// The outputs of a run's rows: in the order in which the nodes reported them, each once.
///
/// The service does not order its rows, and has several for one node; repeated reports make repeated rows. Left out
/// are previews (type `temp`), files without a URL, and the rows that are not outputs at all (exceptions, node times).
pub(crate) fn convert(rows: &[OutputRow]) -> Vec<Output> {
    let mut rows: Vec<&OutputRow> = rows.iter().collect();
    rows.sort_by_key(|row| row.created_at);
    let mut outputs: Vec<Output> = Vec::new();
    for output in rows.into_iter().flat_map(of_row) {
        if outputs.len() >= OUTPUTS_MAX {
            break;
        }
        if outputs.iter().any(|known| known.same_as(&output)) {
            continue;
        }
        let order = u32::try_from(outputs.len()).unwrap_or(u32::MAX);
        let mut output = output;
        output.order = order;
        outputs.push(output);
    }
    outputs
}

fn of_row(row: &OutputRow) -> Vec<Output> {
    let data = row.data.as_ref().and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let Some(Value::Object(data)) = data else { return Vec::new() };
    if data.contains_key("exception_type") || data.contains_key("error") {
        return Vec::new();
    }
    let node_id = row.node_meta.as_ref().and_then(|meta| meta.node_id.clone());
    let mut outputs = Vec::new();
    for (key, value) in data {
        // Old nodes report a single thing without a list around it.
        let items = if let Value::Array(items) = value { items } else { vec![value] };
        for item in items {
            let Some((mut output, item_id)) = of_item(&key, item) else { continue };
            output.node_id.clone_from(&node_id);
            output.output_id = row.output_id.clone().or(item_id);
            outputs.push(output);
        }
    }
    outputs
}

/// One item of a row, and the output id that it carries itself.
fn of_item(key: &str, item: Value) -> Option<(Output, Option<String>)> {
    match item {
        Value::String(text) if text.is_empty() || text.len() > TEXT_BYTES_MAX => None,
        Value::String(text) if is_file_key(key) && text.starts_with("http") => {
            Some((file(key, MediaItem { url: Some(text), ..MediaItem::default() })?, None))
        }
        Value::String(text) => Some((Output::text(text), None)),
        Value::Object(_) => {
            let mut item: MediaItem = serde_json::from_value(item).ok()?;
            let id = item.output_id.take();
            Some((file(key, item)?, id))
        }
        // Numbers and booleans beside files (`animated: [true]`) are a node's remarks, not its results.
        _ => None,
    }
}

fn is_file_key(key: &str) -> bool {
    by_key(key) != OutputKind::File || matches!(key, "files" | "result")
}

fn file(key: &str, item: MediaItem) -> Option<Output> {
    let url = item.url.filter(|url| !url.is_empty())?;
    if item.folder.as_deref() == Some("temp") {
        return None;
    }
    let filename = item.filename.filter(|name| !name.is_empty());
    let named = filename.as_deref().and_then(mime_of).or_else(|| mime_of(path_of(&url)));
    let told = [item.content_type, item.format].into_iter().flatten().find(|mime| is_telling(mime));
    // Video nodes tell `video/h264-mp4`, which is no media type: the ending is better where both say the same kind.
    let mime = match (told, named) {
        (Some(told), Some(named)) if OutputKind::from_mime(&told) == OutputKind::from_mime(named) => {
            Some(named.to_owned())
        }
        (Some(told), _) => Some(told),
        (None, named) => named.map(str::to_owned),
    };
    let kind = match mime.as_deref().map(OutputKind::from_mime) {
        None | Some(OutputKind::File) if mime.as_deref().is_none_or(|m| !is_telling(m)) => by_key(key),
        Some(kind) => kind,
        None => by_key(key),
    };
    let mut output = Output::file(kind, url);
    output.expires_at = output.url.as_deref().and_then(times::expiry);
    output.filename = filename;
    output.mime = mime;
    Some(output)
}

/// A media type that says more than "bytes".
fn is_telling(mime: &str) -> bool {
    mime.contains('/') && !mime.starts_with("application/octet-stream") && !mime.starts_with("binary/")
}

/// What a key says about files that say nothing themselves.
fn by_key(key: &str) -> OutputKind {
    match key {
        "images" => OutputKind::Image,
        "gifs" | "video" | "videos" => OutputKind::Video,
        "audio" | "audios" => OutputKind::Audio,
        "mesh" | "model_file" | "3d" => OutputKind::Model3d,
        _ => OutputKind::File,
    }
}

fn path_of(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// The media type of a file name's ending.
fn mime_of(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "bmp" => "image/bmp",
        "tif" | "tiff" => "image/tiff",
        "svg" => "image/svg+xml",
        "avif" => "image/avif",
        "exr" => "image/x-exr",
        "psd" | "psb" => "image/vnd.adobe.photoshop",
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "mkv" => "video/x-matroska",
        "avi" => "video/x-msvideo",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "ogg" | "opus" => "audio/ogg",
        "m4a" | "aac" => "audio/mp4",
        "glb" => "model/gltf-binary",
        "gltf" => "model/gltf+json",
        "obj" => "model/obj",
        "stl" => "model/stl",
        "ply" => "model/ply",
        "fbx" => "model/fbx",
        "usdz" => "model/vnd.usdz+zip",
        "txt" | "log" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "json" => "application/json",
        "zip" => "application/zip",
        "pdf" => "application/pdf",
        _ => return None,
    })
}

/// What an output node of that class gives; `None` for other nodes.
///
/// Which nodes save something is known only to the engine; these are the ones that occur.
pub(crate) fn node_kind(class: &str) -> Option<OutputKind> {
    let image = matches!(
        class,
        "SaveImage"
            | "PreviewImage"
            | "ComfyDeployOutputImage"
            | "ComfyDeployOutputEXR"
            | "Image Save"
            | "SaveImageExtended"
    );
    let video = matches!(class, "VHS_VideoCombine" | "SaveVideo" | "CreateVideo" | "SaveAnimatedMP4")
        || class.starts_with("SaveWEBM");
    let model = matches!(class, "SaveGLB" | "Save3D" | "Preview3D" | "Hy3DExportMesh") || class.contains("SaveMesh");
    let text = class.starts_with("ShowText") || matches!(class, "PreviewAny" | "DisplayText");
    if image || class.starts_with("SaveAnimated") && !video {
        Some(OutputKind::Image)
    } else if video {
        Some(OutputKind::Video)
    } else if class.starts_with("SaveAudio") || class == "PreviewAudio" {
        Some(OutputKind::Audio)
    } else if model {
        Some(OutputKind::Model3d)
    } else if text {
        Some(OutputKind::Text)
    } else if matches!(class, "ComfyDeployOutputText" | "ComfyDeployOutputFile") {
        // Their results are uploaded and come as files, texts too.
        Some(OutputKind::File)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
