//! Giving files to the service, in three steps: a place, the bytes, the end.

use crate::cancel::escaped;
use crate::client::Client;
use crate::error::Operation;
use crate::wire::{UploadPlace, Uploaded};
use reqwest::Method;
use serde_json::json;
use stationthis_core::provider::{UploadFile, UploadedFile};
use stationthis_core::{Error, ErrorKind, Result, Timestamp};
use std::time::Duration;

const OPERATION: Operation = Operation::Upload;

/// The largest picture that the service takes as a file: 10 MB.
pub const UPLOAD_BYTES_MAX: usize = 10_000_000;

/// What the service reads as a picture.
const TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/jpg", "image/webp"];

/// How long a file is counted on. The page says about seven days, so six are certain.
const UPLOAD_LIFE: Duration = Duration::from_secs(6 * 24 * 3600);

/// Uploads a picture; the answer's `ssupload:` can stand as an input's value.
///
/// The service documents this for pictures alone; films and sounds must be given by URL.
pub(crate) async fn upload(client: &Client, file: UploadFile) -> Result<UploadedFile> {
    let refused = |kind, message: &str| Err(Error::new(kind, OPERATION.name()).with_message(message));
    let content_type = file.content_type.to_ascii_lowercase();
    if !TYPES.contains(&content_type.as_str()) {
        return refused(
            ErrorKind::InvalidInput,
            "Vidu takes PNG, JPEG and WebP pictures as files, and everything else by URL alone.",
        );
    }
    if file.bytes.len() > UPLOAD_BYTES_MAX {
        return refused(ErrorKind::TooLarge, "Vidu takes pictures of at most 10 MB as files.");
    }
    let timeout = client.timeouts.upload;
    let body = json!({ "scene": "vidu" });
    let answer = client.write(OPERATION, Method::POST, &client.files(""), &body, timeout, &[]).await?;
    let place: UploadPlace = serde_json::from_slice(&answer).map_err(|e| OPERATION.call().unreadable(200, e))?;
    let id = place.id.ok_or_else(|| OPERATION.call().unreadable(200, "it names no upload"))?;
    let etag = client.put_presigned(OPERATION, &place.put_url, &content_type, file.bytes).await?;
    let url = client.files(&format!("/{}/finish", escaped(&id)));
    let body = json!({ "etag": etag });
    let answer = client.write(OPERATION, Method::PUT, &url, &body, timeout, &[]).await?;
    let uploaded: Uploaded = serde_json::from_slice(&answer).map_err(|e| OPERATION.call().unreadable(200, e))?;
    Ok(UploadedFile::new(uploaded.uri, Some(Timestamp::now().plus(UPLOAD_LIFE))))
}
