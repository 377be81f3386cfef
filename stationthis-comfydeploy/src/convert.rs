//! From the service's runs to reports.

use crate::outputs;
use crate::wire::run::Run;
use stationthis_core::task::report::{Progress, RunReport, RunStatus, RunTimes};
use stationthis_core::{Result, RunId};
use stationthis_http::one_line;

/// The longest `live_status` that is kept, in characters: it names a node's class.
const LIVE_STATUS_CHARS_MAX: usize = 200;

/// The longest unknown status word that is kept, in characters.
const STATUS_CHARS_MAX: usize = 64;

/// The report of a status answer or a webhook.
///
/// # Errors
/// `InvalidInput` when the run's id cannot be one.
pub(crate) fn report(run: Run) -> Result<RunReport> {
    let status = status(&run.status);
    let raw: String = run.status.chars().take(STATUS_CHARS_MAX).collect();
    let mut report = RunReport::new(RunId::new(run.id)?, status, raw);
    report.progress = run.progress.and_then(Progress::from_fraction);
    report.live_status = run.live_status.map(|text| one_line(&text, LIVE_STATUS_CHARS_MAX));
    report.outputs = outputs::convert(&run.outputs);
    report.times = RunTimes {
        created_at: run.created_at,
        queued_at: run.queued_at,
        started_at: run.started_at,
        ended_at: run.ended_at,
    };
    report.resource = run.gpu.filter(|gpu| !gpu.is_empty());
    Ok(report)
}

/// The service's nine words. Its `queued` means that a container has the run, which we count as queued all the same:
/// what is billed by our rule begins with `started`.
fn status(word: &str) -> RunStatus {
    match word {
        "not-started" | "queued" => RunStatus::Queued,
        "started" | "running" | "uploading" => RunStatus::Running,
        "success" => RunStatus::Succeeded,
        "failed" => RunStatus::Failed,
        "timeout" => RunStatus::TimedOut,
        "cancelled" => RunStatus::Cancelled,
        _ => RunStatus::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value) -> RunReport {
        report(serde_json::from_value(value).unwrap()).unwrap()
    }

    #[test]
    fn each_word_has_its_status() {
        for (word, status) in [
            ("not-started", RunStatus::Queued),
            ("queued", RunStatus::Queued),
            ("started", RunStatus::Running),
            ("running", RunStatus::Running),
            ("uploading", RunStatus::Running),
            ("success", RunStatus::Succeeded),
            ("failed", RunStatus::Failed),
            ("timeout", RunStatus::TimedOut),
            ("cancelled", RunStatus::Cancelled),
            ("paused", RunStatus::Unknown),
            ("", RunStatus::Unknown),
        ] {
            let report = read(json!({ "id": "r", "status": word }));
            assert_eq!((report.status, report.raw_status.as_str()), (status, word));
        }
    }

    #[test]
    fn odd_spellings_and_types_are_read() {
        let report = read(json!({
            "id": "r", "status": "running", "progress": "0.11999999731779099", "gpu": "A10G", "live_status": 3,
            "created_at": "2025-03-04 05:06:07.123456", "queued_at": null, "started_at": "2025-03-04T05:06Z",
            "ended_at": "never", "outputs": [{ "data": { "text": ["hi"] } }, "junk", 5],
        }));
        assert_eq!(report.progress, Progress::from_fraction(0.12));
        assert_eq!(report.times.created_at, Some("2025-03-04T05:06:07.123456Z".parse().unwrap()));
        assert_eq!(report.times.started_at, Some("2025-03-04T05:06:00Z".parse().unwrap()));
        assert_eq!((report.times.queued_at, report.times.ended_at), (None, None));
        assert_eq!(report.resource.as_deref(), Some("A10G"));
        assert_eq!(report.outputs.len(), 1);
        assert_eq!(read(json!({ "id": "r", "status": "running", "outputs": { "a": 1 }, "progress": [] })).outputs, []);
    }
}
