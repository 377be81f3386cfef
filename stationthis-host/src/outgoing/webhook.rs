//! Notices as webhooks, signed as the Standard Webhooks specification has it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde::Serialize;
use stationthis_core::notify::signing::{ID_HEADER, SIGNATURE_HEADER, SigningKeys, TIMESTAMP_HEADER};
use stationthis_core::notify::{Notice, NoticeKind, Notifier, Receipt};
use stationthis_core::task::TaskRecord;
use stationthis_core::{Clock, Error, ErrorKind, Result, Timestamp};

use crate::outgoing::client::{GuardedClient, SendError};

/// How long a receiver may take: the specification asks for 15 to 30 s, and the outbox ends an attempt after 30.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Posts each notice to the URL that is its address. Channel `webhook`.
///
/// 2xx is delivered; 410 says that nobody is there any more; everything else is tried again, not before the receiver's
/// `Retry-After`. An address that the guard refuses is never called. The answer's body is not read: whoever named the
/// address must not learn what a server says.
#[derive(Debug)]
pub struct WebhookNotifier {
    client: GuardedClient,
    keys: SigningKeys,
    clock: Arc<dyn Clock>,
}

impl WebhookNotifier {
    /// Signs with each caller's own keys, which are derived from `keys`.
    #[must_use]
    pub fn new(client: GuardedClient, keys: SigningKeys, clock: Arc<dyn Clock>) -> Self {
        Self { client, keys, clock }
    }

    async fn post(&self, notice: &Notice) -> Result<std::result::Result<reqwest::Response, SendError>> {
        let body = serde_json::to_vec(&Message::new(notice)).map_err(|e| failed().with_source(e))?;
        let keys = self.keys.for_caller(&notice.task.caller)?;
        let signed = keys.sign(&notice.id.to_string(), self.clock.now(), &body)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in
            [(ID_HEADER, signed.id), (TIMESTAMP_HEADER, signed.timestamp), (SIGNATURE_HEADER, signed.signature)]
        {
            let value = HeaderValue::try_from(value).map_err(|e| failed().with_source(e))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(self.client.post(&notice.target.address, headers, body, ANSWER_TIMEOUT).await)
    }
}

#[async_trait]
impl Notifier for WebhookNotifier {
    fn channel(&self) -> &str {
        "webhook"
    }

    fn check(&self, address: &str) -> Result<()> {
        self.client.check(address).map(drop)
    }

    fn destination(&self, address: &str) -> String {
        url::Url::parse(address).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }

    async fn deliver(&self, notice: &Notice) -> Receipt {
        match self.post(notice).await {
            Ok(Ok(answer)) => receipt(answer.status(), answer.headers(), self.clock.now()),
            Ok(Err(SendError::Refused(error))) => {
                Receipt::Permanent { reason: error.message().unwrap_or_default().to_owned() }
            }
            Ok(Err(error)) => Receipt::Retry { after: None, reason: error.to_string() },
            Err(error) => Receipt::Retry { after: None, reason: error.to_string() },
        }
    }
}

/// The body of a webhook.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// When what it tells of happened; the header has the time of the attempt.
    timestamp: Timestamp,
    data: &'a TaskRecord,
}

impl<'a> Message<'a> {
    fn new(notice: &'a Notice) -> Self {
        let kind = match notice.kind {
            NoticeKind::Finished => "task.finished",
        };
        let times = &notice.task.state.times;
        Self { kind, timestamp: times.ended_at.unwrap_or(times.accepted_at), data: &notice.task }
    }
}

fn failed() -> Error {
    Error::new(ErrorKind::Unexpected, "write webhook")
}

fn receipt(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Receipt {
    if status.is_success() {
        return Receipt::Delivered;
    }
    if status == StatusCode::GONE {
        return Receipt::NoRecipient;
    }
    let after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|text| wait(text, now));
    let reason = if status.is_redirection() {
        format!("It answered {}; redirects are not followed.", status.as_u16())
    } else {
        format!("It answered {}.", status.as_u16())
    };
    Receipt::Retry { after, reason }
}

/// A `Retry-After`, which is a number of seconds or a date.
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let at = Timestamp::from_micros(i64::try_from(at.as_micros()).ok()?);
    Some(at.since(now))
}

#[cfg(test)]
mod contract;
#[cfg(test)]
mod tests;
