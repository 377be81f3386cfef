//! What went wrong, as RFC 9457 `application/problem+json`.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use stationthis_core::tool::problem::InputProblem;
use stationthis_core::{Error, ErrorKind, Retry};

/// An error answer. `type` is stable and for programs; `detail` is a sentence for people.
///
/// The outer layer of the router adds `instance` and `requestId` and writes the body; used as a response by itself it
/// is written without them.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Document>);

/// The fields of a [`Problem`].
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Problem")]
#[non_exhaustive]
pub struct Document {
    /// `urn:stationthis:problem:` and a word: `invalid-input`, `not-found`, `unpriced`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind, in words.
    pub title: String,
    /// The HTTP status.
    #[serde(serialize_with = "as_number")]
    #[schemars(with = "u16")]
    pub status: StatusCode,
    /// This occurrence, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Every problem of the inputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<InputProblem>,
    /// What may have been meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<String>,
    /// The request's id, as in `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// When to try again, for the `Retry-After` header.
    #[serde(skip)]
    retry_after: Option<Duration>,
}

/// A day: a longer pause tells a client nothing more.
const RETRY_AFTER_S_MAX: u64 = 86_400;

/// The prefix of every `type`.
const TYPE_PREFIX: &str = "urn:stationthis:problem:";

impl Problem {
    /// A problem of a kind with its status and sentence.
    pub fn new(status: StatusCode, kind: ErrorKind, detail: impl Into<String>) -> Self {
        let title = kind.to_string();
        Self(Box::new(Document {
            kind: format!("{TYPE_PREFIX}{}", title.replace(' ', "-")),
            title,
            status,
            detail: detail.into(),
            instance: None,
            problems: Vec::new(),
            suggestions: Vec::new(),
            request_id: None,
            retry_after: None,
        }))
    }

    /// A request that cannot be read: bad JSON, a bad query. 400.
    pub fn malformed(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, ErrorKind::InvalidInput, detail);
        problem.kind = format!("{TYPE_PREFIX}malformed-request");
        "malformed request".clone_into(&mut problem.title);
        problem
    }

    /// With the time to wait before another attempt.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The time to wait before another attempt, where there is one.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The answer to an error of the station.
    ///
    /// What the caller can act on is shown; the text of internal failures goes to the log only.
    #[must_use]
    pub fn from_error(error: &Error) -> Self {
        let status = status_of(error.kind());
        let shown = if status.is_server_error() && !matches!(error.kind(), ErrorKind::Closed | ErrorKind::Unsupported) {
            tracing::warn!(kind = %error.kind(), %error, "request failed");
            error.message().map_or_else(|| format!("{} ({})", error.kind(), error.operation()), str::to_owned)
        } else {
            error.message().map_or_else(|| error.to_string(), str::to_owned)
        };
        let mut problem = Self::new(status, error.kind(), shown);
        problem.problems = error.problems().to_vec();
        problem.suggestions = error.suggestions().to_vec();
        problem.retry_after = match error.retry() {
            Retry::After(wait) => Some(wait),
            Retry::Never | Retry::Backoff => None,
        };
        problem
    }
}

impl Deref for Problem {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Document {
        &mut self.0
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::from_error(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            // Rounded up: an attempt just before the time would be refused again.
            let seconds = u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(RETRY_AFTER_S_MAX);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.min(RETRY_AFTER_S_MAX)));
        }
        response.extensions_mut().insert(self);
        response
    }
}

fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidInput | ErrorKind::Unpriced => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Gone => StatusCode::GONE,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::AtCapacity | ErrorKind::Unavailable | ErrorKind::StoreUnavailable | ErrorKind::Closed => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::RunFailed => StatusCode::BAD_GATEWAY,
        // The kinds that are defects, and those that this version does not know.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn as_number<S: serde::Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests;
