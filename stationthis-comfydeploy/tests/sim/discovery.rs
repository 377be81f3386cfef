//! The lists: what is on offer, in which order, on which page.

use crate::support::{Client, instant, keys, str_of};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{SimCatalogue, SimConfig, SimDeployment, SimMachine, SimTiming, SimWorkflow};
use std::collections::BTreeSet;
use std::time::Duration;

fn names(list: &Value) -> Vec<(&str, &str)> {
    let name = |d: &'_ Value| d["workflow"]["name"].as_str().is_some();
    let list = list.as_array().unwrap();
    assert!(list.iter().all(name));
    list.iter().map(|d| (d["workflow"]["name"].as_str().unwrap(), d["environment"].as_str().unwrap())).collect()
}

/// The ids of a list, in its order.
fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn fluid_deployments_come_only_when_asked_for() {
    let client = Client::new().await;
    let (status, plain) = client.get("/deployments").await;
    assert_eq!(status, 200);
    let expected = [
        ("Text to Image", "production"),
        ("Workshop Sketch", "production"),
        ("Image Restyle", "production"),
        ("Image Restyle", "preview"),
        ("SDXL Portrait", "staging"),
    ];
    assert_eq!(names(&plain), expected);
    assert!(plain.as_array().unwrap().iter().all(|d| d["modal_image_id"].is_null() && d["gpu"].is_null()));

    let (_, fluid) = client.get("/deployments?is_fluid=true").await;
    let expected =
        [("Caption Writer", "production"), ("Flux Dreamscape", "production"), ("SDXL Portrait", "production")];
    assert_eq!(names(&fluid), expected);
    assert!(fluid.as_array().unwrap().iter().all(|d| d["modal_image_id"].is_string() && d["gpu"].is_string()));

    let (_, preview) = client.get("/deployments?environment=preview").await;
    assert_eq!(names(&preview), [("Image Restyle", "preview")]);
}

#[tokio::test]
async fn without_a_page_size_the_offset_is_ignored() {
    let client = Client::new().await;
    let (_, all) = client.get("/deployments").await;
    let (_, offset) = client.get("/deployments?offset=2").await;
    assert_eq!(ids(&all), ids(&offset));
    let (_, page) = client.get("/deployments?page_size=2&offset=2").await;
    assert_eq!(ids(&page), ids(&all)[2..4]);
    let (_, beyond) = client.get("/deployments?page_size=2&offset=100").await;
    assert_eq!(beyond, json!([]));
}

#[tokio::test]
async fn two_thousand_deployments_are_paged_through() {
    const PAGE: usize = 20;
    let config = SimConfig { catalogue: SimCatalogue::sized(2_000), ..instant() };
    let client = Client::with(config).await;
    let (_, workflows) = client.get("/workflows?limit=5000").await;
    assert_eq!(ids(&workflows).len(), 2_000);
    let mut seen = BTreeSet::new();
    for fluid in [false, true] {
        // The first page, one in the middle, the last, and the one after it.
        for (offset, expected) in [(0, PAGE), (500, PAGE), (990, 10), (1_000, 0)] {
            let path = format!("/deployments?is_fluid={fluid}&page_size={PAGE}&offset={offset}");
            let (_, page) = client.get(&path).await;
            assert_eq!(ids(&page).len(), expected, "{path}");
            seen.extend(ids(&page));
            for deployment in page.as_array().unwrap() {
                assert_eq!(deployment["modal_image_id"].is_string(), fluid);
                let nodes = deployment["version"]["workflow_api"].as_object().unwrap().len();
                assert!((30..=60).contains(&nodes), "{nodes}");
            }
        }
    }
    assert_eq!(seen.len(), 2 * (PAGE + PAGE + 10));
    // A generated deployment is the same when asked for alone.
    let (_, page) = client.get("/deployments?page_size=1&offset=999").await;
    let (_, alone) = client.get(&format!("/deployment/{}", str_of(&page[0]["id"]))).await;
    assert_eq!(alone, page[0]);
}

