//! The Bot API over HTTP: one way to call a method, for the few methods that the bot needs.

mod error;
mod files;

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stationthis_core::{Error, ErrorKind, Result, Secret};

pub(crate) use error::CallError;
pub(crate) use files::{Attached, FILE_BYTES_MAX};

/// What a call came to.
pub(crate) type Called<T> = std::result::Result<T, CallError>;

/// How long a connection may take to open: a service that is there answers within a few seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a method may take, but for the two that wait or carry files: the service answers within a second or so, and
/// the outbox ends an attempt after 30 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the service holds a request for updates when there are none. Proxies on the way cut connections that are
/// idle for a minute.
pub(crate) const POLL_WAIT: Duration = Duration::from_secs(50);

/// The most bytes of an answer: a hundred updates of a few kilobytes each, several times over.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The kinds of update that the bot asks for. Edited messages are not among them: an edit runs nothing.
const UPDATES: [&str; 2] = ["message", "callback_query"];

/// A bot at the Bot API.
///
/// The token is part of every URL, so no URL ever leaves this type: not in errors, not in logs.
#[derive(Clone, Debug)]
pub(crate) struct BotApi {
    http: Client,
    root: String,
    token: Secret,
}

/// What every method answers with.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error_code: u16,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

/// The bot itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Me {
    pub(crate) id: i64,
    pub(crate) username: String,
}

/// A command as the menu of a chat shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BotCommand {
    pub(crate) command: String,
    pub(crate) description: String,
}

impl BotApi {
    /// The bot with this token, at the API below `root`. No proxy of the environment is asked, no redirect is followed,
    /// nothing is sent twice.
    pub(crate) fn new(root: &str, token: Secret) -> Result<Self> {
        let http = Client::builder()
            .user_agent(concat!("stationthis/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|e| Error::new(ErrorKind::Unexpected, "make HTTP client").with_source(e))?;
        Ok(Self { http, root: root.trim_end_matches('/').to_owned(), token })
    }

    pub(crate) async fn me(&self) -> Called<Me> {
        self.call("getMe", &json!({})).await
    }

    /// Updates from `offset` on, which confirms all before it. Waits for one when there are none and `wait` says so.
    /// Each is taken by itself later: one that cannot be read must not hide the others.
    pub(crate) async fn updates(&self, offset: Option<i64>, wait: Duration) -> Called<Vec<Value>> {
        let mut body = json!({ "timeout": wait.as_secs(), "allowed_updates": UPDATES });
        if let (Some(offset), Some(fields)) = (offset, body.as_object_mut()) {
            fields.insert("offset".to_owned(), offset.into());
        }
        let request = self.request("getUpdates").json(&body).timeout(wait.saturating_add(ANSWER_TIMEOUT));
        self.ask(request).await
    }

    pub(crate) async fn set_webhook(&self, url: &str, secret: &Secret) -> Called<bool> {
        let body = json!({ "url": url, "secret_token": secret.expose(), "allowed_updates": UPDATES });
        self.call("setWebhook", &body).await
    }

    pub(crate) async fn delete_webhook(&self) -> Called<bool> {
        self.call("deleteWebhook", &json!({ "drop_pending_updates": false })).await
    }

    pub(crate) async fn commands(&self) -> Called<Vec<BotCommand>> {
        self.call("getMyCommands", &json!({})).await
    }

    pub(crate) async fn set_commands(&self, commands: &[BotCommand]) -> Called<bool> {
        self.call("setMyCommands", &json!({ "commands": commands })).await
    }

    /// Tells whoever pressed a button that it was taken.
    pub(crate) async fn answer_press(&self, id: &str, text: &str) -> Called<bool> {
        self.call("answerCallbackQuery", &json!({ "callback_query_id": id, "text": text })).await
    }

    /// Calls a method with a JSON body.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: &str, body: &Value) -> Called<T> {
        self.ask(self.request(method).json(body).timeout(ANSWER_TIMEOUT)).await
    }

    fn request(&self, method: &str) -> RequestBuilder {
        self.http.post(format!("{}/bot{}/{method}", self.root, self.token.expose()))
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Called<T> {
        let answer = request.send().await.map_err(|error| CallError::lost(&error))?;
        let status = answer.status();
        let bytes = read(answer, ANSWER_BYTES_MAX).await?;
        let Ok(answer) = serde_json::from_slice::<Answer>(&bytes) else {
            return Err(CallError::Lost(format!("Telegram answered {} in no form of its own.", status.as_u16())));
        };
        if !answer.ok {
            return Err(CallError::Refused {
                code: answer.error_code,
                description: answer.description.replace(self.token.expose(), "[token]"),
                retry_after: answer.parameters.retry_after.map(Duration::from_secs),
                migrated_to: answer.parameters.migrate_to_chat_id,
            });
        }
        serde_json::from_value(answer.result)
            .map_err(|_| CallError::Lost("Telegram answered with a result of another form.".to_owned()))
    }
}

/// The body of an answer, when it is not larger than `most`.
async fn read(mut answer: Response, most: usize) -> Called<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| CallError::lost(&error))? {
        if bytes.len().saturating_add(chunk.len()) > most {
            return Err(CallError::Lost("Telegram's answer is too large.".to_owned()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
