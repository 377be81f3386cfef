//! HTTP to the service: bearer token, time limits, bounded bodies, and retries of reads only.

use crate::config::Timeouts;
use crate::error::{Operation, classify};
use bytes::Bytes;
use reqwest::RequestBuilder;
use reqwest::header::RETRY_AFTER;
use serde::de::DeserializeOwned;
use stationthis_core::{Result, Secret};
use stationthis_http::{is_passing, refusal, repeated};
use std::time::Duration;

/// The largest answer that is not a list: a run with hundreds of outputs has some hundred KiB.
pub(crate) const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The largest page of a list: each deployment comes with its graphs, of which large ones have a megabyte.
pub(crate) const PAGE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// How much of a refusal is read: enough for every sentence and list of problems.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

/// The pause before the first repetition of a read; the next is twice as long.
const READ_PAUSE: Duration = Duration::from_millis(200);

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

    /// Reads a document. Repeated a little while the service is out of order: a read changes nothing.
    pub(crate) async fn read(
        &self,
        operation: Operation,
        path: &str,
        query: &[(&str, String)],
        limit: usize,
    ) -> Result<Bytes> {
        let timeout = if limit > ANSWER_BYTES_MAX { self.timeouts.list } else { self.timeouts.read };
        let once = || async {
            let request = self.http.get(self.url(path)).query(query).timeout(timeout);
            self.send(operation, request, limit, &[]).await
        };
        repeated(READ_PAUSE, is_passing, once).await
    }

    /// Reads a small JSON document.
    pub(crate) async fn read_json<T: DeserializeOwned>(
        &self,
        operation: Operation,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T> {
        let body = self.read(operation, path, query, ANSWER_BYTES_MAX).await?;
        serde_json::from_slice(&body).map_err(|e| operation.call().unreadable(200, e))
    }

    /// Sends a JSON document, once. `secrets` are cut from errors.
    pub(crate) async fn post_json<T: serde::Serialize + Sync>(
        &self,
        operation: Operation,
        path: &str,
        body: &T,
        timeout: Duration,
        secrets: &[&str],
    ) -> Result<Bytes> {
        let request = self.http.post(self.url(path)).json(body).timeout(timeout);
        self.send(operation, request, ANSWER_BYTES_MAX, secrets).await
    }

    /// Sends a request without a body, once.
    pub(crate) async fn post_empty(&self, operation: Operation, path: &str) -> Result<Bytes> {
        let request = self.http.post(self.url(path)).timeout(self.timeouts.read);
        self.send(operation, request, ANSWER_BYTES_MAX, &[]).await
    }

    /// Sends a form, once.
    pub(crate) async fn post_form(
        &self,
        operation: Operation,
        path: &str,
        form: reqwest::multipart::Form,
    ) -> Result<Bytes> {
        let request = self.http.post(self.url(path)).multipart(form).timeout(self.timeouts.upload);
        self.send(operation, request, ANSWER_BYTES_MAX, &[]).await
    }

    /// Puts bytes to a presigned URL, without our key. Nothing of the answer is kept: it may name the URL.
    pub(crate) async fn put_presigned(
        &self,
        operation: Operation,
        url: &str,
        headers: &[(&'static str, String)],
        bytes: Bytes,
    ) -> Result<()> {
        let request = self.http.put(url).body(bytes).timeout(self.timeouts.upload);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let answer = request.send().await.map_err(|e| operation.call().unanswered(e))?;
        let status = answer.status().as_u16();
        if answer.status().is_success() { Ok(()) } else { Err(classify(operation, status, None, b"", &[])) }
    }

    async fn send(
        &self,
        operation: Operation,
        request: RequestBuilder,
        limit: usize,
        secrets: &[&str],
    ) -> Result<Bytes> {
        let request = request.bearer_auth(self.key.expose());
        let answer = request.send().await.map_err(|e| operation.call().unanswered(e))?;
        let status = answer.status();
        if status.is_success() {
            return operation.call().body(answer, limit).await;
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
        f.debug_struct("Client").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}
