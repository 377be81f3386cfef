//! Machines and prices (ComfyDeploy protocol notes §2.3, §7).

use super::USER;
use crate::sim::machine::SimMachine;
use crate::sim::times;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The answer of `/platform/gpu-pricing`, spelled as the service does: note CPU.
pub(crate) const GPU_PRICING: &str = concat!(
    r#"{"CPU":4.2e-05,"T4":0.00018,"L4":0.00032,"A10G":0.000337,"L40S":0.000596,"A100":0.00114,"#,
    r#""A100-80GB":0.001708,"H100":0.002338,"H200":0.001891,"B200":0.002604}"#
);

/// When every machine was made.
const MADE_S: i64 = 1_740_000_000;

/// An item of `/machines`.
pub(crate) fn item(machine: SimMachine) -> Value {
    let made = times::naive(Timestamp::from_second(MADE_S).unwrap_or_default());
    json!({
        "id": machine.uuid(),
        "user_id": USER,
        "name": machine.name(),
        "created_at": made,
        "updated_at": made,
        "type": machine.kind(),
        "org_id": null,
        "status": "ready",
        "gpu": machine.gpu(),
        "machine_version": null,
        "machine_builder_version": "4",
        "comfyui_version": null,
        "import_failed_logs": null,
        "machine_version_id": null,
        "is_workspace": false,
    })
}

/// The answer of `/machine/{id}`.
pub(crate) fn full(machine: SimMachine, concurrency_limit: u32) -> Value {
    let mut value = item(machine);
    let endpoint = (!machine.is_serverless()).then_some("http://workshop.invalid:8188/");
    let more = json!({
        "deleted": machine.deleted(),
        "endpoint": endpoint,
        "concurrency_limit": concurrency_limit,
        "run_timeout": super::deployment::RUN_TIMEOUT_S,
        "idle_timeout": 60,
        "docker_command_steps": null,
        "keep_warm": 0,
        "allow_concurrent_inputs": 1,
        "base_docker_image": null,
        "python_version": null,
        "extra_args": null,
        "prestart_command": null,
        "install_custom_node_with_gpu": false,
        "optimized_runner": false,
        "disable_metadata": true,
        "cpu_request": null,
        "cpu_limit": null,
        "memory_request": null,
        "memory_limit": null,
        "models_to_cache": [],
        "enable_gpu_memory_snapshot": false,
    });
    if let (Some(all), Value::Object(more)) = (value.as_object_mut(), more) {
        all.extend(more);
    }
    value
}
