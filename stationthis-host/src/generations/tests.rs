use super::change::MACHINE_FIELDS;
use super::*;
use serde_json::json;
use stationthis_core::task::state::TaskStatus;

#[test]
fn every_status_of_a_task_is_one_of_a_generation() {
    let mut seen = Vec::new();
    for status in GenerationStatus::ALL {
        assert_eq!(status.as_str().parse::<GenerationStatus>().unwrap(), status);
        assert_eq!(serde_json::to_value(status).unwrap(), json!(status.as_str()));
        let ends: Vec<_> = status.of_tasks().map(TaskStatus::is_terminal).collect();
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{status} is an end or is not");
        seen.extend(status.of_tasks());
    }
    assert_eq!(seen, TaskStatus::ALL);
    assert!("success".parse::<GenerationStatus>().is_err());
}

#[test]
fn each_field_is_the_stations_or_the_callers() {
    // A type's own JSON Schema would do; but this one has none, so: a generation with every field.
    let full = json!({
        "generationId": "019ab3c2-0000-7000-8000-000000000000", "userId": "ada", "status": "completed",
        "statusReason": "x", "serviceName": "s", "toolId": "p:t", "toolDisplayName": "t", "initiatingEventId": "e",
        "requestPayload": {}, "requestTimestamp": "2026-11-25T13:20:52Z", "responsePayload": [],
        "responseTimestamp": "2026-11-25T13:20:52Z", "durationMs": 1, "costUsd": "1.000000000", "notify": [], "metadata": {},
    });
    let read: Generation = serde_json::from_value(full.clone()).unwrap();
    let written = serde_json::to_value(&read).unwrap();
    for name in written.as_object().unwrap().keys() {
        let machine = MACHINE_FIELDS.contains(&name.as_str());
        assert_ne!(machine, GenerationChange::FIELDS.contains(&name.as_str()), "{name}");
    }
    assert_eq!(written.as_object().unwrap().len(), full.as_object().unwrap().len(), "none was forgotten here");
    assert!(MACHINE_FIELDS.iter().all(|name| written.get(name).is_some()));
}

#[test]
fn whom_to_tell_has_two_spellings_and_no_mixture() {
    let read = |value: Value| serde_json::from_value::<GenerationChange>(value).unwrap().targets();
    let webhook = NotifyTarget::new("webhook", "https://a.example/x");
    let context = json!({ "address": "https://a.example/x" });
    let cases = [
        (json!({}), Some(None)),
        (json!({ "notify": [] }), Some(Some(vec![]))),
        (json!({ "notificationPlatform": "none" }), Some(Some(vec![]))),
        (json!({ "notificationPlatform": "log" }), Some(Some(vec![NotifyTarget::new("log", "")]))),
        (json!({ "notificationPlatform": "webhook", "notificationContext": context }), Some(Some(vec![webhook]))),
        (json!({ "notificationContext": context }), None),
        (json!({ "notify": [], "notificationPlatform": "none" }), None),
    ];
    for (given, expected) in cases {
        assert_eq!(read(given.clone()).ok(), expected, "{given}");
    }
}
