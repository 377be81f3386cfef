//! Untrusted maps: whatever their keys are called, they stay where they are.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use stationthis_core::notify::NotifyTarget;
use stationthis_core::station::RunRequest;
use stationthis_core::store::{MemoryStore, TaskStore};
use stationthis_core::testkit::ScriptedProvider;
use stationthis_core::{Clock, JsonDoc, TaskRecord};

use crate::bench::{Bench, caller, inputs, success};

/// What a record may rightly differ in from another one of the same life: its own ids, and the maps themselves.
const OWN: [&str; 7] =
    ["taskId", "requestHash", "toolRevision", "metadata", "inputsAsked", "inputsSent", "endpointDetails"];

/// Runs one task to its end, over a restart; `maps` is its metadata, part of its inputs, and its tool's details.
async fn finished(store: Arc<dyn TaskStore>, maps: &Map<String, Value>) -> TaskRecord {
    let provider = ScriptedProvider::new().unwrap();
    let mut tool = provider.tool().unwrap();
    tool.input_schema = JsonDoc::from_value(&json!({ "type": "object", "required": ["prompt"] }));
    tool.endpoint_details = JsonDoc::from_value(&Value::Object(maps.clone()));
    let card = stationthis_core::cost::CostModel::builtin_card(&provider);
    let bench = Bench::over(store, provider.offering(tool, card)).await;
    let mut asked = maps.clone();
    asked.insert("prompt".to_owned(), json!("a red fox"));
    let request =
        RunRequest::new("echo", asked).with_metadata(maps.clone()).with_notify(vec![NotifyTarget::new("events", "")]);
    let task = bench.station.as_caller(caller("ada")).run(request).await.unwrap();
    bench.provider.script().polls = [success(bench.clock.now())].into();
    let mut bench = bench.restarted().await;
    bench.pass(3).await;
    let done = bench.task(task.task_id).await;
    assert_eq!(bench.told()[0].task, done, "who is told sees the record as it is");
    let text = serde_json::to_string(&done).unwrap();
    assert_eq!(serde_json::from_str::<TaskRecord>(&text).unwrap(), done, "and so does who reads it as JSON");
    done
}

fn typed(record: &TaskRecord) -> Value {
    let mut json = serde_json::to_value(record).unwrap();
    OWN.iter().for_each(|field| drop(json.as_object_mut().unwrap().remove(*field)));
    json
}

/// Every name that a record has, with a value that would do harm there, and names with a meaning elsewhere.
fn hostile(record: &TaskRecord) -> Map<String, Value> {
    let Value::Object(fields) = serde_json::to_value(record).unwrap() else { panic!("a record is an object") };
    let mut maps: Map<String, Value> = fields.keys().map(|name| (name.clone(), json!("evil"))).collect();
    maps.extend(inputs(&json!({
        "status": "failed", "costUsd": "0.000000000", "caller": "root", "revision": 99, "dueAt": null,
        "outputs": [], "flags": ["needsReview"], "settlement": { "costUsd": "0.000000000", "basis": "notRun" },
        "idempotencyKey": "evil", "initiatingEventId": "evil", "deadlineAt": "9999-01-01T00:00:00Z",
        "statusReason": { "code": "evil", "message": "evil", "retry": "never" }, "runId": "evil", "costRate": null,
        "task_id": "evil", "state": { "status": "failed" }, "metadata": { "status": "failed" },
        "__proto__": { "status": "failed" }, "constructor": {}, "$ref": "#", "$schema": "evil", "type": "output",
        "": "evil", "\u{202e}status": "evil",
    })));
    maps
}

async fn check(plain: Arc<dyn TaskStore>, attacked: Arc<dyn TaskStore>) {
    let nothing = inputs(&json!({}));
    let control = finished(plain, &nothing).await;
    let maps = hostile(&control);
    let done = finished(attacked, &maps).await;
    assert_eq!(typed(&done), typed(&control), "a key of a map went into a field");
    assert_eq!(done.metadata, maps);
    assert_eq!(done.endpoint_details.to_value(), Value::Object(maps.clone()));
    for (name, value) in &maps {
        assert_eq!((done.inputs_asked.get(name), done.inputs_sent.get(name)), (Some(value), Some(value)), "{name}");
    }
}

/// I11.
#[tokio::test]
async fn i11_hostile_keys_never_merge_into_typed_fields() {
    check(Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new())).await;
    #[cfg(feature = "sqlite")]
    {
        use stationthis_core::store::SqliteStore;
        let folder = tempfile::tempdir().unwrap();
        let open = async |name: &str| Arc::new(SqliteStore::open(folder.path().join(name)).await.unwrap());
        check(open("plain.db").await, open("attacked.db").await).await;
    }
}
