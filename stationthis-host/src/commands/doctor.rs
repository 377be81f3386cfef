//! `stationthis doctor`.

mod checks;
mod public_url;

use anyhow::bail;
use serde::Serialize;
use serde_json::json;

use crate::cli::DoctorArgs;
use crate::config::{Config, Flags};

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    /// All is well.
    Ok,
    /// It works, and somebody should know.
    Warning,
    /// A host would not work, or not wholly.
    Failed,
    /// It could not be looked at, for what was found before.
    Skipped,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    outcome: Outcome,
    /// What was found, in a sentence.
    message: String,
}

impl Check {
    fn new(name: &'static str, outcome: Outcome, message: impl Into<String>) -> Self {
        Self { name, outcome, message: message.into() }
    }

    /// What an error says, as a failed check.
    fn failed(name: &'static str, error: &stationthis_core::Error) -> Self {
        Self::new(name, Outcome::Failed, crate::face::failure::lines(error).join(" "))
    }
}

/// Looks at everything that a host needs, and changes nothing but an empty data folder.
///
/// # Errors
/// When a check failed, after all of them were printed.
pub async fn doctor(flags: &Flags, args: &DoctorArgs) -> anyhow::Result<()> {
    let checks = match Config::from_env(flags) {
        Ok(config) => checks::all(&config, args.sim).await,
        Err(error) => {
            let rest = ["folder", "store", "custody", "service", "prices", "telegram", "public url"];
            let skipped = rest.map(|name| Check::new(name, Outcome::Skipped, "There is no configuration to go by."));
            [Check::failed("config", &error)].into_iter().chain(skipped).collect()
        }
    };
    let failed = checks.iter().filter(|check| check.outcome == Outcome::Failed).count();
    if args.json {
        anstream::println!("{:#}", json!({ "ok": failed == 0, "checks": checks }));
    } else {
        anstream::println!("{}", lines(&checks));
    }
    match failed {
        0 => Ok(()),
        1 => bail!("one check failed"),
        _ => bail!("{failed} checks failed"),
    }
}

fn lines(checks: &[Check]) -> String {
    let line = |check: &Check| {
        // Green, yellow, red, dim; taken out where colours are not wanted.
        let (colour, word) = match check.outcome {
            Outcome::Ok => ("32", "ok"),
            Outcome::Warning => ("33", "warning"),
            Outcome::Failed => ("31", "FAILED"),
            Outcome::Skipped => ("2", "skipped"),
        };
        format!("\x1b[{colour}m{word:<8}\x1b[0m {:<11} {}", check.name, check.message)
    };
    checks.iter().map(line).collect::<Vec<_>>().join("\n")
}
