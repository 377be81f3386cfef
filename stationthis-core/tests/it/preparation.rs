//! From what a caller asked for to what is sent.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use stationthis_core::station::RunRequest;
use stationthis_core::store::MemoryStore;
use stationthis_core::testkit::ScriptedProvider;
use stationthis_core::tool::validate::InputValidator;
use stationthis_core::{JsonDoc, TaskRecord};

use crate::bench::{Bench, caller, inputs};

/// A tool with defaults of every kind: good ones, empty ones, one that it does not take itself.
fn schema() -> JsonDoc {
    JsonDoc::from_value(&json!({
        "type": "object",
        "properties": {
            "prompt": { "type": "string", "default": "a cat {style} <lora:x:1>" },
            "negative": { "type": "string", "default": "" },
            "steps": { "type": "integer", "minimum": 1, "maximum": 50, "default": 20 },
            "cfg": { "type": "number", "default": 7.30 },
            "seed": { "type": ["integer", "null"], "default": null },
            "hd": { "type": "boolean", "default": false },
            "image": { "type": "string", "format": "uri", "contentMediaType": "image/*", "default": "" },
            "tags": { "type": "array", "items": { "type": "string" }, "default": ["x"] },
            "more": { "type": "object", "default": { "deep": { "steps": 1 } } }
        },
        "additionalProperties": false
    }))
}

/// Inputs that the tool takes, and now and then one that it does not.
fn any_inputs() -> impl Strategy<Value = Map<String, Value>> {
    let text = || prop_oneof![any::<String>(), "[a-z {}<>:\\\\\"%$]{0,20}", Just("{prompt}".to_owned())];
    let number = any::<f64>().prop_filter_map("finite", |n| serde_json::Number::from_f64(n).map(Value::Number));
    let named = |name: &'static str| move |value: Value| (name.to_owned(), value);
    let entry = prop_oneof![
        text().prop_map(Value::from).prop_map(named("prompt")),
        text().prop_map(Value::from).prop_map(named("negative")),
        (1_i64..=50).prop_map(Value::from).prop_map(named("steps")),
        number.prop_map(named("cfg")),
        any::<Option<i64>>().prop_map(|seed| json!(seed)).prop_map(named("seed")),
        any::<bool>().prop_map(Value::from).prop_map(named("hd")),
        Just(json!("https://b.example/a.png?x=1#y")).prop_map(named("image")),
        prop::collection::vec(text(), 0..3).prop_map(|tags| json!(tags)).prop_map(named("tags")),
        text().prop_map(|key| json!({ key: { "deep": [] } })).prop_map(named("more")),
        Just(json!(0)).prop_map(named("steps")),
        Just(json!("x")).prop_map(named("unheard")),
    ];
    prop::collection::vec(entry, 0..6).prop_map(Map::from_iter)
}

/// Through the station: what was asked stays as it was, and what is sent is sent as it stands.
async fn accepted(asked: &Map<String, Value>) -> (TaskRecord, TaskRecord) {
    let provider = ScriptedProvider::new().unwrap();
    let mut tool = provider.tool().unwrap();
    tool.input_schema = schema();
    let card = stationthis_core::cost::CostModel::builtin_card(&provider);
    let bench = Bench::over(Arc::new(MemoryStore::new()), provider.offering(tool, card)).await;
    let ada = bench.station.as_caller(caller("ada"));
    let first = ada.run(RunRequest::new("echo", asked.clone())).await.unwrap();
    let again = ada.run(RunRequest::new("echo", first.inputs_sent.clone())).await.unwrap();
    bench.settle().await;
    (bench.task(first.task_id).await, bench.task(again.task_id).await)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// I16.
    #[test]
    fn i16_preparation_is_idempotent_and_leaves_what_was_asked(asked in any_inputs()) {
        let validator = InputValidator::compile(&schema()).unwrap();
        let before = asked.clone();
        let prepared = validator.check(&asked);
        prop_assert_eq!(&asked, &before);
        let Ok(sent) = prepared else { return Ok(()) };
        prop_assert_eq!(validator.check(&sent).unwrap(), sent.clone(), "prepared twice is prepared once");
        for (name, value) in &asked {
            prop_assert_eq!(sent.get(name), Some(value), "the caller's own value goes before the tool's default");
        }
        for (name, value) in inputs(&json!({ "prompt": "a cat {style} <lora:x:1>", "steps": 20, "seed": null })) {
            prop_assert!(asked.contains_key(&name) || sent.get(&name) == Some(&value), "no default for {}", name);
        }
        prop_assert!(asked.contains_key("image") || !sent.contains_key("image"), "a default that the tool refuses");

        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (first, again) = runtime.block_on(accepted(&asked));
        prop_assert_eq!((&first.inputs_asked, &first.inputs_sent), (&asked, &sent));
        prop_assert_eq!((&again.inputs_asked, &again.inputs_sent), (&sent, &sent));
        let kept: TaskRecord = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
        prop_assert_eq!(kept, first);
    }
}
