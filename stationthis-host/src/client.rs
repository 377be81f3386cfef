//! A client of a running host's HTTP API.

use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use stationthis_core::tool::problem::InputProblem;
use stationthis_core::{Error, ErrorKind, Result, Retry, Secret, TaskId};
use url::Url;

use crate::files::StoredFile;
use crate::outputs::{self, Content, TRANSFER_TIMEOUT};

/// Longer than the longest `?wait=`, so that the host's answer comes first.
const TIMEOUT: Duration = Duration::from_secs(crate::http::WAIT_S_MAX + 60);

/// The most bytes of an answer: a page of five hundred tasks or tools with large schemas.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long a file may take on its way: what is largest, over a slow line.
const FILE_TIMEOUT: Duration = Duration::from_secs(900);

/// How often a host is asked again that says that it is asked too often: with its own pauses, that is minutes.
const ASKED_AGAIN_MAX: u32 = 10;

/// The longest pause before asking again, whatever the host says.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A running host.
#[derive(Clone, Debug)]
pub struct HostClient {
    http: reqwest::Client,
    base: Url,
    key: Option<Secret>,
}

impl HostClient {
    /// The host at a base URL, with the key it asks for.
    ///
    /// # Errors
    /// `InvalidInput` for what is no http URL, `Unexpected` when no HTTP client can be made.
    pub fn new(base: &str, key: Option<Secret>) -> Result<Self> {
        let refused = |reason: &str| {
            Error::new(ErrorKind::InvalidInput, "take host address").with_message(format!("{base:?}: {reason}"))
        };
        let mut base_url = Url::parse(base).map_err(|e| refused(&e.to_string()))?;
        if !base_url.username().is_empty() || base_url.password().is_some() {
            // Not shown: this may be a secret, and the address is a part of messages.
            return Err(Error::new(ErrorKind::InvalidInput, "take host address")
                .with_message("The host's address has no user or password; the key comes from STATIONTHIS_API_KEY."));
        }
        if !matches!(base_url.scheme(), "http" | "https") {
            return Err(refused("an http or https URL is needed"));
        }
        if !base_url.path().ends_with('/') {
            base_url.set_path(&format!("{}/", base_url.path()));
        }
        Ok(Self { http: http_client(&base_url, TIMEOUT)?, base: base_url, key })
    }

    /// One call under `/api/internal/`; `path` parts are escaped here. A host that is asked too often did nothing, so it is
    /// asked again after the pause that it wants.
    ///
    /// # Errors
    /// The kind that the host's problem says, with its sentence, its `Retry-After` and every problem of the inputs;
    /// `Unavailable` when the host cannot be reached.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<T> {
        let url = self.url(path, query);
        self.patiently(async || {
            let mut request = self.http.request(method.clone(), url.clone());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            self.answer(request).await
        })
        .await
    }

    /// Sends a file of this machine to be kept there, as of this type where it is known.
    ///
    /// # Errors
    /// As [`call`](Self::call); `InvalidInput` when the file cannot be read.
    pub async fn send_file(&self, path: &Path, declared: Option<&str>) -> Result<StoredFile> {
        let unreadable = |e: std::io::Error| {
            Error::new(ErrorKind::InvalidInput, "read file").with_message(format!("It cannot be read: {e}."))
        };
        let url = self.url(&["files"], &[]);
        self.patiently(async || {
            let mut part = Part::file(path).await.map_err(unreadable)?;
            if let Some(declared) = declared {
                part = part
                    .mime_str(declared)
                    .map_err(|e| Error::new(ErrorKind::Unexpected, "send file").with_source(e))?;
            }
            let request = self.http.post(url.clone()).timeout(FILE_TIMEOUT).multipart(Form::new().part("file", part));
            self.answer(request).await
        })
        .await
    }

    /// The content of output number `n` of a task, from zero.
    ///
    /// # Errors
    /// As [`call`](Self::call); the content fails as that of [`Fetched`](crate::outputs::Fetched) does.
    pub async fn output(&self, task: TaskId, n: usize) -> Result<Content> {
        let url = self.url(&["tasks", &task.to_string(), "outputs", &n.to_string()], &[]);
        self.patiently(async || {
            let answer = self.send(self.http.get(url.clone()).timeout(TRANSFER_TIMEOUT)).await?;
            let content: Content = Box::pin(outputs::pieces(answer));
            Ok(content)
        })
        .await
    }

    fn url(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "internal"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Asks again as long as the host says that it is asked too often, but not for ever.
    async fn patiently<T>(&self, ask: impl AsyncFn() -> Result<T>) -> Result<T> {
        let mut again = 0;
        loop {
            match ask().await {
                Err(error) if error.kind() == ErrorKind::RateLimited && again < ASKED_AGAIN_MAX => {
                    let Retry::After(pause) = error.retry() else { return Err(error) };
                    tokio::time::sleep(pause.min(PAUSE_MAX)).await;
                    again += 1;
                }
                answered => return answered,
            }
        }
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let bytes = read(self.send(request).await?).await?;
        serde_json::from_slice(&bytes)
            .map_err(|e| Error::new(ErrorKind::Corrupt, "read the host's answer").with_source(e))
    }

    /// What the host answers when all is well.
    async fn send(&self, mut request: RequestBuilder) -> Result<Response> {
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose());
        }
        let answer = request.send().await.map_err(|e| {
            Error::new(ErrorKind::Unavailable, "ask host")
                .with_message(format!("{} cannot be reached; is `stationthis serve` running there?", self.base))
                .with_source(e.without_url())
        })?;
        let status = answer.status();
        let retry_after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        if status.is_success() {
            return Ok(answer);
        }
        let error = failure(status, &read(answer).await?);
        Err(match retry_after {
            Some(seconds) => error.with_retry(Retry::After(Duration::from_secs(seconds))),
            None => error,
        })
    }
}

