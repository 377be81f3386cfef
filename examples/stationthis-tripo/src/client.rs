//! HTTP to the service: bearer token, time limits, bounded bodies, the envelope of every answer, and retries of reads
//! only.

use crate::config::Timeouts;
use crate::error::{Answer, Operation, classify};
use crate::wire::Envelope;
use bytes::Bytes;
use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stationthis_core::{Error, Result, Retry, Secret};
use stationthis_http::{refusal, repeated, scrub};
use std::time::Duration;

/// The largest answer: a task with its inputs and a few dozen URLs has some kilobytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The pause before the first repetition of a read; the next is twice as long. Tripo wants a task read once a second
/// at most.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// The longest id of an answer that is kept in an error.
const TRACE_CHARS_MAX: usize = 100;

/// The connection to one account.
pub(crate) struct Client {
    http: reqwest::Client,
    base_url: String,
    key: Secret,
    pub(crate) timeouts: Timeouts,
}

impl Client {
    /// `base_url` has no slash at its end.
    pub(crate) const fn new(http: reqwest::Client, base_url: String, key: Secret, timeouts: Timeouts) -> Self {
        Self { http, base_url, key, timeouts }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// Reads what an answer holds. Repeated a little while the service is out of order: a read changes nothing.
    pub(crate) async fn read_json<T: DeserializeOwned>(&self, operation: Operation, path: &str) -> Result<T> {
        let once = || async {
            let request = self.http.get(self.url(path)).timeout(self.timeouts.read);
            self.send(operation, request).await
        };
        // Those that mean a restart. One that names a pause is for the caller to wait for.
        let passing = |e: &Error| matches!(e.http_status(), Some(502..=504)) && e.retry() == Retry::Backoff;
        repeated(READ_PAUSE, passing, once).await
    }

    /// Sends a JSON document, once.
    pub(crate) async fn post_json<T: DeserializeOwned>(
        &self,
        operation: Operation,
        path: &str,
        body: &(impl Serialize + Sync),
        timeout: Duration,
    ) -> Result<T> {
        self.send(operation, self.http.post(self.url(path)).json(body).timeout(timeout)).await
    }

    /// Sends a form, once.
    pub(crate) async fn post_form<T: DeserializeOwned>(
        &self,
        operation: Operation,
        path: &str,
        form: reqwest::multipart::Form,
    ) -> Result<T> {
        self.send(operation, self.http.post(self.url(path)).multipart(form).timeout(self.timeouts.upload)).await
    }

    /// Puts bytes to a presigned URL, without our key: storage refuses two credentials. Nothing of the answer is kept: it
    /// may name the URL.
    pub(crate) async fn put_presigned(&self, operation: Operation, url: &str, bytes: Bytes) -> Result<()> {
        let request = self.http.put(url).header(CONTENT_TYPE, "application/octet-stream").body(bytes);
        let answer = request.timeout(self.timeouts.upload).send().await.map_err(|e| operation.call().unanswered(e))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(classify(operation, &Answer { status: answer.status().as_u16(), retry_after: None, body: "" }))
    }

    async fn send<T: DeserializeOwned>(&self, operation: Operation, request: RequestBuilder) -> Result<T> {
        let answer = request.bearer_auth(self.key.expose()).send().await.map_err(|e| operation.call().unanswered(e))?;
        let status = answer.status().as_u16();
        let header = |headers: &HeaderMap, name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(|text| self.without_key(text))
        };
        let pause = header(answer.headers(), RETRY_AFTER.as_str());
        let trace = header(answer.headers(), "x-tripo-trace-id").or_else(|| header(answer.headers(), "x-request-id"));
        let read = if answer.status().is_success() {
            let body = operation.call().body(answer, ANSWER_BYTES_MAX).await;
            body.and_then(|bytes| self.opened(operation, status, pause.as_deref(), &bytes))
        } else {
            let refusal = refusal(answer, ANSWER_BYTES_MAX).await;
            Err(self.refused(operation, status, pause.as_deref(), &refusal))
        };
        read.map_err(|error| match trace {
            Some(trace) => error.with_context("trace", trace.chars().take(TRACE_CHARS_MAX).collect::<String>()),
            None => error,
        })
    }

    /// What the envelope holds. A refusal may come with a status of 200 and a code other than 0.
    fn opened<T: DeserializeOwned>(
        &self,
        operation: Operation,
        status: u16,
        pause: Option<&str>,
        bytes: &Bytes,
    ) -> Result<T> {
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(|e| operation.call().unreadable(status, e))?;
        if envelope.code.is_some_and(|code| code != 0) {
            return Err(self.refused(operation, status, pause, bytes));
        }
        let data = envelope.data.as_deref().map_or("null", |data| data.get());
        serde_json::from_str(data).map_err(|e| operation.call().unreadable(status, e))
    }

    fn refused(&self, operation: Operation, status: u16, retry_after: Option<&str>, body: &[u8]) -> Error {
        let body = self.without_key(&String::from_utf8_lossy(body));
        classify(operation, &Answer { status, retry_after, body: &body })
    }

    fn without_key(&self, text: &str) -> String {
        scrub(text, &[self.key.expose()])
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}
