//! The editor's form of a graph: the bulk of what a deployment list weighs.

use super::graph::{Graph, Node, linked};
use serde::ser::{Serialize, Serializer};
use serde_json::{Value, json};

/// Writes a graph as the editor saves it (`version.workflow`): nodes with places and widgets, and links.
pub(crate) struct UiGraph<'a>(pub(crate) &'a Graph);

impl Serialize for UiGraph<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let graph = self.0;
        let mut links = Vec::new();
        let nodes: Vec<Value> =
            graph.nodes.iter().enumerate().map(|(order, node)| ui_node(order, node, &mut links)).collect();
        json!({
            "last_node_id": graph.nodes.len(),
            "last_link_id": links.len(),
            "nodes": nodes,
            "links": links,
            "groups": [],
            "config": {},
            "extra": { "ds": { "scale": 0.75, "offset": [120, 80] } },
            "version": 0.4,
        })
        .serialize(serializer)
    }
}

/// Nodes in a column of the editor's canvas.
const PER_COLUMN: usize = 6;

fn ui_node(order: usize, node: &Node, links: &mut Vec<Value>) -> Value {
    let mut slots = Vec::new();
    let mut widgets = Vec::new();
    for (name, value) in &node.inputs {
        match linked(value) {
            Some(from) => {
                let id = links.len() + 1;
                links.push(json!([id, number(from), 0, number(&node.id), slots.len(), "*"]));
                slots.push(json!({ "name": name, "type": "*", "link": id }));
            }
            None => widgets.push(value.clone()),
        }
    }
    json!({
        "id": number(&node.id),
        "type": node.class,
        "pos": [(order / PER_COLUMN) * 360, (order % PER_COLUMN) * 220],
        "size": [315, 180],
        "flags": {},
        "order": order,
        "mode": 0,
        "inputs": slots,
        "outputs": [{ "name": "OUT", "type": "*", "links": [], "slot_index": 0 }],
        "properties": { "Node name for S&R": node.class, "cnr_id": "comfy-core", "ver": "0.3.64" },
        "widgets_values": widgets,
    })
}

/// Ids are numbers in the editor's form where they can be.
fn number(id: &str) -> Value {
    id.parse::<u64>().map_or_else(|_| id.into(), Value::from)
}
