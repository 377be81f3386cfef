//! The two lists of a workflow's runs, and the log of a run.

use crate::receiver::Receiver;
use crate::support::{Client, instant, keys, str_of};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{SimConfig, SimTiming};
use std::time::Duration;

const TOOL: &str = "SDXL Portrait";

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| str_of(&row["id"])).collect()
}

/// Three ended runs, and the id of their workflow.
async fn three() -> (Client, Vec<String>, String) {
    let client = Client::new().await;
    let mut runs = Vec::new();
    for n in 0..3 {
        let more = json!({ "inputs": { "prompt": format!("study {n}") }, "webhook": format!("task:{n}") });
        let id = client.queue(TOOL, more).await;
        client.end(&id).await;
        runs.push(id);
    }
    let workflow = str_of(&client.run(&runs[0]).await["workflow_id"]).to_owned();
    (client, runs, workflow)
}

#[tokio::test]
async fn the_light_list_has_the_recorded_fields_and_filters() {
    let (client, runs, workflow) = three().await;
    let list = async |query: &str| client.get(&format!("/v2/workflow/{workflow}/runs{query}")).await.1;
    let all = list("").await;
    assert_eq!(ids(&all), [&*runs[2], &*runs[1], &*runs[0]]);
    let expected = "batch_id cold_start_duration cold_start_duration_total comfy_deploy_cold_start created_at \
                    deployment_id duration ended_at gpu id machine_type machine_version modal_function_call_id \
                    org_id origin queued_at run_duration started_at status updated_at user_id \
                    webhook_intermediate_status webhook_status workflow_id workflow_version_id";
    assert_eq!(keys(&all[0]), expected);
    // Milliseconds, not the six digits of `GET /run/{id}`.
    assert_eq!(str_of(&all[0]["created_at"]).len(), "2025-03-04T05:06:07.123Z".len());
    let sum: f64 = ["comfy_deploy_cold_start", "cold_start_duration", "run_duration"]
        .iter()
        .map(|field| str_of(&all[0][field]).parse::<f64>().unwrap())
        .sum();
    assert!((sum - str_of(&all[0]["duration"]).parse::<f64>().unwrap()).abs() < 1e-6);

    assert_eq!(ids(&list("?limit=1&offset=1").await), [&*runs[1]]);
    assert_eq!(ids(&list("?status=success&limit=1").await), [&*runs[2]]);
    assert_eq!(list("?status=failed").await, json!([]));
    let deployment = str_of(&all[0]["deployment_id"]);
    assert_eq!(ids(&list(&format!("?deployment_id={deployment}")).await).len(), 3);
    assert_eq!(list(&format!("?deployment_id={workflow}")).await, json!([]));
    assert_eq!(ids(&list("?rf=1700000000").await).len(), 3);
    assert_eq!(list("?rf=99999999999").await, json!([]));
    assert_eq!(list("?deployment_id=x").await["detail"][0]["loc"], json!(["query", "deployment_id"]));
}

