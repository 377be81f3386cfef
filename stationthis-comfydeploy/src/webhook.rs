//! Reading webhooks.

use crate::convert;
use crate::wire::run::Run;
use stationthis_core::provider::{WebhookAuth, WebhookReading};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Error, ErrorKind, Result};

/// Reads a webhook, whatever its method: the service sends its second and third attempts as `GET`, with the same JSON
/// body. Both event types (`run.updated`, `run.output`) say the same kind of thing.
pub(crate) fn read(request: &WebhookRequest) -> Result<WebhookReading> {
    let refused = || Error::new(ErrorKind::InvalidInput, "read webhook");
    let run: Run = serde_json::from_slice(&request.body)
        .map_err(|e| refused().with_message("The body is not a ComfyDeploy webhook.").with_source(e))?;
    let report =
        convert::report(run).map_err(|e| refused().with_message("The run id cannot be one.").with_source(e))?;
    Ok(WebhookReading::new(WebhookAuth::TaskUrl, vec![report]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use stationthis_core::Timestamp;
    use stationthis_core::task::report::RunStatus;

    fn hook(method: &str, body: &'static str) -> Result<WebhookReading> {
        let at = Timestamp::from_micros(0);
        read(&WebhookRequest::new(method, "/api/webhook/comfydeploy/x", "t=1", Bytes::from_static(body.as_bytes()), at))
    }

    #[test]
    fn both_methods_and_both_events_are_read() {
        let updated = r#"{"event_type": "run.updated", "status": "success", "live_status": null, "progress": 1.0, "run_id": "r", "outputs": []}"#;
        let output = r#"{"event_type": "run.output", "status": "running", "progress": 0.8, "run_id": "r", "outputs": [{"data": {"images": [{"url": "https://b/a.png"}]}}]}"#;
        for method in ["POST", "GET"] {
            assert_eq!(hook(method, updated).unwrap().reports[0].status, RunStatus::Succeeded);
            let reading = hook(method, output).unwrap();
            assert_eq!((reading.auth, reading.reports[0].outputs.len()), (WebhookAuth::TaskUrl, 1));
        }
    }

    #[test]
    fn what_is_no_webhook_is_refused() {
        for body in [
            "",
            "[]",
            "null",
            "{}",
            "{\"run_id\": \"r\"}",
            "{\"run_id\": \"\", \"status\": \"x\"}",
            "{\"run_id\": 5, \"status\": \"x\"}",
        ] {
            assert_eq!(hook("POST", body).unwrap_err().kind(), ErrorKind::InvalidInput, "{body}");
        }
    }
}
