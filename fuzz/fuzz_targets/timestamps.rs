//! Every reader of times: our own, the service's spellings, and the ends of presigned URLs.
//!
//! The input is a text that may be a time; eight bytes of it are also taken as microseconds.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_core::provider::ServiceProvider;
use stationthis_core::task::report::RunReport;
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Secret, Timestamp};

static PROVIDER: LazyLock<ComfyDeploy> =
    LazyLock::new(|| ComfyDeploy::builder(Secret::new("key")).build().expect("the defaults are good"));

fuzz_target!(|data: &[u8]| {
    if let Some(bytes) = data.first_chunk::<8>() {
        let at = Timestamp::from_micros(i64::from_le_bytes(*bytes));
        check_ours(at);
        let text = at.to_string();
        // No service writes years before our era.
        assert!(
            text.starts_with('-') || theirs(&text) == Some(at),
            "what we write, the service's reader reads: {text}"
        );
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let ours = text.parse::<Timestamp>().ok();
    ours.into_iter().for_each(check_ours);
    let theirs = theirs(text);
    theirs.into_iter().for_each(check_ours);
    // Spellings that both read mean the same moment.
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        assert_eq!(ours, theirs, "{text:?}");
    }
    check_expiry(text);
});

fn check_ours(at: Timestamp) {
    let text = at.to_string();
    assert_eq!(text.parse::<Timestamp>().expect("its own text"), at, "{text}");
    let json = serde_json::to_string(&at).expect("a time is text");
    assert_eq!(serde_json::from_str::<Timestamp>(&json).expect("its own JSON"), at);
    assert_eq!(Timestamp::from_micros(at.as_micros()), at, "already in the calendar");
    for by in [Duration::ZERO, Duration::from_micros(1), Duration::from_secs(1 << 40), Duration::MAX] {
        assert!(at.plus(by) >= at && at.minus(by) <= at);
        assert_eq!(at.since(at.plus(by)), Duration::ZERO);
    }
}

fn report(run: &serde_json::Value) -> RunReport {
    let body = Bytes::from(run.to_string());
    let request = WebhookRequest::new("POST", "/", "", body, Timestamp::from_micros(0));
    PROVIDER.read_webhook(&request).expect("a run with an id and a status").reports.remove(0)
}

/// As the provider reads it.
fn theirs(text: &str) -> Option<Timestamp> {
    let times = report(&json!({
        "run_id": "r", "status": "running", "created_at": text, "queued_at": text, "started_at": text, "ended_at": text,
    }))
    .times;
    assert!([times.queued_at, times.started_at, times.ended_at].iter().all(|time| *time == times.created_at));
    times.created_at
}

/// As the date, the life and the end in a URL's query.
fn check_expiry(text: &str) {
    let (date, life) = text.split_once('\n').unwrap_or((text, "3600"));
    for query in [
        format!("X-Amz-Date={date}&X-Amz-Expires={life}"),
        format!("X-Goog-Date={life}&X-Goog-Expires={date}"),
        format!("Expires={text}"),
        text.to_owned(),
    ] {
        let url = format!("https://b.example/a.png?{query}");
        let outputs = json!([{ "data": { "images": [{ "url": url }] } }]);
        let report = report(&json!({ "run_id": "r", "status": "success", "outputs": outputs }));
        let output = report.outputs.first().expect("a picture with a URL is an output");
        assert_eq!(output.url.as_deref(), Some(url.as_str()));
        output.expires_at.into_iter().for_each(check_ours);
    }
}
