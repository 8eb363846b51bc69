//! The layers of a TensorFlow.js model: Keras 2's JSON of Functional and Sequential models.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::graph::{Graph, GraphBuilder, LayerId};
use crate::op::{Activation, Op, Padding, Shape};

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

/// A layer ready to be sorted.
struct Node {
    name: String,
    class: String,
    config: Value,
    inputs: Vec<String>,
}

impl Node {
    fn error(&self, reason: impl std::fmt::Display) -> String {
        format!("layer {} ({}): {reason}", self.name, self.class)
    }

    fn config<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_value(self.config.clone()).map_err(|e| self.error(e))
    }

    fn frozen(&self) -> bool {
        self.config.get("trainable") == Some(&Value::Bool(false))
    }
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

/// A side, or two of them.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Pair {
    Both(usize),
    Each([usize; 2]),
}

impl Pair {
    fn sides(self) -> [usize; 2] {
        match self {
            Self::Both(n) => [n, n],
            Self::Each(sides) => sides,
        }
    }
}

#[derive(Deserialize)]
struct Input {
    #[serde(alias = "batch_shape")]
    batch_input_shape: Vec<Option<usize>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ZeroPadding {
    All(usize),
    Axes([usize; 2]),
    Sides([[usize; 2]; 2]),
}

/// Conv2D, DepthwiseConv2D and AveragePooling2D.
#[derive(Deserialize)]
struct Window {
    #[serde(default)]
    filters: usize,
    #[serde(alias = "pool_size")]
    kernel_size: Pair,
    strides: Option<Pair>,
    padding: Padding,
    #[serde(default)]
    dilation_rate: Option<Pair>,
    #[serde(default)]
    groups: Option<usize>,
    #[serde(default)]
    depth_multiplier: Option<usize>,
    #[serde(default = "yes")]
    use_bias: bool,
    #[serde(default)]
    activation: Option<String>,
}

#[derive(Deserialize)]
struct Normalization {
    axis: Value,
    epsilon: f32,
    momentum: f32,
    #[serde(default = "yes")]
    center: bool,
    #[serde(default = "yes")]
    scale: bool,
}

#[derive(Deserialize)]
struct Rectifier {
    #[serde(default)]
    max_value: Option<f32>,
    #[serde(default)]
    negative_slope: Option<f32>,
    #[serde(default)]
    threshold: Option<f32>,
}

#[derive(Deserialize)]
struct Rate {
    rate: f32,
}

#[derive(Deserialize)]
struct DenseConfig {
    units: usize,
    #[serde(default = "yes")]
    use_bias: bool,
    #[serde(default)]
    activation: Option<String>,
}

fn yes() -> bool {
    true
}

/// What a layer does; `None` where it passes its input on.
fn operation(node: &Node, inputs: &[LayerId], builder: &GraphBuilder) -> Result<Option<Op>, String> {
    if let Some(other) =
        node.config.get("data_format").and_then(Value::as_str).filter(|&f| f != "channels_last")
    {
        return Err(node.error(format!("data format {other}, expected channels_last")));
    }
    let op = match node.class.as_str() {
        "InputLayer" => Op::InputLayer { shape: input_shape(node)? },
        "ZeroPadding2D" => {
            let padding = match node.config.get("padding").map(|p| serde_json::from_value(p.clone())) {
                Some(Ok(ZeroPadding::All(n))) => [[n, n], [n, n]],
                Some(Ok(ZeroPadding::Axes([y, x]))) => [[y, y], [x, x]],
                Some(Ok(ZeroPadding::Sides(sides))) => sides,
                _ => return Err(node.error("its padding is not understood")),
            };
            Op::ZeroPadding2D { padding }
        }
        "Conv2D" => {
            let window = window(node)?;
            Op::Conv2D {
                filters: window.filters,
                kernel_size: window.kernel_size.sides(),
                strides: window.strides.unwrap_or(Pair::Both(1)).sides(),
                padding: window.padding,
                use_bias: window.use_bias,
                activation: activation(node, window.activation.as_deref())?,
            }
        }
        "DepthwiseConv2D" => {
            let window = window(node)?;
            if activation(node, window.activation.as_deref())? != Activation::Linear {
                return Err(node.error("has an activation of its own, expected linear"));
            }
            Op::DepthwiseConv2D {
                kernel_size: window.kernel_size.sides(),
                strides: window.strides.unwrap_or(Pair::Both(1)).sides(),
                padding: window.padding,
                use_bias: window.use_bias,
            }
        }
        "BatchNormalization" => normalization(node)?,
        "ReLU" => Op::Activation { function: rectifier(node)? },
        "Softmax" => Op::Activation { function: Activation::Softmax },
        "Activation" => {
            let name = node.config.get("activation").and_then(Value::as_str);
            Op::Activation { function: activation(node, name)? }
        }
        "Add" => Op::Add,
        "GlobalAveragePooling2D" => {
            if node.config.get("keepdims") == Some(&Value::Bool(true)) {
                return Err(node.error("keepdims is not supported"));
            }
            Op::GlobalAveragePooling2D
        }
        "AveragePooling2D" => return whole_map_pooling(node, input(inputs, builder)).map(Some),
        "Flatten" => {
            return match input(inputs, builder).map(Vec::as_slice) {
                Some([_]) => Ok(None),
                other => {
                    Err(node.error(format!("flattens {other:?}, expected an input that is flat already")))
                }
            };
        }
        "Dropout" => Op::Dropout { rate: node.config::<Rate>()?.rate },
        "Dense" => {
            let dense: DenseConfig = node.config()?;
            let activation = activation(node, dense.activation.as_deref())?;
            Op::Dense { units: dense.units, use_bias: dense.use_bias, activation }
        }
        _ => return Err(node.error("layers of this class are not supported")),
    };
    Ok(Some(op))
}

fn input<'a>(inputs: &[LayerId], builder: &'a GraphBuilder) -> Option<&'a Shape> {
    inputs.first().map(|&id| builder.shape(id))
}

