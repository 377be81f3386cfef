//! Giving files to the service.

use crate::client::Client;
use crate::error::Operation;
use crate::wire::{Presigned, Uploaded};
use reqwest::multipart::{Form, Part};
use serde_json::json;
use stationthis_core::media::ending_of;
use stationthis_core::provider::{UploadFile, UploadedFile};
use stationthis_core::{Error, ErrorKind, Result};

const OPERATION: Operation = Operation::Upload;

/// The largest file that is sent: 200 MB. Tripo's pages say 150 MB in one place and 200 MB in another for a model; what
/// is between the two is left to the service.
pub const UPLOAD_BYTES_MAX: usize = 200_000_000;

/// The largest picture that the service takes: 20 MB.
const IMAGE_BYTES_MAX: usize = 20_000_000;

/// Up to here a file goes through the service, beyond it straight to its storage, as Tripo's own SDK does.
const FORM_BYTES_MAX: usize = 50_000_000;

/// Uploads a file; the answer is a token, which can stand as an input's value.
///
/// How long a token is good is not documented.
pub(crate) async fn upload(client: &Client, file: UploadFile) -> Result<UploadedFile> {
    let size = file.bytes.len();
    let is_image = file.content_type.starts_with("image/");
    let limit = if is_image { IMAGE_BYTES_MAX } else { UPLOAD_BYTES_MAX };
    if size > limit {
        let what = if is_image { "pictures" } else { "files" };
        return Err(Error::new(ErrorKind::TooLarge, OPERATION.name())
            .with_message(format!("Tripo takes {what} of at most {} MB.", limit / 1_000_000))
            .with_context("size_bytes", size));
    }
    let token = if size <= FORM_BYTES_MAX { by_form(client, file).await? } else { by_storage(client, file).await? };
    Ok(UploadedFile::new(token, None))
}

async fn by_form(client: &Client, file: UploadFile) -> Result<String> {
    let size = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
    let part = Part::stream_with_length(file.bytes, size).file_name(file.filename).mime_str(&file.content_type);
    let part = part.map_err(|e| {
        let refused = Error::new(ErrorKind::InvalidInput, OPERATION.name());
        refused.with_message("The file's media type cannot be read.").with_source(e.without_url())
    })?;
    let answer: Uploaded = client.post_form(OPERATION, "/files", Form::new().part("file", part)).await?;
    Ok(answer.file_token)
}

async fn by_storage(client: &Client, file: UploadFile) -> Result<String> {
    let ending = file.filename.rsplit_once('.').map_or_else(|| ending_of(&file.content_type), |(_, ending)| ending);
    let body = json!({ "format": ending.to_ascii_lowercase() });
    let answer: Presigned = client.post_json(OPERATION, "/files/presign", &body, client.timeouts.read).await?;
    client.put_presigned(OPERATION, &answer.presigned_url, file.bytes).await?;
    Ok(answer.file_token)
}
