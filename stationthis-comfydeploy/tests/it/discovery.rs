//! Discovery against the recorded lists and broken ones.

use crate::replay::recorded;
use crate::support::provider;
use serde_json::{Value, json};
use stationthis_comfydeploy::{ComfyDeploy, ComfyDeployConfig, EndpointDetails};
use stationthis_core::cost::{CostModel, RateKey};
use stationthis_core::provider::{Catalogue, ServiceProvider};
use stationthis_core::task::output::OutputKind;
use stationthis_core::tool::CostingModel;
use stationthis_core::{ErrorKind, Secret, ToolDefinition};
use wiremock::matchers::{path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn deployments() -> Vec<Value> {
    serde_json::from_str(recorded("lists")["/deployments"]["body"].as_str().unwrap()).unwrap()
}

async fn list(server: &MockServer, at: &str, params: &[(&str, &str)], answer: ResponseTemplate) {
    let mock = Mock::given(path(at));
    let mock = params.iter().fold(mock, |mock, (name, value)| mock.and(query_param(*name, *value)));
    mock.respond_with(answer).mount(server).await;
}

fn rows(rows: &[Value]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(rows)
}

/// A service with these deployments, all on one page, and the recorded machines.
async fn service(plain: &[Value], fluid: &[Value]) -> MockServer {
    let server = MockServer::start().await;
    list(&server, "/deployments", &[("is_fluid", "false")], rows(plain)).await;
    list(&server, "/deployments", &[("is_fluid", "true")], rows(fluid)).await;
    let machines = recorded("lists")["/machines"]["body"].as_str().unwrap().to_owned();
    list(&server, "/machines", &[("is_deleted", "false")], ResponseTemplate::new(200).set_body_string(machines)).await;
    let prices = ResponseTemplate::new(200).set_body_string(r#"{"CPU": 4.2e-05, "A10G": 0.0004}"#);
    list(&server, "/platform/gpu-pricing", &[], prices).await;
    server
}

async fn discover(server: &MockServer) -> Catalogue {
    provider(server.uri()).discover().await.unwrap()
}

fn named<'a>(catalogue: &'a Catalogue, name: &str) -> &'a ToolDefinition {
    catalogue.tools.iter().find(|tool| tool.display_name == name).unwrap()
}

#[tokio::test]
async fn the_recorded_account_becomes_one_tool_per_workflow() {
    let catalogue = discover(&service(&deployments(), &[]).await).await;
    assert_eq!(catalogue.warnings, [] as [String; 0]);
    assert_eq!(catalogue.tools.len(), 6);
    let tool = named(&catalogue, "lab-ok");
    assert_eq!(tool.tool_id.as_str(), "comfydeploy:6b019229-93ba-41d0-ad20-e368978fda87");
    assert_eq!(tool.outputs, [OutputKind::Image, OutputKind::File]);
    assert_eq!((tool.limits.run_timeout_s, tool.limits.concurrency), (Some(300), None));
    assert_eq!(tool.revision.len(), 16);
    let details: EndpointDetails = tool.endpoint_details.parse().unwrap();
    assert_eq!(details.deployment_id, "6f19d87d-6c9c-4a3b-abdb-75eea2314711");
    assert_eq!(details.deployment_ids_by_name.keys().collect::<Vec<_>>(), ["preview", "production", "staging"]);
    assert_eq!((details.machine_type.as_deref(), details.gpu), (Some("classic"), None));
    let machine = details.machine_id.clone();
    assert_eq!(tool.costing_model, CostingModel::PerSecond { resource: None, machine });
    let schema = tool.input_schema.to_value();
    assert_eq!(
        schema["properties"]["prompt"],
        json!({
            "type": "string", "default": "a cat", "title": "prompt", "x-stationthis": { "order": 0, "kind": "text" },
        })
    );
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema.get("required"), None);
    let mut shown = serde_json::to_value(tool).unwrap();
    // Of every tool; and a hash of all the rest.
    for same in ["outputSchema", "revision"] {
        shown.as_object_mut().unwrap().remove(same);
    }
    insta::with_settings!({ sort_maps => true, snapshot_path => "snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!("recorded_tool", shown);
    });
    assert_eq!(named(&catalogue, "lab-img").input_schema.to_value()["required"], json!(["image"]));
}

#[tokio::test]
async fn live_prices_are_laid_over_the_builtin_ones_and_may_be_missing() {
    let server = service(&[], &[]).await;
    let provider = provider(server.uri());
    let card = provider.discover().await.unwrap().rate_card.unwrap();
    let card = provider.builtin_card().overlaid(&card);
    let price = |gpu: &str| card.rates[&RateKey::Resource(gpu.to_owned())].amount.to_string();
    assert_eq!((price("A10G").as_str(), price("H100").as_str()), ("0.0004", "0.002338"));

    let server = MockServer::start().await;
    list(&server, "/deployments", &[], rows(&[])).await;
    list(&server, "/machines", &[], rows(&[])).await;
    list(&server, "/platform/gpu-pricing", &[], ResponseTemplate::new(404)).await;
    let catalogue = discover(&server).await;
    assert!(catalogue.rate_card.is_none() && catalogue.warnings[0].contains("prices"), "{:?}", catalogue.warnings);
}