#[tokio::test]
async fn the_heavy_list_has_graphs_inputs_and_unfiltered_outputs() {
    let (client, runs, workflow) = three().await;
    let list = async |query: &str| client.get(&format!("/workflow/{workflow}/runs{query}")).await.1;
    let page = list("?limit=2").await;
    assert_eq!(ids(&page), [&*runs[2], &*runs[1]]);
    let expected = "batch_id cold_start_duration cold_start_duration_total comfy_deploy_cold_start created_at \
                    deployment_id duration ended_at gpu gpu_event_id id is_realtime live_status machine_id \
                    machine_type machine_version modal_function_call_id model_id org_id origin outputs progress \
                    queued_at run_duration started_at status updated_at user_id version webhook \
                    webhook_intermediate_status webhook_status workflow workflow_api workflow_id workflow_inputs \
                    workflow_version_id";
    assert_eq!(keys(&page[0]), expected);
    assert_eq!(page[0]["workflow_inputs"]["prompt"], "study 2");
    assert_eq!((&page[0]["webhook"], &page[0]["workflow"]["name"]), (&json!("task:2"), &json!(TOOL)));
    assert!(page[0]["version"]["workflow_api"].as_object().unwrap().len() > 10);
    // The picture, and the times of the nodes that no other place shows.
    let outputs = page[0]["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), 2);
    assert_eq!(keys(&outputs[0]), "created_at data id node_meta run_id updated_at");
    assert_eq!(keys(&outputs[1]["data"][0]), "class_type id time vram_used");

    let slim = list("?limit=1&with_outputs=false&with_inputs=false").await;
    assert!(slim[0].get("outputs").is_none() && slim[0].get("workflow_inputs").is_none());
}

#[tokio::test]
async fn get_run_has_the_recorded_fields() {
    let (client, runs, _) = three().await;
    let run = client.run(&runs[0]).await;
    let expected = "cold_start_duration cold_start_duration_total created_at duration ended_at gpu gpu_event_id id \
                    is_realtime live_status machine_id machine_type machine_version modal_function_call_id number \
                    org_id origin outputs progress queue_position queued_at run_duration started_at status \
                    updated_at user_id webhook webhook_intermediate_status webhook_status workflow_id \
                    workflow_inputs workflow_version_id";
    assert_eq!(keys(&run), expected);
    let output = &run["outputs"][0];
    assert_eq!(keys(output), "created_at data id node_id node_meta output_id run_id type updated_at");
    assert_eq!(keys(&output["data"]["images"][0]), "filename is_public subfolder type upload_duration url");
    // Nothing says which deployment it was.
    assert!(!run.to_string().contains("deployment"));
}

#[tokio::test]
async fn waiting_runs_know_their_place() {
    let mut config = SimConfig { concurrency_limit: 1, ..instant() };
    config.timing.cold_start = Duration::from_secs(60);
    let client = Client::with(config).await;
    let first = client.queue(TOOL, json!({})).await;
    let second = client.queue(TOOL, json!({})).await;
    let position =
        async |id: &str| client.get(&format!("/run/{id}?queue_position=true")).await.1["queue_position"].take();
    assert_eq!((position(&first).await, position(&second).await), (json!(0), json!(1)));
    assert_eq!(client.run(&second).await["queue_position"], json!(null));
    client.post(&format!("/run/{first}/cancel"), &json!({})).await;
    assert_eq!((position(&first).await, position(&second).await), (json!(null), json!(0)));
}

#[tokio::test]
async fn a_log_has_the_webhooks_and_comes_after_the_end() {
    let config = SimConfig { timing: SimTiming::fast(), ..instant() };
    let client = Client::with(config).await;
    let receiver = Receiver::new().await;
    let webhook = format!("{}?secret=s3", receiver.url);
    let id = client.queue(TOOL, json!({ "webhook": webhook })).await;
    let path = format!("/v2/clickhouse-run-logs/{id}");
    assert_eq!(client.get(&path).await, (200, json!([])));
    client.end(&id).await;
    client.wait_books(|runs| runs[0].hooks_acked == 4).await;
    let (_, lines) = client.get(&path).await;
    assert_eq!(keys(&lines[0]), "log log_type org_id run_id timestamp user_id");
    let told: Vec<Value> =
        lines.as_array().unwrap().iter().filter_map(|line| serde_json::from_str(str_of(&line["log"])).ok()).collect();
    assert_eq!(told.len(), 4);
    assert!(told.iter().all(|line| line["url"] == webhook && line["status"] == 200));
    let payload: Value = serde_json::from_str(str_of(&told[3]["payload"])).unwrap();
    assert_eq!(payload["run_id"], id.as_str());
    assert_eq!(lines.as_array().unwrap().last().unwrap()["log"], "__END__");
    let (status, _) = client.get(&format!("/v2/clickhouse-run-logs/{}", uuid::Uuid::new_v4())).await;
    assert_eq!(status, 404);
}
