//! The one error type: what kind, doing what, whether to try again, and whether it could have happened all the same.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tool::problem::InputProblem;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in terms a caller can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was given is wrong; [`Error::problems`] may list each point.
    InvalidInput,
    /// There is no such thing, or not for this caller.
    NotFound,
    /// There was such a thing, and it was removed.
    Gone,
    /// It contradicts what is there already (an idempotency key used for another request, a name taken).
    Conflict,
    /// The credential is missing, wrong or expired.
    Unauthorized,
    /// The credential is good but does not allow this (a plan's limit, no credit).
    Forbidden,
    /// Too many requests; `retry` says when.
    RateLimited,
    /// As much of ours is at work there as the other side takes; nothing was done, and it is worth trying when something
    /// has ended. A submission so refused waits in the queue until its deadline; `retry` may say for how long at least.
    AtCapacity,
    /// The other side cannot be reached or answers that it is out of order.
    Unavailable,
    /// No answer within the time given.
    Timeout,
    /// The other side does not do this (a provider that cannot cancel).
    Unsupported,
    /// The tool has no known price, and policy refuses to run it so.
    Unpriced,
    /// Something is larger than its limit.
    TooLarge,
    /// The store cannot write: disk full, read-only, locked too long.
    StoreUnavailable,
    /// Stored or received data cannot be read.
    Corrupt,
    /// The station is shutting down.
    Closed,
    /// A provider answered that the run itself failed.
    RunFailed,
    /// None of the others: a defect here or there.
    Unexpected,
}

/// May the same call be tried again?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Retry {
    /// No: the answer would be the same.
    #[default]
    Never,
    /// Yes, after a pause that grows.
    Backoff,
    /// Yes, after the time the other side named.
    After(Duration),
}

/// Could what was asked have happened all the same?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// No: it was provably not done.
    #[default]
    No,
    /// Unknown: the request may have been executed, and charged.
    Unknown,
}

/// An error: a kind, the operation, its context, the source, and two answers, [`Error::retry`] and [`Error::effect`].
///
/// One word in size. `Display` is one line and holds no secret; sources are reached by [`std::error::Error::source`].
///
/// ```
/// use stationthis_core::{Error, ErrorKind, Retry};
///
/// let error = Error::new(ErrorKind::Unavailable, "submit run").with_retry(Retry::Backoff).with_context("status", 503);
/// assert_eq!(error.to_string(), "unavailable: submit run (status: 503)");
/// assert_eq!(error.retry(), Retry::Backoff);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: Option<String>,
    context: Vec<(&'static str, String)>,
    retry: Retry,
    effect: Effect,
    http_status: Option<u16>,
    body_excerpt: Option<String>,
    problems: Vec<InputProblem>,
    suggestions: Vec<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// How much of an answer's body is kept: enough for a message, too little to fill a record.
const BODY_EXCERPT_CHARS: usize = 500;

impl Error {
    /// An error of `kind` in `operation` (an imperative phrase: "submit run").
    #[must_use]
    pub fn new(kind: ErrorKind, operation: &'static str) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            message: None,
            context: Vec::new(),
            retry: Retry::default(),
            effect: Effect::default(),
            http_status: None,
            body_excerpt: None,
            problems: Vec::new(),
            suggestions: Vec::new(),
            source: None,
        }))
    }

    /// With a sentence for people; it must hold no secret.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// With one named fact.
    #[must_use]
    pub fn with_context(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((name, value.to_string()));
        self
    }

    /// With the answer to "may it be tried again?".
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// With the answer to "could it have happened?".
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.0.effect = effect;
        self
    }

    /// With the HTTP status and the start of the body of the answer.
    #[must_use]
    pub fn with_http(mut self, status: u16, body: &str) -> Self {
        self.0.http_status = Some(status);
        self.0.body_excerpt = Some(body.chars().take(BODY_EXCERPT_CHARS).collect());
        self
    }

    /// With each problem of an input.
    #[must_use]
    pub fn with_problems(mut self, problems: Vec<InputProblem>) -> Self {
        self.0.problems = problems;
        self
    }

    /// With what was probably meant.
    #[must_use]
    pub fn with_suggestions(mut self, suggestions: Vec<String>) -> Self {
        self.0.suggestions = suggestions;
        self
    }

    /// With what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was being done.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The sentence for people, when there is one.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// May it be tried again?
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// Could it have happened?
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.0.effect
    }

    /// The HTTP status of the answer, when an answer came: its presence says that the other side was reached.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }

    /// The start of the answer's body.
    #[must_use]
    pub fn body_excerpt(&self) -> Option<&str> {
        self.0.body_excerpt.as_deref()
    }

    /// Each problem of the input, when that is what went wrong.
    #[must_use]
    pub fn problems(&self) -> &[InputProblem] {
        &self.0.problems
    }

    /// What was probably meant, best first.
    #[must_use]
    pub fn suggestions(&self) -> &[String] {
        &self.0.suggestions
    }

    /// The named facts.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidInput => "invalid input",
            Self::NotFound => "not found",
            Self::Gone => "gone",
            Self::Conflict => "conflict",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate limited",
            Self::AtCapacity => "at capacity",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Unsupported => "unsupported",
            Self::Unpriced => "unpriced",
            Self::TooLarge => "too large",
            Self::StoreUnavailable => "store unavailable",
            Self::Corrupt => "corrupt",
            Self::Closed => "closed",
            Self::RunFailed => "run failed",
            Self::Unexpected => "unexpected",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind, self.0.operation)?;
        if let Some(message) = &self.0.message {
            write!(f, ": {}", one_line(message))?;
        }
        for (i, (name, value)) in self.0.context.iter().enumerate() {
            f.write_str(if i == 0 { " (" } else { ", " })?;
            write!(f, "{name}: {}", one_line(value))?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("message", &self.0.message)
            .field("context", &self.0.context)
            .field("retry", &self.0.retry)
            .field("effect", &self.0.effect)
            .field("http_status", &self.0.http_status)
            .field("body_excerpt", &self.0.body_excerpt)
            .field("problems", &self.0.problems)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|e| e as &(dyn StdError + 'static))
    }
}

/// Why a task ended as it did, in the form that is stored on its record and shown to callers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FailureRecord {
    /// A stable word for programs: `refused`, `notSubmitted`, `runFailed`, `noOutput`, `providerTimeout`, …
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// What the service itself said, shortened, without tracebacks and without our callback URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The HTTP status that the service answered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
}

impl FailureRecord {
    /// A failure with its code and sentence.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), detail: None, http_status: None }
    }

    /// With what the service said.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The storable form of an error, under `code`.
    #[must_use]
    pub fn from_error(code: impl Into<String>, error: &Error) -> Self {
        Self {
            code: code.into(),
            message: error.message().map_or_else(|| error.to_string(), str::to_owned),
            detail: error.body_excerpt().map(str::to_owned),
            http_status: error.http_status(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_and_one_line() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        let error =
            Error::new(ErrorKind::Unexpected, "read answer").with_message("a\nb").with_source("inner".to_owned());
        assert_eq!(error.to_string(), "unexpected: read answer: a b");
        assert_eq!(error.source().unwrap().to_string(), "inner");
    }

    #[test]
    fn a_failure_keeps_what_the_service_said() {
        let body = "x".repeat(2000);
        let error = Error::new(ErrorKind::Unavailable, "submit run").with_http(502, &body);
        let failure = FailureRecord::from_error("refused", &error);
        assert_eq!(failure.http_status, Some(502));
        assert_eq!(failure.detail.unwrap().len(), BODY_EXCERPT_CHARS);
    }
}
