use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_core::Secret;

use super::*;

/// At rest, with its store in memory.
fn events() -> UserEvents {
    let provider = ComfyDeploy::builder(Secret::new("unused")).base_url("http://127.0.0.1:9").build().unwrap();
    UserEvents::new(Station::builder().provider(Arc::new(provider)).build().unwrap())
}

fn caller(name: &str) -> CallerId {
    CallerId::new(name).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(1_764_000_000_000_000).plus(Duration::from_secs(seconds))
}

fn command(text: &str) -> NewUserEvent {
    let payload = json!({ "text": text }).as_object().unwrap().clone();
    NewUserEvent::new("command").with_payload(payload).with_user("telegram", "77")
}

#[tokio::test]
async fn an_event_is_there_for_its_caller_alone() {
    let events = events();
    let made = events.record(&caller("ada"), command("/draw"), at(0)).await.unwrap();
    assert_eq!(events.get(&caller("ada"), &made.event_id).await.unwrap(), made);
    assert_eq!(made.payload["text"], "/draw");
    let other = events.record(&caller("ada"), command("/draw"), at(0)).await.unwrap();
    assert_ne!(made.event_id, other.event_id);
    for (name, id) in [("eve", made.event_id.as_str()), ("ada", "order-17"), ("ada", &Uuid::nil().to_string())] {
        assert_eq!(events.get(&caller(name), id).await.unwrap_err().kind(), ErrorKind::NotFound, "{name} {id}");
    }
    assert_eq!(events.get(&caller("ada"), &made.event_id.to_uppercase()).await.unwrap(), made, "as a UUID");
}

#[tokio::test]
async fn a_repeated_event_is_recorded_once() {
    let events = events();
    let first = events.record_once(&caller("ada"), command("/draw"), at(0), "chat 1, message 2").await.unwrap();
    let again = events.record_once(&caller("ada"), command("/drawn"), at(0), "chat 1, message 2").await.unwrap();
    assert_eq!(first, again, "the first one stays as it was");
    for (name, key, seconds) in
        [("eve", "chat 1, message 2", 0), ("ada", "chat 1, message 3", 0), ("ada", "chat 1, message 2", 1)]
    {
        let other = events.record_once(&caller(name), command("/draw"), at(seconds), key).await.unwrap();
        assert_ne!(other.event_id, first.event_id, "{name} {key} {seconds}");
    }
}

#[tokio::test]
async fn what_is_older_is_pruned() {
    let events = events();
    let mut made = Vec::new();
    for seconds in 0..4 {
        made.push(events.record(&caller("ada"), command("/draw"), at(seconds)).await.unwrap());
    }
    assert_eq!(events.prune(at(2)).await.unwrap(), 2);
    assert_eq!(events.prune(at(2)).await.unwrap(), 0);
    for (event, there) in made.iter().zip([false, false, true, true]) {
        assert_eq!(events.find(&caller("ada"), &event.event_id).await.unwrap().is_some(), there, "{event:?}");
    }
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused() {
    let events = events();
    let bad = [
        NewUserEvent::new(""),
        NewUserEvent::new("x".repeat(65)),
        NewUserEvent::new("a\nb"),
        NewUserEvent::new("command").with_user("", "77"),
        NewUserEvent::new("command").with_user("telegram", "7".repeat(65)),
        command(&"x".repeat(PAYLOAD_BYTES_MAX)),
    ];
    for event in bad {
        let refused = events.record(&caller("ada"), event, at(0)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
    }
    let most = PAYLOAD_BYTES_MAX - r#"{"text":""}"#.len();
    events.record(&caller("ada"), command(&"x".repeat(most)), at(0)).await.unwrap();
}
