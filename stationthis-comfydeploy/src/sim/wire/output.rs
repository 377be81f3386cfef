//! Output rows as each place shows them (ComfyDeploy protocol notes §4.3, §5.2).

use crate::sim::run::{OutputRow, Run};
use crate::sim::{sign, times};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// An output inside a webhook or in the older run list.
#[derive(Serialize)]
pub(crate) struct RawOutput {
    data: Value,
    run_id: String,
    created_at: String,
    node_meta: Option<Value>,
    id: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_id: Option<String>,
}

/// A row for webhooks: every key kept, presigned where the bucket is private.
pub(crate) fn hook(run: &Run, row: &OutputRow) -> RawOutput {
    let mut raw = event(run, row);
    presign(run, &mut raw.data);
    raw
}

/// A row for `run.output` webhooks: as [`hook`], but never presigned.
pub(crate) fn event(run: &Run, row: &OutputRow) -> RawOutput {
    let mut raw = raw(run, row);
    raw.output_id = row.output_id.clone();
    raw
}

/// A row as the database holds it, whatever is in it.
pub(crate) fn raw(run: &Run, row: &OutputRow) -> RawOutput {
    let at = listed_time(run.facts.misbehaviour.seconds_less_timestamps, row.created);
    RawOutput {
        data: row.data.clone(),
        run_id: run.facts.id.to_string(),
        created_at: at.clone(),
        node_meta: row.node_meta.clone(),
        id: row.id.to_string(),
        updated_at: at,
        output_id: None,
    }
}

/// A row in `GET /run/{id}`: files lose the keys that the model does not know.
pub(crate) fn rest(run: &Run, row: &OutputRow) -> Value {
    let mut data = row.data.clone();
    presign(run, &mut data);
    for file in files(&mut data) {
        file.retain(|key, _| KNOWN.contains(&key.as_str()));
    }
    json!({
        "id": row.id,
        "output_id": row.output_id,
        "run_id": run.facts.id,
        "data": data,
        "node_meta": row.node_meta,
        "created_at": times::rest(row.created),
        "updated_at": times::rest(row.created),
        "type": null,
        "node_id": null,
    })
}

const KNOWN: [&str; 6] = ["url", "type", "filename", "is_public", "subfolder", "upload_duration"];

/// Whether a row's data fits the response model; others vanish from `GET /run/{id}` and webhooks.
pub(crate) fn fits(row: &OutputRow) -> bool {
    let Some(data) = row.data.as_object() else {
        return false;
    };
    data.values().all(|list| {
        list.as_array().is_some_and(|items| {
            items.iter().all(|item| match item {
                Value::String(_) | Value::Bool(_) => true,
                Value::Object(file) => file.get("url").is_some_and(Value::is_string),
                _ => false,
            })
        })
    })
}

/// A time in the spelling of lists and hooks.
pub(crate) fn listed_time(seconds_less: bool, at: Timestamp) -> String {
    if seconds_less { times::without_seconds(at) } else { times::millis(at) }
}

fn presign(run: &Run, data: &mut Value) {
    let Some(life) = run.facts.misbehaviour.presigned_urls else {
        return;
    };
    for file in files(data) {
        if let Some(Value::String(url)) = file.get_mut("url") {
            *url = sign::presign(url, life, None);
        }
    }
}

fn files(data: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    data.as_object_mut()
        .into_iter()
        .flat_map(Map::values_mut)
        .filter_map(Value::as_array_mut)
        .flatten()
        .filter_map(Value::as_object_mut)
}
