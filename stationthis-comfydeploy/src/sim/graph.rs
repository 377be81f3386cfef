//! ComfyUI graphs: building them, walking them, and writing them the way the service does.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One node of a graph in API format.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) class: String,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) meta: Option<Value>,
}

impl Node {
    /// The input's value as text, when it is a plain one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.inputs.get(name).and_then(Value::as_str)
    }

    /// Whether the node takes a value from outside, and under which name.
    pub(crate) fn external_id(&self) -> Option<&str> {
        let external = self.class.starts_with("ComfyUIDeployExternal");
        external.then(|| self.text("input_id")).flatten()
    }
}

/// A workflow graph. Node ids are decimal texts in the order of creation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    external: u32,
}

/// A link to output `slot` of node `id`, as ComfyUI writes it.
pub(crate) fn link(id: usize, slot: u32) -> Value {
    json!([id.to_string(), slot])
}

/// The id of the node that an input is linked to.
pub(crate) fn linked(value: &Value) -> Option<&str> {
    match value.as_array().map(Vec::as_slice) {
        Some([Value::String(id), Value::Number(_)]) => Some(id),
        _ => None,
    }
}

impl Graph {
    /// Adds a node and gives its id.
    pub(crate) fn node(&mut self, class: &str, inputs: Value) -> usize {
        self.push(class, inputs, json!({ "title": class }))
    }

    /// Adds a node that takes a value from outside; `more` are its own fields (default, bounds, choices).
    pub(crate) fn external(&mut self, class: &str, id: &str, name: &str, more: Value) -> usize {
        let mut inputs = as_map(more);
        inputs.insert("input_id".into(), id.into());
        inputs.insert("display_name".into(), name.into());
        inputs.entry("description").or_insert_with(|| "".into());
        self.external += 1;
        let meta = json!({ "title": name, "cd_input_order": self.external });
        let class = format!("ComfyUIDeployExternal{class}");
        self.push(&class, Value::Object(inputs), meta)
    }

    fn push(&mut self, class: &str, inputs: Value, meta: Value) -> usize {
        let id = self.nodes.len() + 1;
        self.nodes.push(Node { id: id.to_string(), class: class.to_owned(), inputs: as_map(inputs), meta: Some(meta) });
        id
    }

    /// Reads a graph in API format: an object of node id → `{"class_type", "inputs"}`.
    pub(crate) fn parse(api: &Value) -> Result<Self, String> {
        let nodes = api.as_object().ok_or("a graph is an object of nodes")?;
        let mut graph = Self::default();
        for (id, node) in nodes {
            let class = node.get("class_type").and_then(Value::as_str);
            let inputs = node.get("inputs").and_then(Value::as_object);
            graph.nodes.push(Node {
                id: id.clone(),
                class: class.ok_or_else(|| format!("node {id} has no class_type"))?.to_owned(),
                inputs: inputs.cloned().unwrap_or_default(),
                meta: node.get("_meta").cloned(),
            });
        }
        Ok(graph)
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The nodes in the order the engine visits them: whatever leads to an output, dependencies first.
    pub(crate) fn execution_order(&self) -> Vec<&Node> {
        let by_id: BTreeMap<&str, &Node> = self.nodes.iter().map(|n| (n.id.as_str(), n)).collect();
        let mut seen = BTreeSet::new();
        let mut order = Vec::with_capacity(self.nodes.len());
        for output in self.nodes.iter().filter(|n| is_output(&n.class)) {
            // An explicit stack: a graph from outside may be a chain of any length, or a circle.
            let mut stack = vec![(output, false)];
            while let Some((node, expanded)) = stack.pop() {
                if expanded {
                    order.push(node);
                    continue;
                }
                if !seen.insert(node.id.as_str()) {
                    continue;
                }
                stack.push((node, true));
                let links = node.inputs.values().filter_map(linked);
                stack.extend(links.filter_map(|id| by_id.get(id)).map(|n| (*n, false)));
            }
        }
        order
    }

    /// The plain value behind the first input called `name` of any node: followed through a link to the
    /// external node that feeds it, whose value is taken from `given` or its default.
    pub(crate) fn resolve(&self, name: &str, given: &Map<String, Value>) -> Option<Value> {
        self.nodes.iter().filter_map(|node| node.inputs.get(name)).find_map(|value| match linked(value) {
            Some(id) => self.value_of(self.get(id)?, given),
            None => Some(value.clone()),
        })
    }

    /// What an external node passes on.
    pub(crate) fn value_of(&self, node: &Node, given: &Map<String, Value>) -> Option<Value> {
        let id = node.external_id()?;
        let default = || node.inputs.get("default_value").cloned();
        given.get(id).cloned().or_else(default)
    }
}

/// Whether a node's results leave the engine.
pub(crate) fn is_output(class: &str) -> bool {
    is_image_output(class) || is_text_output(class)
}

/// Nodes whose result is a picture.
pub(crate) fn is_image_output(class: &str) -> bool {
    matches!(class, "SaveImage" | "ComfyDeployOutputImage")
}

/// Nodes whose result is a text file.
pub(crate) fn is_text_output(class: &str) -> bool {
    class == "ComfyDeployOutputText"
}

fn as_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The key order of PostgreSQL's jsonb, in which the service's graphs arrive: shorter keys first.
fn jsonb_order(key: &str) -> (usize, &str) {
    (key.len(), key)
}

struct Sorted<'a>(&'a Map<String, Value>);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_by_key(|(key, _)| jsonb_order(key));
        serializer.collect_map(entries)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(meta) = &self.meta {
            map.serialize_entry("_meta", meta)?;
        }
        map.serialize_entry("inputs", &Sorted(&self.inputs))?;
        map.serialize_entry("class_type", &self.class)?;
        map.end()
    }
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut nodes: Vec<_> = self.nodes.iter().collect();
        nodes.sort_by_key(|node| jsonb_order(&node.id));
        serializer.collect_map(nodes.into_iter().map(|node| (&node.id, node)))
    }
}
