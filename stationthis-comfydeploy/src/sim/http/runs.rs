//! One run: its state, its cancel, its log (ComfyDeploy protocol notes §4).

use super::answer;
use super::params::Params;
use crate::sim::rng::Rng;
use crate::sim::run::Run;
use crate::sim::runs::LogLine;
use crate::sim::service::Sim;
use crate::sim::wire::{USER, run as wire};
use crate::sim::{hooks, times, validate};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

#[expect(clippy::result_large_err, reason = "the answer itself")]
fn find(sim: &Sim, id: &str) -> Result<Arc<Run>, Response> {
    let id = validate::path_uuid("run_id", id).map_err(answer::invalid)?;
    let found = sim.runs().get(id);
    found.ok_or_else(|| answer::detail(StatusCode::NOT_FOUND, "Run not found"))
}

pub(super) async fn run(
    State(sim): State<Sim>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let with_position = match Params(query).flag("queue_position") {
        Ok(flag) => flag.unwrap_or(false),
        Err(refusal) => return refusal,
    };
    let run = match find(&sim, &id) {
        Ok(run) => run,
        Err(refusal) => return refusal,
    };
    let faults = sim.misbehaviour();
    {
        let counts = &mut run.row().counts;
        counts.gets += 1;
        if counts.gets_failed < u64::from(faults.get_run_500) {
            counts.gets_failed += 1;
            return answer::crash();
        }
    }
    let position = if with_position { sim.runs().queue_position(&run) } else { None };
    let row = run.row().clone();
    answer::ok(&wire::get(&run, &row, &faults, position))
}

pub(super) async fn cancel(State(sim): State<Sim>, Path(id): Path<String>) -> Response {
    let Ok(uuid) = Uuid::try_parse(&id) else {
        return answer::detail(StatusCode::INTERNAL_SERVER_ERROR, &bad_cancel_id(&id));
    };
    let found = sim.runs().get(uuid);
    if let Some(run) = &found {
        run.row().counts.cancel_calls += 1;
    }
    let refused = sim.misbehaviour().cancel_500;
    let run = found.filter(|run| run.facts.machine.is_serverless() && !refused);
    let Some(run) = run else {
        let text = "Error cancel function 404: Run not found or has no modal function call ID";
        return answer::detail(StatusCode::INTERNAL_SERVER_ERROR, text);
    };
    // An ended run is left alone, with the same answer.
    let cancelled_now = run.row().end("cancelled");
    if cancelled_now {
        run.cancelled.send_replace(true);
        if !run.facts.misbehaviour.lost_cancelled {
            let mut rng = Rng::new(sim.inner.config.seed ^ 2, run.facts.ordinal);
            let body = hooks::cancel_body(&run);
            sim.send_hook(&run, &mut rng, body);
        }
    }
    answer::ok(&json!({ "status": "success", "message": "Function cancelled" }))
}

/// The database's own words, as recorded.
fn bad_cancel_id(id: &str) -> String {
    format!(
        "Error cancel function (sqlalchemy.dialects.postgresql.asyncpg.Error) <class \
         'asyncpg.exceptions.DataError'>: invalid input for query argument $1: '{id}' (invalid UUID \
         '{id}': length must be between 32..36 characters, got {})\n[SQL: \n                SELECT \
         modal_function_call_id, status, id\n                FROM \
         \"comfyui_deploy\".\"workflow_runs\"\n                WHERE id = $1\n             AND \
         (workflow_runs.user_id = $2 AND workflow_runs.org_id IS NULL)]\n[parameters: ('{id}', \
         '{USER}')]\n(Background on this error at: https://sqlalche.me/e/20/dbapi)",
        id.chars().count()
    )
}

pub(super) async fn logs(State(sim): State<Sim>, Path(id): Path<String>) -> Response {
    let run = match find(&sim, &id) {
        Ok(run) => run,
        Err(refusal) => return refusal,
    };
    let Some(ended) = run.row().ended else {
        return answer::ok(&json!([]));
    };
    let archived = times::between(ended, times::now()) >= sim.inner.config.timing.archive;
    if !archived {
        return answer::ok(&json!([]));
    }
    let lines = sim.runs().logs(run.facts.id);
    let last = lines.last().map_or(ended, |line| line.at.max(ended));
    let end = LogLine { run: run.facts.id, at: last, text: "__END__".to_owned() };
    let lines: Vec<Value> = lines.iter().chain([&end]).map(line_json).collect();
    answer::ok(&lines)
}

fn line_json(line: &LogLine) -> Value {
    json!({
        "run_id": line.run,
        "timestamp": times::millis(line.at),
        "log": line.text,
        "user_id": null,
        "org_id": null,
        "log_type": null,
    })
}
