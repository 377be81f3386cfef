//! A workflow graph in API format, of which only the nodes that take or give something are kept.

use super::given::Given;
use super::lenient;
use crate::{inputs, outputs};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::fmt;

/// The input and output nodes of a graph, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) inputs: Vec<Node>,
    /// The classes of the output nodes.
    pub(crate) outputs: Vec<String>,
}

/// One node.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Node {
    #[serde(default)]
    pub(crate) class_type: String,
    #[serde(default)]
    pub(crate) inputs: Fields,
    #[serde(default, rename = "_meta", deserialize_with = "lenient::shaped")]
    pub(crate) meta: Option<Meta>,
}

/// The fields of an input node that its schema is made of. Other classes have some of these names too; a link there
/// costs nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    pub(crate) input_id: Given,
    pub(crate) display_name: Given,
    pub(crate) description: Given,
    pub(crate) default_value: Given,
    pub(crate) default_value_url: Given,
    pub(crate) min_value: Given,
    pub(crate) max_value: Given,
    pub(crate) step: Given,
    pub(crate) options: Given,
    pub(crate) images: Given,
    pub(crate) default_lora_name: Given,
    pub(crate) lora_url: Given,
    pub(crate) audio_file: Given,
    pub(crate) exr_file: Given,
    pub(crate) default_image: Given,
    pub(crate) file_url: Given,
    pub(crate) default_video: Given,
    pub(crate) face_model_url: Given,
    pub(crate) default_face_model_name: Given,
}

/// What the dashboard remembers about a node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Meta {
    #[serde(deserialize_with = "lenient::number")]
    pub(crate) cd_input_order: Option<f64>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) cd_input_group_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) cd_group_name: Option<String>,
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Graph;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of nodes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut nodes: A) -> Result<Graph, A::Error> {
        let mut graph = Graph::default();
        // The class comes after the fields as often as before, so each node is read and then kept or dropped.
        while let Some((_, node)) = nodes.next_entry::<serde::de::IgnoredAny, Node>()? {
            if inputs::is_input(&node.class_type) {
                graph.inputs.push(node);
            } else if outputs::node_kind(&node.class_type).is_some() {
                graph.outputs.push(node.class_type);
            }
        }
        Ok(graph)
    }
}
