//! `POST /run/deployment/queue` (ComfyDeploy protocol notes §3).

use super::answer;
use crate::sim::catalogue::DeploymentRef;
use crate::sim::http::files;
use crate::sim::misbehaviour::Misbehaviour;
use crate::sim::run::{Run, RunFacts};
use crate::sim::scene::Scene;
use crate::sim::service::Sim;
use crate::sim::validate::{self, QueueRequest};
use crate::sim::{hooks, rng::Rng, times, worker};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use uuid::Uuid;

/// The longest the answer is held back for an early webhook.
const EARLY_HOOK_WAIT: Duration = Duration::from_secs(5);

pub(super) async fn queue(State(sim): State<Sim>, headers: HeaderMap, body: Bytes) -> Response {
    let request = match validate::queue_request(&body) {
        Ok(request) => request,
        Err(problems) => return answer::invalid(problems),
    };
    let faults = sim.misbehaviour();
    if let Some(status) = faults.queue_refused {
        return refused(status);
    }
    if faults.queue_drop_request {
        return answer::dropped();
    }
    let Some(deployment) = sim.catalogue().deployment(request.deployment_id) else {
        return answer::detail(StatusCode::NOT_FOUND, "Deployment not found");
    };
    let origin = origin(&sim, &headers);
    let Some(inputs) = store_data_urls(&sim, &origin, request.inputs.clone()) else {
        return answer::crash();
    };
    let asked = Asked { deployment, request, inputs, origin };
    let first = make_run(&sim, &asked, &faults);
    if faults.queue_500_no_run {
        first.row().end("failed");
        let text = "Error creating run: 500 Internal Server Error";
        return answer::detail(StatusCode::INTERNAL_SERVER_ERROR, text);
    }
    let config = &sim.inner.config;
    // A stream of its own: the worker's must not depend on what the answer draws.
    let mut rng = Rng::new(config.seed ^ 1, first.facts.ordinal);
    let latency = rng.jittered(config.timing.queue_latency, config.jitter);
    let head_start = if faults.early_hook { Duration::ZERO } else { latency };
    for _ in 1..asked.request.batch_number {
        worker::start(&sim, make_run(&sim, &asked, &faults), head_start);
    }
    let hooks_done = first.hooks_done.subscribe();
    worker::start(&sim, first.clone(), head_start);
    if faults.early_hook && hooks::callable(&first).is_some() {
        hooks::wait_for_hook(hooks_done, 0, EARLY_HOOK_WAIT).await;
    }
    tokio::time::sleep(latency + faults.queue_slow.unwrap_or_default()).await;
    respond(&first, &faults, asked.request.batch_number)
}

fn respond(run: &Run, faults: &Misbehaviour, batch_number: u32) -> Response {
    if faults.queue_drop_answer {
        answer::dropped()
    } else if faults.queue_500_but_runs || batch_number > 1 {
        // With a batch the server's answer does not fit its own model (§3.10).
        answer::crash()
    } else if faults.queue_400_but_runs {
        let text = "Error creating run: 400 Bad Request";
        answer::detail(StatusCode::BAD_REQUEST, text)
    } else {
        answer::ok(&json!({ "run_id": run.facts.id }))
    }
}

fn refused(status: u16) -> Response {
    let text = match status {
        401 => "Invalid or expired token",
        403 => "Insufficient deployment owner's GPU credits to create run",
        404 => "Deployment not found",
        _ => "Refused",
    };
    answer::detail(StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN), text)
}

struct Asked {
    deployment: DeploymentRef,
    request: QueueRequest,
    inputs: Map<String, Value>,
    origin: String,
}

fn make_run(sim: &Sim, asked: &Asked, faults: &Arc<Misbehaviour>) -> Arc<Run> {
    let workflow = asked.deployment.workflow.load();
    let deployment = &asked.deployment.deployment;
    let machine = deployment.machine;
    let id = Uuid::new_v4();
    let given = asked.request.gpu.clone();
    let ordinal = sim.inner.ordinal.fetch_add(1, Ordering::SeqCst);
    // A stream of its own, as above.
    let luck = Rng::new(sim.inner.config.seed ^ 3, ordinal).next();
    let facts = RunFacts {
        id,
        ordinal,
        created: times::now(),
        workflow: asked.deployment.workflow.clone(),
        workflow_id: workflow.id,
        workflow_name: workflow.name.clone(),
        version_id: workflow.version_id(),
        deployment_id: deployment.id,
        machine,
        // The deployment's own GPU beats the request, which beats the machine's (§3.4).
        gpu: deployment.gpu().map(str::to_owned).or(given).or_else(|| machine.gpu().map(str::to_owned)),
        scene: Scene::of(&workflow.graph, &asked.inputs, luck),
        inputs: asked.inputs.clone(),
        webhook: asked.request.webhook.clone(),
        intermediate: asked.request.intermediate,
        call_id: machine.is_serverless().then(|| format!("fc-{}", id.simple())),
        origin: asked.origin.clone(),
        misbehaviour: faults.clone(),
    };
    let run = Arc::new(Run::new(facts));
    sim.runs().insert(run.clone());
    run
}

/// Uploads data URLs and puts the files' URLs in their place (§3.3). `None`: not base64.
fn store_data_urls(sim: &Sim, origin: &str, mut inputs: Map<String, Value>) -> Option<Map<String, Value>> {
    const KINDS: [(&str, &str); 3] =
        [("data:image/png;base64,", "png"), ("data:image/jpeg;base64,", "jpeg"), ("data:image/jpg;base64,", "jpeg")];
    for value in inputs.values_mut() {
        let Some(text) = value.as_str() else {
            continue;
        };
        let found = KINDS.iter().find_map(|(start, extension)| text.strip_prefix(start).map(|data| (data, *extension)));
        if let Some((data, extension)) = found {
            *value = files::store_base64(sim, origin, data, extension)?.into();
        }
    }
    Some(inputs)
}

/// Under which address the bucket is reached: our own server's, else the one the caller used.
pub(super) fn origin(sim: &Sim, headers: &HeaderMap) -> String {
    sim.inner.origin.get().cloned().unwrap_or_else(|| {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        format!("http://{}", host.unwrap_or("localhost"))
    })
}
