//! What there is to run: deployments, workflows, machines, prices (ComfyDeploy protocol notes §2, §7).

use super::answer;
use super::params::Params;
use crate::sim::catalogue::DeploymentRef;
use crate::sim::machine::SimMachine;
use crate::sim::service::Sim;
use crate::sim::validate;
use crate::sim::wire::deployment::{self as wire, Place};
use crate::sim::wire::machine as machines_wire;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use std::collections::HashMap;
use std::convert::Infallible;
use uuid::Uuid;

type Map = Query<HashMap<String, String>>;

const ENVIRONMENTS: [&str; 6] =
    ["staging", "production", "public-share", "private-share", "preview", "community-share"];

pub(super) async fn deployments(State(sim): State<Sim>, Query(query): Map) -> Response {
    list_deployments(&sim, &Params(query)).unwrap_or_else(|refusal| refusal)
}

#[expect(clippy::result_large_err, reason = "both are answers")]
fn list_deployments(sim: &Sim, params: &Params) -> Result<Response, Response> {
    if sim.misbehaviour().lists_500 {
        return Err(answer::crash());
    }
    let environment = params.text("environment");
    if let Some(wrong) = environment.filter(|e| !ENVIRONMENTS.contains(e)) {
        let loc = serde_json::json!(["query", "environment"]);
        return Err(answer::invalid(vec![validate::enum_problem(loc, &ENVIRONMENTS, &wrong.into())]));
    }
    let fluid = params.flag("is_fluid")?.unwrap_or(false);
    let page = params.number("page_size")?;
    // Without a page size the server gives everything and ignores the offset.
    let offset = page.map_or(Ok(None), |_| params.number("offset"))?.unwrap_or(0);
    let found: Vec<DeploymentRef> = sim
        .catalogue()
        .deployments()
        .filter(|d| d.deployment.fluid == fluid)
        .filter(|d| environment.is_none_or(|e| d.deployment.environment == e))
        .skip(offset)
        .take(page.unwrap_or(usize::MAX))
        .collect();
    Ok(stream(sim, found, Place::Account))
}

/// Writes one deployment at a time: thousands of graphs are never in memory together.
fn stream(sim: &Sim, found: Vec<DeploymentRef>, place: Place) -> Response {
    let limit = sim.inner.config.concurrency_limit;
    let items = found.into_iter().enumerate().map(move |(n, item)| {
        let workflow = item.workflow.load();
        let value = wire::deployment(&workflow, &item.deployment, limit, place);
        let mut bytes = if n == 0 { Vec::new() } else { vec![b','] };
        // Plain data into memory: nothing to fail.
        let _ = serde_json::to_writer(&mut bytes, &value);
        Bytes::from(bytes)
    });
    let first = std::iter::once(Bytes::from_static(b"["));
    let last = std::iter::once(Bytes::from_static(b"]"));
    let chunks = first.chain(items).chain(last).map(Ok::<_, Infallible>);
    let body = Body::from_stream(futures_util::stream::iter(chunks));
    answer::text(StatusCode::OK, "application/json", body)
}

pub(super) async fn deployment(State(sim): State<Sim>, Path(id): Path<String>) -> Response {
    let catalogue = sim.catalogue();
    let found = Uuid::try_parse(&id).ok().and_then(|id| catalogue.deployment(id));
    let Some(found) = found else {
        // The server catches its own 404.
        return answer::detail(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error");
    };
    let workflow = found.workflow.load();
    let limit = sim.inner.config.concurrency_limit;
    answer::ok(&wire::deployment(&workflow, &found.deployment, limit, Place::Account))
}

pub(super) async fn workflow_deployments(State(sim): State<Sim>, Path(id): Path<String>) -> Response {
    if sim.misbehaviour().lists_500 {
        return answer::crash();
    }
    let Ok(id) = Uuid::try_parse(&id) else {
        return answer::crash();
    };
    let mut found: Vec<DeploymentRef> = Vec::new();
    if let Some(workflow) = sim.catalogue().workflow(id) {
        found.extend(
            workflow
                .deployments()
                .into_iter()
                .map(|deployment| DeploymentRef { workflow: workflow.clone(), deployment }),
        );
    }
    if found.is_empty() {
        let text = "Deployments not found or you don't have access to it";
        return answer::detail(StatusCode::NOT_FOUND, text);
    }
    found.sort_by(|a, b| b.deployment.environment.cmp(&a.deployment.environment));
    stream(&sim, found, Place::Workflow)
}

pub(super) async fn workflows(State(sim): State<Sim>, Query(query): Map) -> Response {
    let params = Params(query);
    if sim.misbehaviour().lists_500 {
        return answer::crash();
    }
    let (limit, offset) = match params.page() {
        Ok(page) => page,
        Err(refusal) => return refusal,
    };
    let search = params.text("search").unwrap_or_default().to_lowercase();
    let items: Vec<Value> = sim
        .catalogue()
        .workflows()
        .filter(|workflow| workflow.name().to_lowercase().contains(&search))
        .skip(offset)
        .take(limit)
        .map(|workflow| wire::workflow_item(&workflow.load()))
        .collect();
    answer::ok(&items)
}

pub(super) async fn machines(State(sim): State<Sim>, Query(query): Map) -> Response {
    let params = Params(query);
    if sim.misbehaviour().lists_500 {
        return answer::crash();
    }
    let (page, deleted) = match (params.page(), params.flag("is_deleted")) {
        (Ok(page), Ok(deleted)) => (page, deleted),
        (Err(refusal), _) | (_, Err(refusal)) => return refusal,
    };
    let search = params.text("search").unwrap_or_default();
    let items: Vec<Value> = SimMachine::ALL
        .into_iter()
        .filter(|machine| deleted.is_none_or(|deleted| machine.deleted() == deleted))
        .filter(|machine| machine.name().contains(search))
        .skip(page.1)
        .take(page.0)
        .map(machines_wire::item)
        .collect();
    answer::ok(&items)
}

pub(super) async fn machine(State(sim): State<Sim>, Path(id): Path<String>) -> Response {
    let id = match validate::path_uuid("machine_id", &id) {
        Ok(id) => id,
        Err(problems) => return answer::invalid(problems),
    };
    let found = SimMachine::ALL.into_iter().find(|machine| machine.uuid() == id);
    match found {
        Some(machine) => answer::ok(&machines_wire::full(machine, sim.inner.config.concurrency_limit)),
        None => answer::detail(StatusCode::NOT_FOUND, "Machine not found"),
    }
}

pub(super) async fn gpu_pricing() -> Response {
    answer::text(StatusCode::OK, "application/json", machines_wire::GPU_PRICING)
}