#[tokio::test]
async fn a_deployment_has_the_recorded_fields() {
    let client = Client::new().await;
    let deployment = client.deployment("Text to Image", "production").await;
    let expected = "activated_at concurrency_limit created_at description dub_link environment gpu id idle_timeout \
                    input_types keep_warm machine machine_id machine_version_id modal_app_id modal_image_id org_id \
                    output_types run_timeout share_options share_slug showcase_media updated_at user_id version \
                    workflow workflow_id workflow_version_id";
    assert_eq!(keys(&deployment), expected);
    let expected = "comfyui_snapshot comment created_at dependencies id machine_id machine_version_id snapshot \
                    updated_at user_id version workflow workflow_api workflow_id";
    assert_eq!(keys(&deployment["version"]), expected);
    assert_eq!(keys(&deployment["workflow"]), "cover_url id name");
    assert!(deployment["machine"].is_null());
    assert_eq!(deployment["output_types"], json!([]));

    let (_, alone) = client.get(&format!("/deployment/{}", str_of(&deployment["id"]))).await;
    assert_eq!(alone, deployment);
}

#[tokio::test]
async fn the_input_list_leaves_the_seed_out_though_the_graph_has_it() {
    let client = Client::new().await;
    let deployment = client.deployment("Text to Image", "production").await;
    let listed = deployment["input_types"].as_array().unwrap();
    let find = |id: &str| listed.iter().find(|input| input["input_id"] == id);
    for (id, kind) in
        [("prompt", "string"), ("width", "integer"), ("height", "integer"), ("steps", "integer"), ("sampler", "string")]
    {
        assert_eq!(find(id).unwrap()["type"], kind, "{id}");
    }
    let expected =
        "class_type default_value description display_name enum_options input_id max_value min_value step type";
    assert_eq!(keys(find("steps").unwrap()), expected);
    assert_eq!(find("sampler").unwrap()["enum_options"], json!(["euler", "dpmpp_2m", "ddim"]));
    assert!(find("seed").is_none());
    let graph = deployment["version"]["workflow_api"].as_object().unwrap();
    assert!(graph.values().any(|node| node["inputs"]["input_id"] == "seed"));
}

#[tokio::test]
async fn the_deployments_of_one_workflow_name_their_machines() {
    let client = Client::new().await;
    let production = client.deployment("SDXL Portrait", "production").await;
    let path = format!("/workflow/{}/deployments", str_of(&production["workflow_id"]));
    let (status, list) = client.get(&path).await;
    assert_eq!(status, 200);
    assert_eq!(names(&list), [("SDXL Portrait", "staging"), ("SDXL Portrait", "production")]);
    assert_eq!(list[1]["machine"], json!({ "id": production["machine_id"], "name": "studio-a10g" }));

    let (status, answer) = client.get(&format!("/workflow/{}/deployments", uuid::Uuid::new_v4())).await;
    assert_eq!(status, 404);
    assert_eq!(answer["detail"], "Deployments not found or you don't have access to it");
}

#[tokio::test]
async fn deleted_machines_are_listed_unless_excluded() {
    let client = Client::new().await;
    let (_, all) = client.get("/machines").await;
    let (_, live) = client.get("/machines?is_deleted=false").await;
    let (_, dead) = client.get("/machines?is_deleted=true").await;
    assert_eq!(ids(&all).len(), ids(&live).len() + 1);
    assert_eq!(ids(&dead), [SimMachine::Retired.id()]);
    let expected = "comfyui_version created_at gpu id import_failed_logs is_workspace machine_builder_version \
                    machine_version machine_version_id name org_id status type updated_at user_id";
    assert!(all.as_array().unwrap().iter().all(|machine| keys(machine) == expected));
    let (_, page) = client.get("/machines?is_deleted=false&limit=2&offset=1").await;
    assert_eq!(ids(&page), ids(&live)[1..3]);

    let (_, machine) = client.get(&format!("/machine/{}", SimMachine::Retired.id())).await;
    assert_eq!(machine["deleted"], true);
    let (_, machine) = client.get(&format!("/machine/{}", SimMachine::Classic.id())).await;
    assert_eq!(
        (&machine["deleted"], &machine["type"], &machine["gpu"]),
        (&json!(false), &json!("classic"), &json!(null))
    );
    assert_eq!(machine.as_object().unwrap().len(), 36);
    let (status, answer) = client.get(&format!("/machine/{}", uuid::Uuid::new_v4())).await;
    assert_eq!((status, answer), (404, json!({ "detail": "Machine not found" })));
}