#[tokio::test]
async fn a_list_that_fails_fails_everything() {
    for broken in ["/deployments", "/machines"] {
        let server = service(&deployments(), &[]).await;
        let answer = ResponseTemplate::new(500).set_body_string("Internal Server Error");
        Mock::given(path(broken)).respond_with(answer).with_priority(1).mount(&server).await;
        let error = provider(server.uri()).discover().await.unwrap_err();
        assert_eq!((error.kind(), error.http_status()), (ErrorKind::Unavailable, Some(500)), "{broken}");
    }
    let server = service(&[], &[]).await;
    Mock::given(path("/machines"))
        .respond_with(ResponseTemplate::new(200).set_body_string("[{]"))
        .with_priority(1)
        .mount(&server)
        .await;
    assert_eq!(provider(server.uri()).discover().await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_named_and_the_rest_is_there() {
    let mut all = deployments();
    let id = all[0]["id"].as_str().unwrap().to_owned();
    all[0]["version"] = json!("what?");
    all.push(json!(5));
    all[1]["input_types"] = json!([]);
    let catalogue = discover(&service(&all, &[]).await).await;
    assert_eq!(catalogue.tools.len(), 6);
    let warned = |text: &str| catalogue.warnings.iter().any(|w| w.contains(text));
    assert!(
        warned(&id) && warned("entry 18 of page 0") && warned("lab-early: The service lists other inputs"),
        "{:?}",
        catalogue.warnings
    );
}

#[tokio::test]
async fn fluid_deployments_are_found_and_have_limits_and_a_gpu_of_their_own() {
    let all = deployments();
    let mut fluid =
        all.iter().find(|d| d["workflow"]["name"] == "lab-ok" && d["environment"] == "production").unwrap().clone();
    let plain: Vec<Value> = all.iter().filter(|d| d["id"] != fluid["id"]).cloned().collect();
    fluid["modal_image_id"] = json!("im-1");
    fluid["gpu"] = json!("A10G");
    fluid["run_timeout"] = json!("900");
    fluid["machine_id"] = json!("gone");
    let catalogue = discover(&service(&plain, &[fluid]).await).await;
    let tool = named(&catalogue, "lab-ok");
    assert_eq!((tool.limits.run_timeout_s, tool.limits.concurrency), (Some(900), Some(2)));
    let resource = Some("A10G".to_owned());
    assert_eq!(tool.costing_model, CostingModel::PerSecond { resource, machine: Some("gone".to_owned()) });
    let details: EndpointDetails = tool.endpoint_details.parse().unwrap();
    assert_eq!((details.environment.as_str(), details.deployment_ids_by_name.len()), ("production", 3));
    assert!(catalogue.warnings[0].contains("lab-ok: its machine is not in the list"), "{:?}", catalogue.warnings);
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let all = deployments();
    let server = service(&[], &[]).await;
    for offset in [0, 6, 12] {
        // Each page begins with the last entry of the one before.
        let part = &all[offset..all.len().min(offset + 7)];
        let offset = offset.to_string();
        Mock::given(path("/deployments"))
            .and(query_param("is_fluid", "false"))
            .and(query_param("page_size", "7"))
            .and(query_param("offset", offset.as_str()))
            .respond_with(rows(part))
            .with_priority(1)
            .expect(1)
            .mount(&server)
            .await;
    }
    let mut config = ComfyDeployConfig::default();
    config.page_size = 7;
    config.base_url = server.uri();
    config.environments = vec!["staging".to_owned()];
    let provider = ComfyDeploy::builder(Secret::new("key")).config(config).build().unwrap();
    let catalogue = provider.discover().await.unwrap();
    assert_eq!(catalogue.tools.len(), 6);
    for tool in catalogue.tools {
        assert_eq!(tool.endpoint_details.parse::<EndpointDetails>().unwrap().environment, "staging");
    }
}

#[tokio::test]
async fn a_deployment_that_moves_while_the_list_is_read_is_not_missed() {
    let named: Vec<Value> = deployments().into_iter().filter(|d| d["environment"] == "production").take(5).collect();
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|i| named[i].clone());
    let server = service(&[], &[]).await;
    let page = |offset: &str, rows: &[&Value]| {
        let page = Mock::given(path("/deployments")).and(query_param("is_fluid", "false"));
        let answer = ResponseTemplate::new(200).set_body_json(rows);
        page.and(query_param("offset", offset)).respond_with(answer)
    };
    // After the first page, e is redeployed and jumps to the front.
    page("0", &[&a, &b, &c]).up_to_n_times(1).with_priority(1).mount(&server).await;
    page("0", &[&e, &a, &b]).with_priority(2).expect(1).mount(&server).await;
    page("2", &[&b, &c, &d]).with_priority(1).expect(2).mount(&server).await;
    page("4", &[&d]).with_priority(1).expect(2).mount(&server).await;
    let mut config = ComfyDeployConfig::default();
    config.page_size = 3;
    config.base_url = server.uri();
    let provider = ComfyDeploy::builder(Secret::new("key")).config(config).build().unwrap();
    assert_eq!(provider.discover().await.unwrap().tools.len(), 5);
}
