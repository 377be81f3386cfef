//! What a tool's `endpointDetails` hold.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stationthis_core::{Error, ErrorKind, JsonDoc, Result};

/// The facts that a submission needs. They travel with each task, so a task is submitted as its tool was when it was
/// accepted.
///
/// In JSON with camelCase names. Read it from a tool with
/// [`ToolDefinition::endpoint_details`](stationthis_core::ToolDefinition::endpoint_details)`.parse()`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EndpointDetails {
    /// The route below `/v3`: `/generation/text-to-model`.
    pub route: String,
    /// What goes with every run: the model's id.
    #[serde(default)]
    pub send: Map<String, Value>,
    /// The inputs in the order in which they are sent.
    pub places: Vec<Place>,
}

/// Where an input goes in the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The input's name.
    pub input: String,
    /// `name`, `name.key`, or `name[].key` for a list of objects with one key each.
    pub at: String,
}

impl EndpointDetails {
    pub(crate) const fn new(route: String, send: Map<String, Value>, places: Vec<Place>) -> Self {
        Self { route, send, places }
    }

    /// The facts of a task.
    pub(crate) fn read(operation: &'static str, doc: &JsonDoc) -> Result<Self> {
        doc.parse().map_err(|e| {
            Error::new(ErrorKind::Corrupt, operation)
                .with_message("The tool's endpoint details are not those of a Tripo tool.")
                .with_source(e)
        })
    }

    /// The body of a submission. What was not given is left out: some models refuse even the default of a field that
    /// they do not have.
    pub(crate) fn body(&self, inputs: &Map<String, Value>) -> Map<String, Value> {
        let mut body = self.send.clone();
        for place in &self.places {
            if let Some(value) = inputs.get(&place.input).filter(|value| !value.is_null()) {
                put(&mut body, &place.at, value.clone());
            }
        }
        body
    }
}

fn put(body: &mut Map<String, Value>, at: &str, value: Value) {
    let Some((name, key)) = at.split_once('.') else {
        body.insert(at.to_owned(), value);
        return;
    };
    if let Some(name) = name.strip_suffix("[]") {
        let list = body.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(Value::Object(Map::from_iter([(key.to_owned(), value)])));
        }
    } else if let Value::Object(object) = body.entry(name).or_insert_with(|| Value::Object(Map::new())) {
        object.insert(key.to_owned(), value);
    }
}

/// Is it a place that [`EndpointDetails::body`] understands?
pub(crate) fn is_place(at: &str) -> bool {
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match at.split_once('.') {
        Some((name, key)) => plain(name.strip_suffix("[]").unwrap_or(name)) && plain(key),
        None => plain(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn inputs_go_where_the_service_reads_them() {
        let place = |input: &str, at: &str| Place { input: input.to_owned(), at: at.to_owned() };
        let details = EndpointDetails::new(
            "/x".to_owned(),
            Map::from_iter([("model".to_owned(), json!("m"))]),
            vec![
                place("front", "inputs[].front"),
                place("left", "inputs[].left"),
                place("back", "inputs[].back"),
                place("text", "texture_prompt.text"),
                place("quad", "quad"),
                place("seed", "model_seed"),
            ],
        );
        let inputs = json!({ "back": "b", "front": "f", "text": "brass", "quad": false, "seed": null, "other": 1 });
        let body = Value::Object(details.body(inputs.as_object().unwrap()));
        let expected = json!({
            "model": "m", "inputs": [{ "front": "f" }, { "back": "b" }], "texture_prompt": { "text": "brass" },
            "quad": false,
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_place_is_one_of_three_forms() {
        for good in ["input", "a.b", "inputs[].front"] {
            assert!(is_place(good), "{good}");
        }
        for bad in ["", ".", "a.", "[].a", "a[]", "a.b.c", "a b", "a[0].b"] {
            assert!(!is_place(bad), "{bad}");
        }
    }
}
