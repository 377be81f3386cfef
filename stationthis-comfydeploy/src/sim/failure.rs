//! What the engine says about a failed run: stored, but shown only by the unfiltered run list
//! (recordings failed_run_four_views).

use super::graph::Node;
use super::run::Run;
use serde_json::{Map, Value, json};

/// ComfyUI's exception object for a node that ran out of memory.
pub(crate) fn exception(run: &Run, node: &Node, executed: &[Value]) -> Value {
    let inputs: Map<String, Value> = node.inputs.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    let done = executed.iter().filter_map(|time| time.get("id").cloned());
    let executed: Vec<Value> = done.filter(|id| id.as_str() != Some(&node.id)).collect();
    json!({
        "prompt_id": run.facts.id,
        "node_id": node.id,
        "node_type": node.class,
        "executed": executed,
        "timestamp": super::times::now().as_millisecond(),
        "exception_type": "torch.OutOfMemoryError",
        "exception_message": "Allocation on device 0 would exceed allowed memory. (out of memory)\n",
        "traceback": [
            "  File \"/comfyui/execution.py\", line 496, in execute\n    output_data, output_ui, \
             has_subgraph, has_pending_tasks = await get_output_data(prompt_id, unique_id, obj, \
             input_data_all)\n",
            "  File \"/comfyui/execution.py\", line 289, in _async_map_node_over_list\n    await \
             process_inputs(input_dict, i)\n",
            "  File \"/comfyui/nodes.py\", line 1512, in sample\n    return common_ksampler(model, \
             seed, steps, cfg, sampler_name, scheduler, positive, negative, latent_image)\n",
        ],
        "current_inputs": inputs,
        "current_outputs": [node.id],
    })
}

/// The same as the container's log has it.
pub(crate) fn log_lines(exception: &Value) -> Vec<String> {
    let text = |name: &str| exception.get(name).and_then(Value::as_str).unwrap_or_default();
    vec![
        "got prompt".to_owned(),
        format!("!!! Exception during processing !!! {}", text("exception_message").trim_end()),
        format!("{}: {}", text("exception_type"), text("exception_message").trim_end()),
    ]
}
