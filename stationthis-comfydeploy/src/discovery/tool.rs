//! From a workflow to a tool.

use super::Warnings;
use super::choose::Workflow;
use crate::details::EndpointDetails;
use crate::provider::SERVICE_NAME;
use crate::wire::machine::Machine;
use crate::{inputs, outputs};
use stationthis_core::task::output::OutputKind;
use stationthis_core::tool::{CostingModel, ExactlyOnce, Execution};
use stationthis_core::{JsonDoc, ProviderId, Result, ToolDefinition, ToolId};
use std::collections::{BTreeSet, HashMap};

/// The service's time limit for a run on a machine that is not fluid, unless its owner changed it: seconds.
const RUN_TIMEOUT_S: u32 = 300;

/// The tool of a workflow.
///
/// # Errors
/// When its id cannot be part of a tool's id.
pub(super) fn of(
    provider: &ProviderId,
    workflow: Workflow,
    machines: &HashMap<String, Machine>,
    warnings: &mut Warnings,
) -> Result<ToolDefinition> {
    let deployment = workflow.chosen.deployment;
    let name = deployment.workflow.as_ref().and_then(|w| w.name.clone()).filter(|name| !name.trim().is_empty());
    let name = name.unwrap_or_else(|| workflow.id.clone());
    let mut tool =
        ToolDefinition::new(ToolId::for_key(provider, &workflow.id)?, provider.clone(), SERVICE_NAME, name.clone());
    tool.description = deployment.description.clone().unwrap_or_default();

    let inputs = inputs::derive(&workflow.chosen.graph.inputs);
    let listed = workflow.chosen.input_types.iter();
    // Null means that the service made no list, which says nothing.
    let odd = listed.filter_map(|list| inputs.cross_check(list.iter().map(|input| input.input_id.as_str())));
    odd.chain(inputs.warnings.iter().cloned()).for_each(|w| warnings.add(format!("{name}: {w}")));
    tool.input_schema = JsonDoc::from_value(&inputs.schema);
    tool.outputs = kinds(&workflow.chosen.graph.outputs);
    tool.category = tool.outputs.first().map(|kind| word(*kind).to_owned());

    let machine = deployment.machine_id.as_ref().and_then(|id| machines.get(id));
    if machine.is_none() {
        warnings.add(format!("{name}: its machine is not in the list of machines, so its kind is not known."));
    }
    let gpu = deployment.gpu.clone().or_else(|| machine.and_then(|m| m.gpu.clone())).filter(|gpu| !gpu.is_empty());
    let fluid = deployment.modal_image_id.is_some();
    tool.limits.run_timeout_s = Some(deployment.run_timeout.filter(|s| fluid && *s > 0).unwrap_or(RUN_TIMEOUT_S));
    tool.limits.concurrency = deployment.concurrency_limit.filter(|_| fluid);
    tool.costing_model = CostingModel::PerSecond { resource: gpu.clone(), machine: deployment.machine_id.clone() };
    tool.execution = Execution::CallbackAndPoll;
    tool.exactly_once = ExactlyOnce::Lookup;
    tool.endpoint_details = JsonDoc::of(&EndpointDetails {
        workflow_id: workflow.id,
        deployment_id: deployment.id,
        environment: deployment.environment,
        deployment_ids_by_name: workflow.ids.into_iter().map(|(e, (_, id))| (e, id)).collect(),
        machine_id: deployment.machine_id,
        machine_type: machine.and_then(|m| m.kind.clone()),
        gpu,
        workflow_version_id: deployment.workflow_version_id,
        send_as: inputs.send_as,
    })?;
    Ok(tool.seal())
}

/// What the output nodes give; a picture when none of them is known.
fn kinds(classes: &[String]) -> Vec<OutputKind> {
    let kinds: BTreeSet<OutputKind> = classes.iter().filter_map(|class| outputs::node_kind(class)).collect();
    if kinds.is_empty() { vec![OutputKind::Image] } else { kinds.into_iter().collect() }
}

const fn word(kind: OutputKind) -> &'static str {
    match kind {
        OutputKind::Image => "image",
        OutputKind::Video => "video",
        OutputKind::Audio => "audio",
        OutputKind::Model3d => "model3d",
        OutputKind::Text => "text",
        OutputKind::File => "file",
        OutputKind::Json => "json",
    }
}
