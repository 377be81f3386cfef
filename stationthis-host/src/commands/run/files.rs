//! Files of this machine as inputs.

use std::ffi::OsStr;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};
use stationthis_core::tool::problem::InputProblem;
use stationthis_core::tool::validate::MAX_MEDIA_BYTES;
use stationthis_core::{Error, ErrorKind, Result};
use tokio::io::AsyncReadExt;

use crate::face::input::{Field, Fields, Media};

/// The most bytes of a file: as a data URL it has a third more, and must stay below [`MAX_MEDIA_BYTES`].
const FILE_BYTES_MAX: usize = MAX_MEDIA_BYTES / 4 * 3 - 1024;

/// The inputs that pairs of names and texts stand for; a text at a media input that is no address is the path of a file,
/// which is read and sent along.
///
/// # Errors
/// `InvalidInput` with a problem for each file that cannot be read.
pub(super) async fn inputs(fields: &Fields, pairs: &[(String, String)]) -> Result<Map<String, Value>> {
    let mut read = Vec::with_capacity(pairs.len());
    let mut problems = Vec::new();
    for (name, text) in pairs {
        match fields.find(name).filter(|field| is_path(field, text)) {
            None => read.push((name.as_str(), text.clone())),
            Some(field) => match data_url(Path::new(text)).await {
                Ok(url) => read.push((name.as_str(), url)),
                Err(reason) => problems.push(unreadable(field, text, &reason)),
            },
        }
    }
    if !problems.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "read files").with_problems(problems));
    }
    Ok(fields.read(read.iter().map(|(name, text)| (*name, text.as_str()))))
}

fn is_path(field: &Field, text: &str) -> bool {
    let text = text.trim();
    field.kind.media().is_some() && !text.is_empty() && !text.starts_with('[') && !Media::is_address(text)
}

fn unreadable(field: &Field, text: &str, reason: &str) -> InputProblem {
    // RFC 6901.
    let pointer = format!("/{}", field.name.replace('~', "~0").replace('/', "~1"));
    InputProblem::new(pointer, "media", format!("{}: the file {text} {reason}.", field.name))
}

async fn data_url(path: &Path) -> std::result::Result<String, String> {
    let failed = |e: std::io::Error| format!("cannot be read: {e}");
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    // One more than the most, to tell the two apart.
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("has more than {} MB; give the URL of it", FILE_BYTES_MAX / 1_000_000));
    }
    Ok(format!("data:{};base64,{}", media_type(path), BASE64_STANDARD.encode(bytes)))
}

/// By the file's ending; what is not known is bytes.
fn media_type(path: &Path) -> &'static str {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "avif" => "image/avif",
        "heic" => "image/heic",
        "bmp" => "image/bmp",
        "tif" | "tiff" => "image/tiff",
        "exr" => "image/x-exr",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "mkv" => "video/x-matroska",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "m4a" => "audio/mp4",
        "glb" => "model/gltf-binary",
        "gltf" => "model/gltf+json",
        "obj" => "model/obj",
        "stl" => "model/stl",
        "txt" => "text/plain",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}
