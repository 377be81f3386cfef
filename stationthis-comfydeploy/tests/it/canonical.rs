//! What consumers see of a run, for payloads of every kind that occurs.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stationthis_core::Timestamp;
use stationthis_core::provider::ServiceProvider;
use stationthis_core::task::output::Output;
use stationthis_core::webhook::WebhookRequest;

use crate::support::provider;

/// One payload and what must come of it: a line of `golden/outputs.json`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    body: Value,
    outputs: Vec<Value>,
}

/// All that an output may have; another key would be a provider's, let through.
const FIELDS: [&str; 10] =
    ["kind", "url", "text", "json", "filename", "mime", "nodeId", "outputId", "order", "expiresAt"];

fn read(body: &Value) -> Vec<Output> {
    let body = Bytes::from(body.to_string());
    let request = WebhookRequest::new("POST", "/api/webhook/comfydeploy/x", "", body, Timestamp::from_micros(0));
    let provider = provider("http://127.0.0.1:9");
    provider.read_webhook(&request).unwrap().reports.remove(0).outputs
}

#[test]
fn i10_consumers_see_only_canonical_outputs() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/outputs.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() >= 20, "the corpus lost cases");
    for case in cases {
        let seen = serde_json::to_value(read(&case.body)).unwrap();
        assert_eq!(seen, Value::from(case.outputs), "{}", case.about);
        for (order, output) in seen.as_array().unwrap().iter().enumerate() {
            let fields = output.as_object().unwrap();
            assert!(fields.keys().all(|key| FIELDS.contains(&key.as_str())), "{}: {output}", case.about);
            let contents = ["url", "text", "json"].iter().filter(|key| fields.contains_key(**key)).count();
            assert_eq!((contents, &output["order"]), (1, &json!(order)), "{}: one content, in order", case.about);
            let plain = matches!(output["kind"].as_str(), Some("text" | "json"));
            assert_eq!(plain, !fields.contains_key("url"), "{}: a file has a URL", case.about);
        }
    }
}