/// An HTTP client for one place: straight to loopback, whatever proxy the environment names.
fn http_client(url: &Url, timeout: Duration) -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).timeout(timeout);
    let builder = if is_local(url) { builder.no_proxy() } else { builder };
    builder.build().map_err(|e| Error::new(ErrorKind::Unexpected, "make HTTP client").with_source(e))
}

/// Is it on this machine?
pub(crate) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

async fn read(mut answer: reqwest::Response) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    let broken = |e: reqwest::Error| Error::new(ErrorKind::Unavailable, "read the host's answer").with_source(e);
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Error::new(ErrorKind::TooLarge, "read the host's answer"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// The error that a problem document stands for.
fn failure(status: StatusCode, bytes: &[u8]) -> Error {
    let kind = match status.as_u16() {
        400 | 422 => ErrorKind::InvalidInput,
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        410 => ErrorKind::Gone,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited,
        501 => ErrorKind::Unsupported,
        504 => ErrorKind::Timeout,
        502 | 503 => ErrorKind::Unavailable,
        _ => ErrorKind::Unexpected,
    };
    let problem: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = if text("type").ends_with(":unpriced") { ErrorKind::Unpriced } else { kind };
    let problems: Vec<InputProblem> =
        problem.get("problems").and_then(|list| serde_json::from_value(list.clone()).ok()).unwrap_or_default();
    let mut error = Error::new(kind, "ask host").with_context("status", status.as_u16()).with_problems(problems);
    if !text("detail").is_empty() {
        error = error.with_message(text("detail"));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_document_becomes_its_error() {
        let body = br#"{"type":"urn:stationthis:problem:unpriced","detail":"No price.","problems":[]}"#;
        let error = failure(StatusCode::UNPROCESSABLE_ENTITY, body);
        assert_eq!(error.kind(), ErrorKind::Unpriced);
        assert_eq!(error.message(), Some("No price."));
        assert_eq!(failure(StatusCode::BAD_GATEWAY, b"<html>").kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn an_address_must_be_http() {
        assert_eq!(HostClient::new("file:///etc/passwd", None).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(HostClient::new("127.0.0.1:8484", None).unwrap_err().kind(), ErrorKind::InvalidInput);
        let error = HostClient::new("https://user:canary@tools.example", None).unwrap_err();
        assert!(error.kind() == ErrorKind::InvalidInput && !format!("{error} {error:?}").contains("canary"), "{error}");
    }
}
