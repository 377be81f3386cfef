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

use crate::desk::Desk;
use crate::face::failure;
use crate::face::input::{Field, Fields, Media};

/// The most bytes of a file as a data URL: it has a third more there, and must stay below [`MAX_MEDIA_BYTES`].
const DATA_BYTES_MAX: usize = MAX_MEDIA_BYTES / 4 * 3 - 1024;

/// The inputs that pairs of names and texts stand for; a text at a media input that is no address is the path of a file,
/// which is kept by the station and named in its place.
///
/// # Errors
/// `InvalidInput` with a problem for each file that cannot be read or is not taken; else as [`Desk::keep_file`].
pub(super) async fn inputs(desk: &Desk, fields: &Fields, pairs: &[(String, String)]) -> Result<Map<String, Value>> {
    let mut read = Vec::with_capacity(pairs.len());
    let mut problems = Vec::new();
    for (name, text) in pairs {
        let Some((field, media)) = fields.find(name).and_then(|field| Some((field, path_for(field, text)?))) else {
            read.push((name.as_str(), text.clone()));
            continue;
        };
        match sent(desk, media, Path::new(text.trim())).await {
            Ok(address) => read.push((name.as_str(), address)),
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::TooLarge) => {
                problems.push(refused(field, text, &error));
            }
            Err(error) => return Err(error),
        }
    }
    if !problems.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "read files").with_problems(problems));
    }
    Ok(fields.read(read.iter().map(|(name, text)| (*name, text.as_str()))))
}

/// What the file of a path is to be, for a text that is one.
fn path_for(field: &Field, text: &str) -> Option<Media> {
    let text = text.trim();
    field.kind.media().filter(|_| !text.is_empty() && !text.starts_with('[') && !Media::is_address(text))
}

fn refused(field: &Field, text: &str, error: &Error) -> InputProblem {
    // RFC 6901.
    let pointer = format!("/{}", field.name.replace('~', "~0").replace('/', "~1"));
    InputProblem::new(pointer, "media", format!("{}: {text}: {}", field.name, failure::lines(error).join(" ")))
}

/// The address by which an input names the file. What the station does not keep, since it is no picture, film, sound or
/// model, or since it keeps no files at all, goes into the input itself.
async fn sent(desk: &Desk, media: Media, path: &Path) -> Result<String> {
    let known = media_type(path);
    if media == Media::File || known == Some("image/x-exr") {
        return data_url(path, known.unwrap_or("application/octet-stream")).await;
    }
    let declared = known.filter(|mime| !mime.starts_with("text/") && !mime.starts_with("application/"));
    match desk.keep_file(path, declared).await {
        Ok(file) => Ok(file.uri),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            data_url(path, known.unwrap_or("application/octet-stream")).await
        }
        Err(error) => Err(error),
    }
}

async fn data_url(path: &Path, media_type: &str) -> Result<String> {
    let refused = |text: String| Error::new(ErrorKind::InvalidInput, "read file").with_message(text);
    let failed = |e: std::io::Error| refused(format!("It cannot be read: {e}."));
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    // One more than the most, to tell the two apart.
    file.take(DATA_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() > DATA_BYTES_MAX {
        return Err(refused(format!("It has more than {} MB; give its URL.", DATA_BYTES_MAX / 1_000_000)));
    }
    Ok(format!("data:{media_type};base64,{}", BASE64_STANDARD.encode(bytes)))
}

/// By the file's ending.
fn media_type(path: &Path) -> Option<&'static str> {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    let found = match ending.as_str() {
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
        _ => return None,
    };
    Some(found)
}
