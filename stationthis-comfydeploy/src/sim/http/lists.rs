//! The two lists of a workflow's runs (ComfyDeploy protocol notes §4.4).

use super::answer;
use super::params::Params;
use crate::sim::run::Run;
use crate::sim::service::Sim;
use crate::sim::validate;
use crate::sim::wire::run as wire;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

type Map = Query<HashMap<String, String>>;

/// `/v2/workflow/{id}/runs`: newest first, filtered, light.
pub(super) async fn light(State(sim): State<Sim>, Path(id): Path<String>, Query(query): Map) -> Response {
    list_light(&sim, &id, &Params(query)).unwrap_or_else(|refusal| refusal)
}

#[expect(clippy::result_large_err, reason = "both are answers")]
fn list_light(sim: &Sim, id: &str, params: &Params) -> Result<Response, Response> {
    let workflow = Uuid::try_parse(id).map_err(|_| answer::crash())?;
    let faults = sim.misbehaviour();
    if faults.lists_500 {
        return Err(answer::crash());
    }
    let (limit, offset) = params.page()?;
    let deployment = match params.text("deployment_id") {
        Some(text) => Some(query_uuid(text)?),
        None => None,
    };
    let since = params.number("rf")?.map(|s| i64::try_from(s).unwrap_or(i64::MAX));
    let status = params.text("status");
    let rows: Vec<Value> = of_workflow(sim, workflow)
        .into_iter()
        .filter(|run| deployment.is_none_or(|id| run.facts.deployment_id == id))
        .filter(|run| since.is_none_or(|s| run.facts.created.as_second() >= s))
        .filter(|run| status.is_none_or(|status| run.row().status == status))
        .skip(offset)
        .take(limit)
        .map(|run| wire::light(&run, &run.row(), &faults))
        .collect();
    Ok(answer::ok(&rows))
}

/// `/workflow/{id}/runs`: newest first, everything in it.
pub(super) async fn heavy(State(sim): State<Sim>, Path(id): Path<String>, Query(query): Map) -> Response {
    list_heavy(&sim, &id, &Params(query)).unwrap_or_else(|refusal| refusal)
}

#[expect(clippy::result_large_err, reason = "both are answers")]
fn list_heavy(sim: &Sim, id: &str, params: &Params) -> Result<Response, Response> {
    let workflow = Uuid::try_parse(id).map_err(|_| answer::crash())?;
    let faults = sim.misbehaviour();
    if faults.lists_500 {
        return Err(answer::crash());
    }
    let (limit, offset) = params.page()?;
    let with = (params.flag("with_outputs")?.unwrap_or(true), params.flag("with_inputs")?.unwrap_or(true));
    let page: Vec<_> = of_workflow(sim, workflow)
        .into_iter()
        .skip(offset)
        .take(limit)
        .map(|run| (run.facts.workflow.load(), run))
        .collect();
    let rows: Vec<_> = page
        .iter()
        .map(|(workflow, run)| {
            let row = run.row().clone();
            wire::heavy(run, &row, workflow, &faults, with)
        })
        .collect();
    Ok(answer::ok(&rows))
}

fn of_workflow(sim: &Sim, workflow: Uuid) -> Vec<Arc<Run>> {
    let runs = sim.runs();
    let newest_first = runs.iter().rev();
    newest_first.filter(|run| run.facts.workflow_id == workflow).cloned().collect()
}

#[expect(clippy::result_large_err, reason = "the answer itself")]
fn query_uuid(text: &str) -> Result<Uuid, Response> {
    validate::uuid_at(text, json!(["query", "deployment_id"])).map_err(answer::invalid)
}
