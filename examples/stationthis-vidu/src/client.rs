//! HTTP to the service: its own kind of token, time limits, bounded bodies, and retries of reads only.

use crate::config::{API_PATH, Timeouts};
use crate::error::{Operation, classify};
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stationthis_core::{ErrorKind, Result, Secret};
use stationthis_http::{is_passing, refusal, repeated};
use std::time::Duration;

/// The largest answer: a task echoes its prompt, and some kilobytes of addresses.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How much of a refusal is read: enough for every sentence.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

/// The pause before the first repetition of a read; the next is twice as long.
const READ_PAUSE: Duration = Duration::from_millis(200);

/// The connection to one account.
pub(crate) struct Client {
    http: reqwest::Client,
    host: String,
    key: Secret,
    pub(crate) timeouts: Timeouts,
}

impl Client {
    /// `host` has no slash at its end.
    pub(crate) const fn new(http: reqwest::Client, host: String, key: Secret, timeouts: Timeouts) -> Self {
        Self { http, host, key, timeouts }
    }

    /// An address under `/ent/v2`.
    pub(crate) fn api(&self, path: &str) -> String {
        format!("{}{API_PATH}{path}", self.host)
    }

    /// An address of the file service, which is beside the API.
    pub(crate) fn files(&self, path: &str) -> String {
        format!("{}/tools/v2/files/uploads{path}", self.host)
    }

    /// Reads a document. Repeated a little while the service is out of order: a read changes nothing.
    pub(crate) async fn read<T: DeserializeOwned>(&self, operation: Operation, url: &str) -> Result<T> {
        let once = || async { self.send(operation, self.http.get(url).timeout(self.timeouts.read), &[]).await };
        let body = repeated(READ_PAUSE, is_passing, once).await?;
        serde_json::from_slice(&body).map_err(|e| operation.call().unreadable(200, e))
    }

    /// Sends a JSON document, once. `secrets` are cut from errors.
    pub(crate) async fn write<B: Serialize + Sync>(
        &self,
        operation: Operation,
        method: Method,
        url: &str,
        body: &B,
        timeout: Duration,
        secrets: &[&str],
    ) -> Result<Bytes> {
        self.send(operation, self.http.request(method, url).json(body).timeout(timeout), secrets).await
    }

    /// Puts bytes to a presigned URL, without our key; gives the `etag` as it stands, with its quotes. Nothing else of
    /// the answer is kept: it may name the URL.
    pub(crate) async fn put_presigned(
        &self,
        operation: Operation,
        url: &str,
        content_type: &str,
        bytes: Bytes,
    ) -> Result<String> {
        let request = self.http.put(url).header(CONTENT_TYPE, content_type).body(bytes).timeout(self.timeouts.upload);
        let answer = request.send().await.map_err(|e| operation.call().unanswered(e))?;
        if !answer.status().is_success() {
            return Err(classify(operation, answer.status().as_u16(), None, b"", &[]));
        }
        let etag = answer.headers().get(ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
        etag.ok_or_else(|| operation.call().unreadable(200, "the bucket's answer has no etag"))
    }

    async fn send(&self, operation: Operation, request: RequestBuilder, secrets: &[&str]) -> Result<Bytes> {
        // The word is Token, not Bearer.
        let mut token = HeaderValue::try_from(format!("Token {}", self.key.expose())).map_err(|e| {
            stationthis_core::Error::new(ErrorKind::Unauthorized, operation.name())
                .with_message("The API key cannot stand in a header.")
                .with_source(e)
        })?;
        token.set_sensitive(true);
        let answer = request.header(AUTHORIZATION, token).send().await.map_err(|e| operation.call().unanswered(e))?;
        let status = answer.status();
        if status.is_success() {
            return operation.call().body(answer, ANSWER_BYTES_MAX).await;
        }
        let pause = answer.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let refusal = refusal(answer, REFUSAL_BYTES_MAX).await;
        let mut all = vec![self.key.expose()];
        all.extend_from_slice(secrets);
        Err(classify(operation, status.as_u16(), pause.as_deref(), &refusal, &all))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("host", &self.host).finish_non_exhaustive()
    }
}
