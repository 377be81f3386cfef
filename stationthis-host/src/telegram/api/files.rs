//! Files to and from the Bot API.

use std::time::Duration;

use bytes::Bytes;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{BotApi, CallError, Called};

/// The most bytes of a file that a bot may fetch.
pub(crate) const FILE_BYTES_MAX: u64 = 20 * 1024 * 1024;

/// How long a file may take on the way: the largest one at 200 KB a second.
const FILE_TIMEOUT: Duration = Duration::from_secs(300);

/// A file that is sent along with a method.
#[derive(Debug)]
pub(crate) struct Attached {
    /// The name of its part, which the method's fields call it by: `attach://NAME`.
    pub(crate) part: String,
    /// Its file name.
    pub(crate) filename: String,
    /// Its media type.
    pub(crate) mime: String,
    /// Its content, as a stream.
    pub(crate) content: Body,
    /// How long that is, when it is known.
    pub(crate) bytes: Option<u64>,
}

#[derive(Deserialize)]
struct File {
    file_path: Option<String>,
}

impl BotApi {
    /// Calls a method with files beside its fields.
    pub(crate) async fn call_with<T: DeserializeOwned>(
        &self,
        method: &str,
        fields: &Value,
        files: Vec<Attached>,
    ) -> Called<T> {
        let mut form = Form::new();
        for (name, value) in fields.as_object().into_iter().flatten() {
            // Objects and lists are JSON text in a form, and texts are themselves.
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            form = form.text(name.clone(), text);
        }
        for file in files {
            let part = match file.bytes {
                Some(bytes) => Part::stream_with_length(file.content, bytes),
                None => Part::stream(file.content),
            };
            let part = part
                .file_name(file.filename)
                .mime_str(&file.mime)
                .map_err(|_| CallError::Lost("The file has a media type that is none.".to_owned()))?;
            form = form.part(file.part, part);
        }
        self.ask(self.request(method).multipart(form).timeout(FILE_TIMEOUT)).await
    }

    /// A file that somebody sent to the bot, whose content is to be read.
    pub(crate) async fn file(&self, file_id: &str) -> Called<Response> {
        let file: File = self.call("getFile", &json!({ "file_id": file_id })).await?;
        let path = file.file_path.ok_or_else(|| CallError::Lost("Telegram has no path of the file.".to_owned()))?;
        let url = format!("{}/file/bot{}/{path}", self.root, self.token.expose());
        let answer = self.http.get(url).timeout(FILE_TIMEOUT).send().await.map_err(|e| CallError::lost(&e))?;
        if !answer.status().is_success() {
            return Err(CallError::Lost(format!("Telegram answered {} for the file.", answer.status().as_u16())));
        }
        Ok(answer)
    }

    /// The next piece of a file; `None` at its end.
    pub(crate) async fn piece(&self, answer: &mut Response) -> Called<Option<Bytes>> {
        answer.chunk().await.map_err(|e| CallError::lost(&e))
    }
}
