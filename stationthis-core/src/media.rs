//! Files as inputs: what names them, and where their content comes from.

mod data_url;

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use data_url::decode as decode_data_url;

use crate::error::{Error, ErrorKind, Result};
use crate::id::CallerId;
use crate::provider::UploadFile;
use crate::time::Timestamp;

/// The most characters of a file's id.
const FILE_ID_CHARS_MAX: usize = 64;

/// Names a file that the application keeps, as the value of an input: `stationthis:file/ID`, the id of 1 to 64 letters
/// a to z, digits and dashes.
///
/// ```
/// use stationthis_core::media::FileUri;
///
/// let uri: FileUri = "stationthis:file/7d2c".parse()?;
/// assert_eq!((uri.id(), uri.to_string().as_str()), ("7d2c", "stationthis:file/7d2c"));
/// assert!("stationthis:file/../x".parse::<FileUri>().is_err());
/// # Ok::<(), stationthis_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileUri(String);

impl FileUri {
    /// What every one begins with.
    pub const PREFIX: &str = "stationthis:file/";

    /// The name of a file of this id.
    ///
    /// # Errors
    /// `InvalidInput` for an id that is none.
    pub fn new(id: impl Into<String>) -> Result<Self> {
        let id = id.into();
        let harmless = id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if id.is_empty() || id.len() > FILE_ID_CHARS_MAX || !harmless {
            return Err(Error::new(ErrorKind::InvalidInput, "read the name of a file")
                .with_message(format!("A file is named {}ID.", Self::PREFIX)));
        }
        Ok(Self(id))
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.0)
    }
}

impl FromStr for FileUri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text.strip_prefix(Self::PREFIX).unwrap_or_default())
    }
}

/// Where the files that callers name are kept. Core opens no file: the application gives it one of these.
///
/// # Contract
/// - A caller's files are there for that caller alone; what is another's, unknown or gone is `NotFound`.
/// - A file never changes while it is there.
///
/// # Cancellation
/// Each future may be dropped at any point.
///
/// # Errors
/// `NotFound`, `StoreUnavailable`.
#[async_trait]
pub trait MediaSource: Send + Sync + fmt::Debug {
    /// The media type of a file.
    async fn media_type(&self, caller: &CallerId, file: &FileUri) -> Result<String>;

    /// The whole of it.
    async fn read(&self, caller: &CallerId, file: &FileUri) -> Result<UploadFile>;
}

/// A file that was given to the service, in place of an input's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SentFile {
    /// The input, as a JSON pointer into `inputsSent`.
    pub pointer: String,
    /// What was sent in its place.
    pub url: String,
    /// When the URL stops working, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The file's media type.
    pub mime: String,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its content, in hex.
    pub sha256: String,
}

/// The usual ending of the name of a file of this media type, without the dot: services guess types from names.
#[must_use]
pub fn ending_of(mime: &str) -> &str {
    match mime {
        "image/jpeg" | "image/jpg" => "jpg",
        "image/svg+xml" => "svg",
        "audio/mpeg" => "mp3",
        "audio/mp4" | "audio/x-m4a" => "m4a",
        "audio/wav" | "audio/x-wav" | "audio/vnd.wave" => "wav",
        "video/quicktime" => "mov",
        "video/x-matroska" => "mkv",
        "video/x-msvideo" => "avi",
        "model/gltf-binary" => "glb",
        "model/gltf+json" => "gltf",
        _ => match mime.split_once('/') {
            Some((_, word)) if !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric()) => word,
            _ => "bin",
        },
    }
}
