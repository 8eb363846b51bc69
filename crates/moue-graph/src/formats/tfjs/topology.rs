//! The connections of a TensorFlow.js model: Keras 2's JSON of Functional and Sequential models.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::Deserialize;
use serde_json::Value;

use super::layers::{Node, operation};
use crate::graph::{Graph, LayerId};

#[derive(Deserialize)]
struct Network {
    class_name: String,
    config: Value,
}

#[derive(Deserialize)]
struct FunctionalConfig {
    #[serde(default)]
    name: Option<String>,
    layers: Vec<LayerRecord>,
    output_layers: Vec<Value>,
}

#[derive(Deserialize)]
struct SequentialConfig {
    #[serde(default)]
    name: Option<String>,
    layers: Vec<LayerRecord>,
}

#[derive(Deserialize)]
struct LayerRecord {
    class_name: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    config: Value,
    #[serde(default)]
    inbound_nodes: Vec<Value>,
}

/// The graph of `modelTopology`.
pub(super) fn graph(mut topology: Value) -> Result<Graph, String> {
    // Exports of Keras files wrap the network, those of TensorFlow.js itself do not.
    if let Some(inner) = topology.get_mut("model_config") {
        topology = inner.take();
    }
    let network: Network =
        serde_json::from_value(topology).map_err(|e| format!("its modelTopology is no Keras model: {e}"))?;
    let (name, nodes, output) = match network.class_name.as_str() {
        "Model" | "Functional" => functional(network.config)?,
        "Sequential" => sequential(network.config)?,
        other => return Err(format!("is a model of the class {other}, expected Functional or Sequential")),
    };
    let nodes = sorted(nodes)?;
    let mut builder = Graph::builder(name);
    // What carries each layer's output: a Flatten of a flat tensor is its input.
    let mut carriers: HashMap<&str, LayerId> = HashMap::new();
    let mut frozen: HashSet<LayerId> = HashSet::new();
    for node in &nodes {
        let inputs: Vec<LayerId> =
            node.inputs.iter().filter_map(|i| carriers.get(i.as_str()).copied()).collect();
        let id = match operation(node, &inputs, &builder)? {
            Some(op) => {
                let id = builder
                    .add(node.name.clone(), op, &inputs)
                    .map_err(|e| format!("({}) {e}", node.class))?;
                if node.frozen() {
                    frozen.insert(id);
                }
                id
            }
            None => *inputs.first().ok_or_else(|| node.error("takes one input, got none"))?,
        };
        carriers.insert(&node.name, id);
    }
    let end =
        carriers.get(output.as_str()).copied().ok_or_else(|| format!("its output {output} is no layer"))?;
    let mut graph = builder.finish().map_err(|e| e.to_string())?;
    graph.set_trainable(false, |id, _| frozen.contains(&id));
    let end = graph.layers()[end].name.clone();
    graph.cut_after(&end).map_err(|e| e.to_string())
}

type Parts = (String, Vec<Node>, String);

fn functional(config: Value) -> Result<Parts, String> {
    let config: FunctionalConfig =
        serde_json::from_value(config).map_err(|e| format!("its Functional model cannot be read: {e}"))?;
    let output = match config.output_layers.as_slice() {
        // `[["dense", 0, 0]]`, or `["dense", 0, 0]` for a single output.
        [one] if one.is_array() => tensor_source(one),
        [Value::String(_), ..] => tensor_source(&Value::Array(config.output_layers.clone())),
        other => return Err(format!("has {} outputs, expected 1", other.len())),
    };
    let output =
        output.ok_or_else(|| format!("its output_layers {:?} are not understood", config.output_layers))?;
    let mut nodes = Vec::with_capacity(config.layers.len());
    for layer in config.layers {
        let inbound = layer.inbound_nodes.clone();
        let mut node = node(layer)?;
        node.inputs = match inbound.as_slice() {
            [] => Vec::new(),
            [Value::Array(tensors)] => tensors
                .iter()
                .map(|tensor| {
                    tensor_source(tensor)
                        .ok_or_else(|| node.error(format!("input {tensor} is not understood")))
                })
                .collect::<Result<_, _>>()?,
            [other] => {
                return Err(
                    node.error(format!("inputs {other} are not understood (expected Keras 2's lists)"))
                );
            }
            more => {
                return Err(
                    node.error(format!("is used {} times; shared layers are not supported", more.len()))
                );
            }
        };
        nodes.push(node);
    }
    Ok((config.name.unwrap_or_else(|| "model".to_owned()), nodes, output))
}

/// The layer that `["name", node, tensor, …]` stands for.
fn tensor_source(tensor: &Value) -> Option<String> {
    match tensor.as_array()?.as_slice() {
        [Value::String(name), node, index, ..] if node.as_u64() == Some(0) && index.as_u64() == Some(0) => {
            Some(name.clone())
        }
        _ => None,
    }
}

fn sequential(config: Value) -> Result<Parts, String> {
    // Old files hold the bare list of layers.
    let config: SequentialConfig = match config {
        layers @ Value::Array(_) => {
            serde_json::from_value(layers).map(|layers| SequentialConfig { name: None, layers })
        }
        other => serde_json::from_value(other),
    }
    .map_err(|e| format!("its Sequential model cannot be read: {e}"))?;
    let mut nodes: Vec<Node> = Vec::with_capacity(config.layers.len() + 1);
    for layer in config.layers {
        let mut node = node(layer)?;
        if nodes.is_empty() && node.class != "InputLayer" {
            nodes.push(Node {
                name: format!("{}_input", node.name),
                class: "InputLayer".to_owned(),
                config: node.config.clone(),
                inputs: Vec::new(),
            });
        }
        node.inputs = nodes.last().map(|last| last.name.clone()).into_iter().collect();
        nodes.push(node);
    }
    let output = nodes.last().map(|last| last.name.clone()).ok_or("its Sequential model has no layers")?;
    Ok((config.name.unwrap_or_else(|| "sequential".to_owned()), nodes, output))
}

fn node(layer: LayerRecord) -> Result<Node, String> {
    let name = layer.name.or_else(|| layer.config.get("name").and_then(Value::as_str).map(str::to_owned));
    let name = name.ok_or_else(|| format!("a layer of the class {} has no name", layer.class_name))?;
    Ok(Node { name, class: layer.class_name, config: layer.config, inputs: Vec::new() })
}

/// Layers behind their inputs, otherwise in the order of the file (Kahn 1962).
fn sorted(nodes: Vec<Node>) -> Result<Vec<Node>, String> {
    let mut index = HashMap::new();
    for (i, node) in nodes.iter().enumerate() {
        if index.insert(node.name.clone(), i).is_some() {
            return Err(node.error("the name is already taken"));
        }
    }
    let mut readers = vec![Vec::new(); nodes.len()];
    let mut waiting = vec![0usize; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        for input in &node.inputs {
            let source = *index
                .get(input)
                .ok_or_else(|| node.error(format!("reads {input}, which is no layer of the model")))?;
            readers[source].push(i);
            waiting[i] += 1;
        }
    }
    let mut ready: VecDeque<usize> = (0..nodes.len()).filter(|&i| waiting[i] == 0).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(i) = ready.pop_front() {
        order.push(i);
        for &reader in &readers[i] {
            waiting[reader] -= 1;
            if waiting[reader] == 0 {
                ready.push_back(reader);
            }
        }
    }
    if let Some(i) = waiting.iter().position(|&n| n > 0) {
        return Err(nodes[i].error("stands in or behind a cycle"));
    }
    let mut nodes: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|i| nodes[i].take()).collect())
}
