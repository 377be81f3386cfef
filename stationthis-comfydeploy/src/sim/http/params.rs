//! Query parameters, with the server's complaints about bad ones.

use super::answer;
use crate::sim::validate;
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The parameters of one request.
#[derive(Debug)]
pub(super) struct Params(pub(super) HashMap<String, String>);

impl Params {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A whole number; a negative one counts as 0.
    #[expect(clippy::result_large_err, reason = "the answer itself, built once per bad request")]
    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, Response> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match text.parse::<i64>() {
            Ok(number) => Ok(Some(usize::try_from(number).unwrap_or(0))),
            Err(_) => {
                let words = "Input should be a valid integer, unable to parse string as an integer";
                Err(refuse("int_parsing", name, words, text))
            }
        }
    }

    #[expect(clippy::result_large_err, reason = "as above")]
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Response> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match text.to_lowercase().as_str() {
            "1" | "on" | "t" | "true" | "y" | "yes" => Ok(Some(true)),
            "0" | "off" | "f" | "false" | "n" | "no" => Ok(Some(false)),
            _ => {
                let words = "Input should be a valid boolean, unable to interpret input";
                Err(refuse("bool_parsing", name, words, text))
            }
        }
    }

    /// `limit` (default 100) and `offset`.
    #[expect(clippy::result_large_err, reason = "as above")]
    pub(super) fn page(&self) -> Result<(usize, usize), Response> {
        let limit = self.number("limit")?.unwrap_or(100);
        Ok((limit, self.number("offset")?.unwrap_or(0)))
    }
}

fn refuse(kind: &str, name: &str, words: &str, input: &str) -> Response {
    let input = Value::from(input);
    answer::invalid(vec![validate::problem(kind, json!(["query", name]), words, &input)])
}
