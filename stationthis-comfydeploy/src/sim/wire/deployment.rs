//! Deployments, workflow versions and workflows (ComfyDeploy protocol notes §2.1, §2.2, §2.4).

use super::USER;
use crate::sim::graph::{Graph, Node};
use crate::sim::graph_ui::UiGraph;
use crate::sim::workflow::{SimDeployment, SimWorkflow};
use crate::sim::{ids, times};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A value with the graphs beside it: graphs are written in the service's key order, which a [`Value`]
/// would lose.
#[derive(Serialize)]
pub(crate) struct DeploymentJson<'a> {
    #[serde(flatten)]
    plain: Value,
    version: VersionJson<'a>,
}

/// A workflow version with both forms of its graph.
#[derive(Serialize)]
pub(crate) struct VersionJson<'a> {
    #[serde(flatten)]
    plain: Value,
    workflow: UiGraph<'a>,
    workflow_api: &'a Graph,
}

/// Which list a deployment is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// `/deployments` and `/deployment/{id}`: no `machine`.
    Account,
    /// `/workflow/{id}/deployments`: with `machine`, empty type lists are null.
    Workflow,
}

pub(crate) fn deployment<'a>(
    workflow: &'a SimWorkflow,
    deployment: &SimDeployment,
    concurrency_limit: u32,
    place: Place,
) -> DeploymentJson<'a> {
    let machine = deployment.machine;
    let inputs = input_types(&workflow.graph);
    let image = deployment.fluid.then(|| format!("im-{:016x}", ids::hash64(&workflow.version_id().to_string())));
    let machine_version = deployment.fluid.then(|| ids::stable("machine-version", machine.name()));
    let in_workflow = place == Place::Workflow;
    let none_if_empty = in_workflow && inputs.is_empty();
    DeploymentJson {
        plain: json!({
            "id": deployment.id,
            "user_id": USER,
            "org_id": null,
            "workflow_version_id": workflow.version_id(),
            "workflow_id": workflow.id,
            "machine_id": machine.uuid(),
            "share_slug": null,
            "description": null,
            "share_options": null,
            "showcase_media": null,
            "environment": deployment.environment,
            "created_at": times::rest(workflow.created),
            "updated_at": times::rest(workflow.updated),
            "workflow": { "id": workflow.id, "name": workflow.name, "cover_url": null },
            "machine": in_workflow.then(|| json!({ "id": machine.uuid(), "name": machine.name() })),
            "input_types": if none_if_empty { Value::Null } else { inputs.into() },
            "output_types": if in_workflow { Value::Null } else { json!([]) },
            "dub_link": null,
            "gpu": deployment.gpu(),
            "machine_version_id": machine_version,
            "modal_image_id": image,
            "concurrency_limit": concurrency_limit,
            "run_timeout": RUN_TIMEOUT_S,
            "idle_timeout": 0,
            "keep_warm": 0,
            "activated_at": null,
            "modal_app_id": null,
        }),
        version: version(workflow),
    }
}

/// The service's default; nothing in the simulator reaches it.
pub(crate) const RUN_TIMEOUT_S: u32 = 300;

pub(crate) fn version(workflow: &SimWorkflow) -> VersionJson<'_> {
    VersionJson {
        plain: json!({
            "id": workflow.version_id(),
            "workflow_id": workflow.id,
            "version": workflow.version,
            "comment": "initial version",
            "snapshot": null,
            "dependencies": null,
            "user_id": USER,
            "created_at": times::millis(workflow.created),
            "updated_at": times::millis(workflow.updated),
            "machine_id": workflow.deployments.first().map(|d| d.machine.uuid()),
            "machine_version_id": null,
            "comfyui_snapshot": null,
        }),
        workflow: UiGraph(&workflow.graph),
        workflow_api: &workflow.graph,
    }
}

/// An item of `/workflows`.
pub(crate) fn workflow_item(workflow: &SimWorkflow) -> Value {
    json!({
        "id": workflow.id,
        "name": workflow.name,
        "created_at": times::spaced(workflow.created),
        "updated_at": times::spaced(workflow.updated),
        "pinned": false,
        "cover_image": null,
        "user_name": "Sim User",
        "user_id": USER,
        "selected_machine_id": workflow.deployments.first().map(|d| d.machine.uuid()),
        "user_icon": null,
    })
}

/// The `workflow` object inside a row of the older run list.
pub(crate) fn workflow_row(workflow: &SimWorkflow) -> Value {
    json!({
        "id": workflow.id,
        "user_id": USER,
        "org_id": null,
        "selected_machine_id": workflow.deployments.first().map(|d| d.machine.uuid()),
        "cover_image": null,
        "updated_at": times::millis(workflow.updated),
        "deleted": false,
        "name": workflow.name,
        "description": null,
        "created_at": times::millis(workflow.created),
        "pinned": false,
    })
}

/// The server's own derivation: known classes only, so some inputs are missing from it (§2.2).
fn input_types(graph: &Graph) -> Vec<Value> {
    graph.nodes.iter().filter_map(input_type).collect()
}

fn input_type(node: &Node) -> Option<Value> {
    let kind = match node.class.strip_prefix("ComfyUIDeployExternal")? {
        "NumberInt" | "NumberSliderInt" => "integer",
        "Number" | "NumberSlider" => "float",
        "Boolean" => "boolean",
        // The server's list has no entry for these though they take values.
        "Seed" | "FaceModel" | "Vid" | "Color" => return None,
        _ => "string",
    };
    let field = |name: &str| node.inputs.get(name).cloned().unwrap_or_default();
    let text = |name: &str| node.text(name).unwrap_or_default();
    let choices: Option<Value> = node.text("options").and_then(|options| serde_json::from_str(options).ok());
    let entries = [
        ("type", kind.into()),
        ("class_type", node.class.as_str().into()),
        ("input_id", text("input_id").into()),
        ("default_value", field("default_value")),
        ("min_value", field("min_value")),
        ("max_value", field("max_value")),
        ("display_name", text("display_name").into()),
        ("description", text("description").into()),
        ("enum_options", choices.unwrap_or_default()),
        ("step", field("step")),
    ];
    let entries = entries.into_iter().map(|(name, value)| (name.to_owned(), value));
    Some(Value::Object(entries.collect::<Map<_, _>>()))
}