#[tokio::test]
async fn workflows_are_searched_and_paged() {
    let client = Client::new().await;
    let (_, all) = client.get("/workflows").await;
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&all)[..2], ["Text to Image", "Workshop Sketch"]);
    let expected = "cover_image created_at id name pinned selected_machine_id updated_at user_icon user_id user_name";
    assert_eq!(keys(&all[0]), expected);
    let (_, page) = client.get("/workflows?limit=2&offset=1").await;
    assert_eq!(names(&page), names(&all)[1..3]);
    let (_, found) = client.get("/workflows?search=CAPTION").await;
    assert_eq!(names(&found), ["Caption Writer"]);
}

#[tokio::test]
async fn prices_need_no_key() {
    let client = Client::new().await;
    let answer = client.http.get(client.url("/platform/gpu-pricing")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    assert!(text.starts_with(r#"{"CPU":4.2e-05,"T4":0.00018,"#), "{text}");
    let prices: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(prices["H100"], 0.002338);
    assert_eq!(prices.as_object().unwrap().len(), 10);
}

#[tokio::test]
async fn a_new_version_keeps_the_ids_and_a_renamed_workflow_too() {
    let client = Client::new().await;
    let before = client.deployment("Text to Image", "production").await;
    let newer = SimWorkflow::text_to_image("Text to Image").deployed(SimDeployment::production(SimMachine::H100));
    client.server.sim.add_workflow(newer);
    let after = client.deployment("Text to Image", "production").await;
    assert_eq!(after["id"], before["id"]);
    assert_eq!(after["created_at"], before["created_at"]);
    assert_ne!(after["workflow_version_id"], before["workflow_version_id"]);
    assert_eq!((&after["version"]["version"], &after["machine_id"]), (&json!(2), &json!(SimMachine::H100.id())));

    assert!(client.server.sim.rename_workflow("Text to Image", "Painter"));
    let renamed = client.deployment("Painter", "production").await;
    assert_eq!((&renamed["id"], &renamed["updated_at"]), (&after["id"], &after["updated_at"]));
    assert!(client.server.sim.remove_workflow("Painter"));
    assert!(!client.server.sim.remove_workflow("Painter"));
    let (status, _) = client.post("/run/deployment/queue", &json!({ "deployment_id": renamed["id"] })).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn generated_workflows_can_be_renamed_and_removed() {
    let client = Client::with(SimConfig { catalogue: SimCatalogue::sized(3), ..instant() }).await;
    let sim = &client.server.sim;
    assert!(sim.rename_workflow("Workflow 00001", "Other"));
    assert!(!sim.rename_workflow("Workflow 00001", "Again"));
    assert!(sim.remove_workflow("Workflow 00002"));
    assert!(!sim.remove_workflow("Workflow 00003"));
    let (_, list) = client.get("/workflows").await;
    let names: Vec<_> = list.as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Workflow 00000", "Other"]);
}

#[tokio::test]
async fn every_demo_tool_ends_well_and_takes_no_more_than_a_second_and_a_half() {
    let timing = SimTiming::fast();
    let client = Client::with(SimConfig { timing: timing.clone(), ..instant() }).await;
    let mut runs = Vec::new();
    for fluid in [false, true] {
        let (_, list) = client.get(&format!("/deployments?is_fluid={fluid}")).await;
        for deployment in list.as_array().unwrap() {
            let graph = deployment["version"]["workflow_api"].as_object().unwrap();
            let samplers = graph.values().filter(|node| node["class_type"] == "KSampler").count();
            let steps = u32::try_from(graph.len() + 2 * samplers).unwrap();
            let fixed = timing.queue_latency + timing.cold_start + timing.boot + timing.upload;
            let longest = (fixed + timing.per_node * steps).mul_f64(1.0 + SimConfig::default().jitter);
            assert!(longest < Duration::from_millis(1_500), "{longest:?}: {}", deployment["workflow"]["name"]);
            let (_, answer) = client.post("/run/deployment/queue", &json!({ "deployment_id": deployment["id"] })).await;
            runs.push(str_of(&answer["run_id"]).to_owned());
        }
    }
    let mut kinds = BTreeSet::new();
    for id in runs {
        let run = client.end(&id).await;
        assert_eq!(run["status"], "success");
        assert_eq!(run["outputs"].as_array().unwrap().len(), 1);
        kinds.insert(str_of(&run["machine_type"]).to_owned());
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["classic", "comfy-deploy-serverless"]);
}
