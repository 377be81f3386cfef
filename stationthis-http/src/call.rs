//! What it means that no answer came, or none that can be used.

use bytes::Bytes;
use reqwest::Response;
use stationthis_core::{Effect, Error, ErrorKind, Result, Retry};

use crate::body;

/// What is being asked of which service, as far as it decides what a lost answer means.
///
/// These three facts are all that it will ever hold, so it can be written as a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service's name, as people write it ("Vidu"): it begins sentences.
    pub service: &'static str,
    /// The imperative phrase for errors ("submit run").
    pub operation: &'static str,
    /// Whether it changes something at the service, so that a lost answer leaves a doubt.
    pub changes: bool,
}

impl Call {
    /// The error for a request that got no answer, or not a whole one.
    ///
    /// `Timeout`, or else `Unavailable`; to be tried again after a pause. Only a request that could not be built and a
    /// connection that was never made (refused, unknown host, no TLS) prove that nothing happened; everything else leaves
    /// [`Effect::Unknown`] when the call changes something. That holds for clients of
    /// [`client_builder`](crate::client_builder), or others without redirects.
    ///
    /// The URL is cut from the source: presigned ones are secrets.
    #[must_use]
    pub fn unanswered(&self, error: reqwest::Error) -> Error {
        let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable };
        let unsent = error.is_connect() || error.is_builder();
        let service = self.service;
        let message = match (error.is_connect(), error.is_timeout()) {
            (true, _) => format!("{service} cannot be reached."),
            (false, true) => format!("{service} did not answer in time."),
            (false, false) => format!("The connection to {service} broke."),
        };
        Error::new(kind, self.operation)
            .with_message(message)
            .with_retry(Retry::Backoff)
            .with_effect(if unsent { Effect::No } else { self.doubt() })
            .with_source(error.without_url())
    }

    /// The error for an answer that is not what the service sends (a proxy's page, a new format).
    ///
    /// `Corrupt`, to be tried again after a pause. Nothing of the body is kept: `why` must hold no secret.
    #[must_use]
    pub fn unreadable(&self, status: u16, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(ErrorKind::Corrupt, self.operation)
            .with_message(format!("{}'s answer cannot be read.", self.service))
            .with_retry(Retry::Backoff)
            .with_effect(self.doubt())
            .with_http(status, "")
            .with_source(why)
    }

    /// The whole body of an answer of at most `limit_bytes`.
    ///
    /// No more than that is held in memory, and one piece as the network gave it. Dropping the future closes the
    /// connection.
    ///
    /// # Errors
    /// As [`Self::unanswered`], with the status, when it breaks off; `TooLarge` when there is more of it, with no sense
    /// in another attempt. Either leaves a doubt when the call changes something: the service did answer.
    pub async fn body(&self, answer: Response, limit_bytes: usize) -> Result<Bytes> {
        let status = answer.status().as_u16();
        match body::read(answer, limit_bytes).await {
            Ok((whole, true)) => Ok(whole),
            Ok((_, false)) => Err(self.too_large(status, limit_bytes)),
            Err(error) => Err(self.unanswered(error).with_http(status, "")),
        }
    }

    fn too_large(&self, status: u16, limit_bytes: usize) -> Error {
        Error::new(ErrorKind::TooLarge, self.operation)
            .with_message(format!("{}'s answer is larger than its limit.", self.service))
            .with_context("limit_bytes", limit_bytes)
            .with_effect(self.doubt())
            .with_http(status, "")
    }

    /// The effect of a request that may have been executed.
    const fn doubt(&self) -> Effect {
        if self.changes { Effect::Unknown } else { Effect::No }
    }
}
