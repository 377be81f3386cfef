//! One thing that is wrong with an input.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// One problem of one input: where, which rule, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InputProblem {
    /// JSON pointer (RFC 6901) into the inputs: `/steps`.
    pub pointer: String,
    /// The rule that is broken: a JSON Schema keyword (`maximum`, `required`, …) or one of ours (`unknownInput`, `nul`,
    /// `media`, `tooLarge`).
    pub rule: String,
    /// A sentence: "steps must be at most 50; it is 80."
    pub message: String,
    /// What was probably meant, when a name is close to a known one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl InputProblem {
    /// A problem without a suggestion.
    pub fn new(pointer: impl Into<String>, rule: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), rule: rule.into(), message: message.into(), suggestion: None }
    }

    /// With what was probably meant.
    #[must_use]
    pub fn with_suggestion(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

impl InputProblem {
    /// The error of a request with these problems.
    pub(crate) fn refusal(problems: Vec<Self>) -> Error {
        let message = problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join(" ");
        Error::new(ErrorKind::InvalidInput, "validate inputs").with_message(message).with_problems(problems)
    }
}

impl fmt::Display for InputProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.message)
    }
}
