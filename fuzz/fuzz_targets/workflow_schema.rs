//! A page of deployments, or the graph of one workflow: the tools that it makes are ones that can be used.
//!
//! The input is a page (a JSON array), or a graph in API format, which is put into a page.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use stationthis_comfydeploy::{EndpointDetails, read_catalogue};
use stationthis_core::cost::{CardCostModel, CostModel, RateCard};
use stationthis_core::tool::naming;
use stationthis_core::tool::validate::{InputValidator, MAX_SCHEMA_BYTES};
use stationthis_core::{ErrorKind, ProviderId, ToolDefinition};

const MACHINES: &[u8] =
    br#"[{"id":"m1","type":"classic","gpu":null},{"id":"m2","type":"comfy-deploy-serverless","gpu":"A10G"}]"#;

fuzz_target!(|data: &[u8]| {
    let page = if data.trim_ascii_start().starts_with(b"[") {
        data.to_vec()
    } else {
        let head = br#"[{"id":"d1","workflow_id":"w1","machine_id":"m2","environment":"production","version":{"workflow_api":"#;
        [head.as_slice(), data, b"}}]"].concat()
    };
    let provider = ProviderId::new("comfydeploy").expect("a provider id");
    let catalogue = match read_catalogue(&provider, &page, MACHINES) {
        Ok(catalogue) => catalogue,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
            return;
        }
    };
    let again = read_catalogue(&provider, &page, MACHINES).expect("it was read before");
    assert_eq!(catalogue.tools, again.tools, "two readings of one page");
    catalogue.tools.iter().for_each(check);
    let assigned = naming::assign(&[], catalogue.tools.clone());
    assert_eq!(assigned.tools.len(), catalogue.tools.len(), "ids are distinct");
});

fn check(tool: &ToolDefinition) {
    let kept = serde_json::to_string(tool).expect("tools are kept as JSON");
    assert_eq!(serde_json::from_str::<ToolDefinition>(&kept).expect("and read again"), *tool);
    assert_eq!(tool.clone().seal().revision, tool.revision);
    tool.endpoint_details.parse::<EndpointDetails>().expect("the details are the provider's own");
    // Never a price by accident: unpriced on an empty card.
    let unpriced = CardCostModel::default().rate(tool, &RateCard::new("empty"));
    assert_eq!(unpriced.expect_err("an empty card").kind(), ErrorKind::Unpriced);

    let schema = tool.input_schema.to_value();
    assert_eq!(schema["additionalProperties"], false);
    let properties = schema["properties"].as_object().expect("a schema has properties");
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        let name = name.as_str().expect("a name");
        assert!(properties[name].get("default").is_none(), "{name:?} is required and has a default");
    }
    let validator = match InputValidator::compile(&tool.input_schema) {
        Ok(validator) => validator,
        Err(error) => {
            assert!(tool.input_schema.as_str().len() > MAX_SCHEMA_BYTES, "{error:?}");
            return;
        }
    };
    // Each default that the schema states is one that it takes.
    let defaults: Map<String, Value> =
        properties.iter().filter_map(|(name, p)| Some((name.clone(), p.get("default")?.clone()))).collect();
    if let Err(problems) = validator.check(&defaults) {
        let wrong = problems.iter().find(|p| !matches!(p.rule.as_str(), "required" | "nul" | "tooLarge"));
        assert!(wrong.is_none(), "{wrong:?} in {defaults:?}");
    }
    // What was validated is validated again as it stands.
    if let Ok(sent) = validator.check(&Map::new()) {
        assert_eq!(validator.check(&sent).as_ref(), Ok(&sent));
    }
}
