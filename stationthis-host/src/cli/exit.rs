//! What a program that called this one learns from its exit code.

use std::fmt;

use stationthis_core::{Error, ErrorKind};

/// The codes, as every help shows them.
pub const CODES: &str = "Exit codes:
    0  done; a run completed
    1  an error: the configuration, the store, a host or service that cannot be reached
    2  a command line that is not understood
    3  refused: wrong inputs, no such tool or task, no known price
    4  the run failed or was cancelled
    5  the run had no end in time, or a person has to look at it
  130  interrupted; the task goes on";

/// An end of a command that has a code of its own, with the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The run failed or was cancelled.
    Failed(String),
    /// The run had no end in time, or needs review.
    Undecided(String),
    /// Somebody pressed Ctrl-C.
    Interrupted(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Failed(text) | Self::Undecided(text) | Self::Interrupted(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for End {}

/// The code of a command that ended with an error.
#[must_use]
pub fn code(error: &anyhow::Error) -> u8 {
    if let Some(end) = error.downcast_ref::<End>() {
        return match end {
            End::Failed(_) => 4,
            End::Undecided(_) => 5,
            End::Interrupted(_) => 130,
        };
    }
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        return u8::try_from(error.exit_code()).unwrap_or(2);
    }
    let refused = |error: &Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::Gone | ErrorKind::Unpriced => true,
        _ => !error.problems().is_empty(),
    };
    if error.downcast_ref::<Error>().is_some_and(refused) { 3 } else { 1 }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use stationthis_core::tool::problem::InputProblem;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_end_has_its_code_and_every_code_is_documented() {
        let known = |kind| Error::new(kind, "test");
        let problem = known(ErrorKind::InvalidInput).with_problems(vec![InputProblem::new("/a", "type", "wrong")]);
        let cases: [(anyhow::Error, u8); 9] = [
            (anyhow::anyhow!("disk"), 1),
            (known(ErrorKind::InvalidInput).into(), 1),
            (known(ErrorKind::Unavailable).into(), 1),
            (Cli::try_parse_from(["stationthis", "nothing"]).unwrap_err().into(), 2),
            (problem.into(), 3),
            (known(ErrorKind::NotFound).into(), 3),
            (End::Failed(String::new()).into(), 4),
            (End::Undecided(String::new()).into(), 5),
            (End::Interrupted(String::new()).into(), 130),
        ];
        for (error, expected) in cases {
            assert_eq!(code(&error), expected, "{error:?}");
            assert!(CODES.lines().any(|line| line.trim().starts_with(&format!("{expected}  "))), "{expected}");
        }
        assert_eq!(code(&Cli::try_parse_from(["stationthis", "--help"]).unwrap_err().into()), 0);
    }
}
