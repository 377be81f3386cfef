//! Giving files to the service.

use crate::client::Client;
use crate::error::Operation;
use crate::times;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use stationthis_core::provider::{UploadFile, UploadedFile};
use stationthis_core::{Error, ErrorKind, Result};

const OPERATION: Operation = Operation::Upload;

/// The largest file that the service takes: 250 MiB.
pub const UPLOAD_BYTES_MAX: usize = 262_144_000;

/// Up to here a file goes through the service, beyond it straight to its bucket, as its own dashboard does.
const FORM_BYTES_MAX: usize = 50 * 1024 * 1024;

#[derive(Deserialize)]
struct FormAnswer {
    file_url: String,
}

#[derive(Deserialize)]
struct PresignedAnswer {
    url: String,
    download_url: String,
}

/// Uploads a file; the answer's URL can stand as an input's value.
pub(crate) async fn upload(client: &Client, file: UploadFile) -> Result<UploadedFile> {
    let size = file.bytes.len();
    if size > UPLOAD_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, OPERATION.name())
            .with_message("ComfyDeploy takes files of at most 250 MiB.")
            .with_context("size_bytes", size));
    }
    let url = if size <= FORM_BYTES_MAX { by_form(client, file).await? } else { by_bucket(client, file).await? };
    let expires_at = times::expiry(&url);
    Ok(UploadedFile::new(url, expires_at))
}

async fn by_form(client: &Client, file: UploadFile) -> Result<String> {
    let size = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
    let name = file.filename.clone();
    let part = Part::stream_with_length(file.bytes, size).file_name(file.filename).mime_str(&file.content_type);
    let part = part.map_err(|e| {
        let refused = Error::new(ErrorKind::InvalidInput, OPERATION.name());
        refused.with_message("The file's media type cannot be read.").with_source(e.without_url())
    })?;
    let answer = client.post_form(OPERATION, "/file/upload", Form::new().part("file", part)).await;
    let answer = answer.map_err(|error| refusal(error, &name))?;
    let answer: FormAnswer = serde_json::from_slice(&answer).map_err(|e| OPERATION.call().unreadable(200, e))?;
    Ok(answer.file_url)
}

/// The service guesses the type from the name alone, and its sentence does not say so.
fn refusal(error: Error, name: &str) -> Error {
    if error.http_status() == Some(400) && error.kind() == ErrorKind::InvalidInput {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let message = format!(
            "ComfyDeploy refuses files with the ending {ending:?}: it takes pictures, films, sounds and archives, \
             but no text files and 3D models."
        );
        return error.with_message(message);
    }
    error
}

async fn by_bucket(client: &Client, file: UploadFile) -> Result<String> {
    let query =
        [("file_name", file.filename), ("type", file.content_type.clone()), ("size", file.bytes.len().to_string())];
    let answer: PresignedAnswer = client.read_json(OPERATION, "/assets/presigned-url", &query).await?;
    let mut headers = vec![("content-type", file.content_type)];
    // Only a header that was signed may be sent.
    if answer.url.to_ascii_lowercase().contains("x-amz-acl") {
        headers.push(("x-amz-acl", "public-read".to_owned()));
    }
    client.put_presigned(OPERATION, &answer.url, &headers, file.bytes).await?;
    Ok(answer.download_url)
}
