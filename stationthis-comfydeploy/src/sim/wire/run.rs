//! A run in `GET /run/{id}` and in the two run lists (ComfyDeploy protocol notes §4.1, §4.4).

use super::output::{self, RawOutput, listed_time};
use super::{USER, deployment};
use crate::sim::misbehaviour::Misbehaviour;
use crate::sim::run::{Row, Run};
use crate::sim::times;
use crate::sim::workflow::SimWorkflow;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

/// The answer of `GET /run/{id}`.
pub(crate) fn get(run: &Run, row: &Row, now: &Misbehaviour, position: Option<usize>) -> Value {
    let facts = &run.facts;
    let seconds = |d: Option<Duration>| match d {
        Some(d) if now.string_durations => decimal(d).into(),
        Some(d) => d.as_secs_f64().into(),
        None => Value::Null,
    };
    let updated = if now.seconds_less_timestamps {
        times::without_seconds(row.updated).replace('Z', ":00Z")
    } else {
        times::rest(row.updated)
    };
    let outputs: Vec<Value> =
        row.outputs.iter().filter(|row| output::fits(row)).map(|row| output::rest(run, row)).collect();
    json!({
        "id": facts.id,
        "workflow_version_id": facts.version_id,
        "workflow_inputs": facts.inputs,
        "workflow_id": facts.workflow_id,
        "machine_id": facts.machine.uuid(),
        "origin": "api",
        "status": row.status,
        "ended_at": row.ended.map(times::rest),
        "created_at": times::rest(facts.created),
        "updated_at": updated,
        "queued_at": row.queued.map(times::rest),
        "started_at": row.started.map(times::rest),
        "gpu_event_id": null,
        "gpu": facts.gpu,
        "machine_version": null,
        "machine_type": facts.machine.kind(),
        "modal_function_call_id": facts.call_id,
        "user_id": USER,
        "org_id": null,
        "live_status": row.live_status,
        "progress": f64::from(row.progress),
        "is_realtime": false,
        "webhook": facts.webhook,
        "webhook_status": null,
        "webhook_intermediate_status": facts.intermediate,
        "outputs": outputs,
        "number": 0,
        "duration": seconds(row.whole(facts.created)),
        "cold_start_duration": seconds(row.boot()),
        "cold_start_duration_total": seconds(row.wait_and_boot(facts.created)),
        "run_duration": seconds(row.running()),
        "queue_position": position,
    })
}

/// A row of `/v2/workflow/{id}/runs`: no outputs, inputs or progress; durations are texts.
pub(crate) fn light(run: &Run, row: &Row, now: &Misbehaviour) -> Value {
    let facts = &run.facts;
    let time = |at: Timestamp| listed_time(now.seconds_less_timestamps, at);
    json!({
        "id": facts.id,
        "status": row.status,
        "created_at": time(facts.created),
        "updated_at": time(row.updated),
        "ended_at": row.ended.map(time),
        "queued_at": row.queued.map(time),
        "started_at": row.started.map(time),
        "workflow_id": facts.workflow_id,
        "user_id": USER,
        "org_id": null,
        "origin": "api",
        "gpu": facts.gpu,
        "machine_version": null,
        "machine_type": facts.machine.kind(),
        "modal_function_call_id": facts.call_id,
        "webhook_status": null,
        "webhook_intermediate_status": facts.intermediate,
        "batch_id": null,
        "workflow_version_id": facts.version_id,
        "deployment_id": facts.deployment_id,
        "duration": row.whole(facts.created).map(decimal),
        "comfy_deploy_cold_start": row.wait(facts.created).map(decimal),
        "cold_start_duration": row.boot().map(decimal),
        "cold_start_duration_total": row.wait_and_boot(facts.created).map(decimal),
        "run_duration": row.running().map(decimal),
    })
}

/// A row of `/workflow/{id}/runs`: everything, graphs included, outputs unfiltered.
#[derive(Serialize)]
pub(crate) struct HeavyRun<'a> {
    #[serde(flatten)]
    plain: Value,
    version: deployment::VersionJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<Vec<RawOutput>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_inputs: Option<Value>,
}

pub(crate) fn heavy<'a>(
    run: &Run,
    row: &Row,
    workflow: &'a SimWorkflow,
    now: &Misbehaviour,
    with: (bool, bool),
) -> HeavyRun<'a> {
    let facts = &run.facts;
    let mut plain = light(run, row, now);
    let more = json!({
        "model_id": null,
        "gpu_event_id": null,
        "live_status": row.live_status,
        "progress": f64::from(row.progress),
        "is_realtime": false,
        "webhook": facts.webhook,
        "machine_id": facts.machine.uuid(),
        "workflow_api": {},
        "workflow": deployment::workflow_row(workflow),
    });
    if let (Some(all), Value::Object(more)) = (plain.as_object_mut(), more) {
        all.extend(more);
    }
    let (with_outputs, with_inputs) = with;
    let outputs = || row.outputs.iter().map(|o| output::raw(run, o)).collect();
    HeavyRun {
        plain,
        version: deployment::version(workflow),
        outputs: with_outputs.then(outputs),
        workflow_inputs: with_inputs.then(|| facts.inputs.clone().into()),
    }
}

/// SQL's spelling of seconds: `0.573031`.
fn decimal(d: Duration) -> String {
    format!("{}.{:06}", d.as_secs(), d.subsec_micros())
}