fn input_shape(node: &Node) -> Result<Shape, String> {
    let Input { batch_input_shape: shape } = node.config()?;
    let [_, sides @ ..] = shape.as_slice() else {
        return Err(node.error("has an empty shape"));
    };
    let sides: Option<Shape> = sides.iter().copied().collect();
    sides.ok_or_else(|| node.error(format!("has the open shape {shape:?}, expected fixed sides")))
}

fn window(node: &Node) -> Result<Window, String> {
    let window: Window = node.config()?;
    if window.dilation_rate.is_some_and(|d| d.sides() != [1, 1]) {
        return Err(node.error("dilation is not supported"));
    }
    if window.groups.is_some_and(|n| n != 1) || window.depth_multiplier.is_some_and(|n| n != 1) {
        return Err(node.error("groups and depth multipliers other than 1 are not supported"));
    }
    Ok(window)
}

/// An average over the whole map is a global one, whatever the input's size.
fn whole_map_pooling(node: &Node, input: Option<&Shape>) -> Result<Op, String> {
    let Window { kernel_size, .. } = window(node)?;
    match input.map(Vec::as_slice) {
        Some(&[height, width, _]) if kernel_size.sides() == [height, width] => Ok(Op::GlobalAveragePooling2D),
        other => Err(node.error(format!(
            "pools {:?} of {other:?}; only windows over the whole map are supported",
            kernel_size.sides()
        ))),
    }
}

fn normalization(node: &Node) -> Result<Op, String> {
    let Normalization { axis, epsilon, momentum, center, scale } = node.config()?;
    let axis = match &axis {
        Value::Array(one) if one.len() == 1 => one[0].as_i64(),
        other => other.as_i64(),
    };
    if !matches!(axis, Some(-1 | 3)) {
        return Err(node.error("normalises another axis than the last"));
    }
    if !(center && scale) {
        return Err(node.error("lacks beta or gamma, which is not supported"));
    }
    Ok(Op::BatchNormalization { epsilon, momentum })
}

fn rectifier(node: &Node) -> Result<Activation, String> {
    let Rectifier { max_value, negative_slope, threshold } = node.config()?;
    match (max_value, negative_slope.unwrap_or(0.0), threshold.unwrap_or(0.0)) {
        (None, 0.0, 0.0) => Ok(Activation::Relu),
        (Some(6.0), 0.0, 0.0) => Ok(Activation::Relu6),
        (max, slope, threshold) => Err(node.error(format!(
            "max_value {max:?}, negative_slope {slope}, threshold {threshold}: expected no or 6, 0 and 0"
        ))),
    }
}

fn activation(node: &Node, name: Option<&str>) -> Result<Activation, String> {
    match name {
        None | Some("linear") => Ok(Activation::Linear),
        Some("relu") => Ok(Activation::Relu),
        Some("relu6") => Ok(Activation::Relu6),
        Some("softmax") => Ok(Activation::Softmax),
        Some(other) => Err(node.error(format!("activation {other} is not supported"))),
    }
}
