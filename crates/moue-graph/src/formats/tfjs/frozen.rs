//! TensorFlow.js graph models: frozen TensorFlow graphs, in which layers have become operations and normalisations
//! what is left of them, a factor (often taken into the kernel before) and a summand a channel.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::graph::{Graph, GraphBuilder, LayerId};
use crate::op::{Activation, Op, Padding, Shape};
use crate::{Tensor, Weights};

/// What is left of a normalisation becomes one again, with this constant of Keras'.
const EPSILON: f32 = 1e-3;
const MOMENTUM: f32 = 0.99;

#[derive(Deserialize)]
struct Topology {
    node: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    name: String,
    op: String,
    #[serde(default)]
    input: Vec<String>,
    #[serde(default)]
    attr: HashMap<String, Value>,
}

/// An output on its way into a layer.
#[derive(Clone)]
struct Flow {
    layer: LayerId,
    /// The factor of a normalisation whose summand is still to come.
    factor: Option<Vec<f32>>,
    /// Limits, and the name of the layer that sets them.
    clamp: Option<(f32, f32, String)>,
}

impl Flow {
    fn of(layer: LayerId) -> Self {
        Self { layer, factor: None, clamp: None }
    }
}

/// The layers of a graph up to its global pooling, which is where a classifier begins. Layers are called by the first
/// part of their nodes' names, as Keras calls them.
pub(super) fn features(topology: Value, constants: &Weights) -> Result<(Graph, Weights), String> {
    let topology: Topology = serde_json::from_value(topology)
        .map_err(|e| format!("its modelTopology is no list of TensorFlow's nodes: {e}"))?;
    let mut reader = Reader {
        builder: Graph::builder("frozen"),
        constants,
        flows: HashMap::new(),
        weights: Weights::new(),
    };
    for node in topology.node.iter().filter(|node| node.op != "Const") {
        let flow =
            reader.read(node).map_err(|reason| format!("node {} ({}): {reason}", node.name, node.op))?;
        let pooled = node.op == "Mean";
        reader.flows.insert(&node.name, flow);
        if pooled {
            let graph = reader.builder.finish().map_err(|e| e.to_string())?;
            reader.weights.check(&graph).map_err(|e| e.to_string())?;
            return Ok((graph, reader.weights));
        }
    }
    Err("has no global average pooling (Mean), behind which a classifier would begin".into())
}

struct Reader<'a> {
    builder: GraphBuilder,
    constants: &'a Weights,
    flows: HashMap<&'a str, Flow>,
    weights: Weights,
}

impl<'a> Reader<'a> {
    fn read(&mut self, node: &Node) -> Result<Flow, String> {
        match node.op.as_str() {
            "Placeholder" => {
                let shape = input_shape(node).ok_or("its shape is not understood, expected [-1, h, w, c]")?;
                self.add(&node.name, Op::InputLayer { shape }, &[]).map(Flow::of)
            }
            "Identity" => self.flow(node, 0).cloned(),
            "Conv2D" | "DepthwiseConv2dNative" => self.convolution(node),
            "Mul" => {
                let (flow, factor) = (self.plain(node, 0)?, self.constant(node, 1)?.1.data().to_vec());
                Ok(Flow { factor: Some(factor), ..Flow::of(flow) })
            }
            "Add" | "AddV2" | "BiasAdd" => match self.constant(node, 1) {
                Ok((name, summand)) => self.normalisation(node, &layer_name(&name), summand.data().to_vec()),
                Err(_) => {
                    let inputs = [self.plain(node, 0)?, self.plain(node, 1)?];
                    self.add(layer_name(&node.name), Op::Add, &inputs).map(Flow::of)
                }
            },
            "Relu" => self.clamped(node, 0.0, f32::INFINITY),
            "Relu6" => self.clamped(node, 0.0, 6.0),
            "Minimum" => self.limit(node, 1).and_then(|limit| self.clamped(node, f32::NEG_INFINITY, limit)),
            "Maximum" => self.limit(node, 1).and_then(|limit| self.clamped(node, limit, f32::INFINITY)),
            "Mean" => {
                let axes = self.constant(node, 1)?.1.data();
                if axes != [1.0, 2.0] {
                    return Err(format!("takes the mean over the axes {axes:?}, expected [1, 2]"));
                }
                let input = self.plain(node, 0)?;
                self.add(layer_name(&node.name), Op::GlobalAveragePooling2D, &[input]).map(Flow::of)
            }
            _ => Err("operations of this kind are not supported before the global pooling".into()),
        }
    }

    fn convolution(&mut self, node: &Node) -> Result<Flow, String> {
        let input = self.plain(node, 0)?;
        let (name, kernel) = self.constant(node, 1)?;
        let name = layer_name(&name);
        let kernel = kernel.clone();
        let &[height, width, channels, last] = kernel.shape() else {
            return Err(format!("its kernel has the shape {:?}, expected four sides", kernel.shape()));
        };
        let strides = match numbers(node, "strides").as_deref() {
            Some(&[1, y, x, 1]) => [y, x],
            other => return Err(format!("its strides {other:?} are not understood")),
        };
        if numbers(node, "dilations").is_some_and(|d| d.iter().any(|&side| side != 1)) {
            return Err("dilation is not supported".into());
        }
        let padding = match text(node, "padding").as_deref() {
            Some("SAME") => Padding::Same,
            Some("VALID") => Padding::Valid,
            other => return Err(format!("its padding {other:?} is not understood")),
        };
        let (op, parameter) = if node.op == "Conv2D" {
            let op = Op::Conv2D {
                filters: last,
                kernel_size: [height, width],
                strides,
                padding,
                use_bias: false,
                activation: Activation::Linear,
            };
            (op, "kernel")
        } else if last == 1 {
            (
                Op::DepthwiseConv2D { kernel_size: [height, width], strides, padding, use_bias: false },
                "depthwise_kernel",
            )
        } else {
            return Err(format!("has {last} kernels a channel of {channels}, expected 1"));
        };
        let layer = self.add(&name, op, &[input])?;
        self.weights.insert(format!("{name}/{parameter}"), kernel);
        Ok(Flow::of(layer))
    }

    fn normalisation(&mut self, node: &Node, name: &str, summand: Vec<f32>) -> Result<Flow, String> {
        let flow = self.flow(node, 0)?.clone();
        let input = if flow.factor.is_some() { flow.layer } else { self.plain(node, 0)? };
        let channels = summand.len();
        let factor = flow.factor.unwrap_or_else(|| vec![1.0; channels]);
        let layer =
            self.add(name, Op::BatchNormalization { epsilon: EPSILON, momentum: MOMENTUM }, &[input])?;
        let parts = [
            ("gamma", factor),
            ("beta", summand),
            ("moving_mean", vec![0.0; channels]),
            ("moving_variance", vec![1.0 - EPSILON; channels]),
        ];
        for (part, values) in parts {
            let tensor = Tensor::new(vec![values.len()], values).map_err(|e| e.to_string())?;
            self.weights.insert(format!("{name}/{part}"), tensor);
        }
        Ok(Flow::of(layer))
    }

    fn clamped(&mut self, node: &Node, low: f32, high: f32) -> Result<Flow, String> {
        let flow = self.flow(node, 0)?.clone();
        if flow.factor.is_some() {
            return Err("reads a factor without a summand".into());
        }
        let name = layer_name(&node.name);
        let (below, above) = match &flow.clamp {
            Some((below, above, _)) => (*below, *above),
            None => (f32::NEG_INFINITY, f32::INFINITY),
        };
        // Clamps of one layer are joined, as Keras' ReLU(6) consists of three.
        Ok(Flow { clamp: Some((below.max(low), above.min(high), name)), ..flow })
    }

    /// The layer whose output is input number `which`, limits and all.
    fn plain(&mut self, node: &Node, which: usize) -> Result<LayerId, String> {
        let flow = self.flow(node, which)?.clone();
        if flow.factor.is_some() {
            return Err("reads a factor without a summand".into());
        }
        let Some((low, high, name)) = flow.clamp else { return Ok(flow.layer) };
        let function = match (low, high) {
            (0.0, 6.0) => Activation::Relu6,
            (0.0, f32::INFINITY) => Activation::Relu,
            other => return Err(format!("reads values limited to {other:?}, expected 0 to 6, or from 0 on")),
        };
        let layer = self.add(name, Op::Activation { function }, &[flow.layer])?;
        let source = source(node, which).unwrap_or_default();
        if let Some(flow) = self.flows.get_mut(source) {
            *flow = Flow::of(layer);
        }
        Ok(layer)
    }

    fn flow(&self, node: &Node, which: usize) -> Result<&Flow, String> {
        let source = source(node, which).ok_or("lacks an input")?;
        self.flows.get(source).ok_or_else(|| format!("reads {source}, which no node before it makes"))
    }

    fn constant(&self, node: &Node, which: usize) -> Result<(String, &'a Tensor), String> {
        let source = source(node, which).ok_or("lacks an input")?;
        let tensor = self.constants.get(source).ok_or_else(|| format!("{source} is no constant"))?;
        Ok((source.to_owned(), tensor))
    }

    fn limit(&self, node: &Node, which: usize) -> Result<f32, String> {
        let (name, tensor) = self.constant(node, which)?;
        match tensor.data() {
            &[limit] => Ok(limit),
            other => Err(format!("{name} holds {} values, expected one limit", other.len())),
        }
    }

    fn add(&mut self, name: impl Into<String>, op: Op, inputs: &[LayerId]) -> Result<LayerId, String> {
        self.builder.add(name.into(), op, inputs).map_err(|e| e.to_string())
    }
}

/// The node that makes an input: `name`, or `name:0`.
fn source(node: &Node, which: usize) -> Option<&str> {
    node.input.get(which).map(|name| name.strip_suffix(":0").unwrap_or(name))
}

/// `conv1/convolution/merged_input` belongs to the layer `conv1`.
fn layer_name(name: &str) -> String {
    name.split('/').next().unwrap_or(name).to_owned()
}

/// A list of whole numbers, which JSON holds as text.
fn numbers(node: &Node, attribute: &str) -> Option<Vec<usize>> {
    let list = node.attr.get(attribute)?.get("list")?.get("i")?.as_array()?;
    list.iter().map(whole).collect()
}

fn whole(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|n| usize::try_from(n).ok()),
    }
}

/// Text, which JSON holds in Base64.
fn text(node: &Node, attribute: &str) -> Option<String> {
    match node.attr.get(attribute)?.get("s")?.as_str()? {
        "U0FNRQ==" => Some("SAME".into()),
        "VkFMSUQ=" => Some("VALID".into()),
        other => Some(other.to_owned()),
    }
}

fn input_shape(node: &Node) -> Option<Shape> {
    let sides = node.attr.get("shape")?.get("shape")?.get("dim")?.as_array()?;
    let [_, sides @ ..] = sides.as_slice() else { return None };
    sides.iter().map(|side| side.get("size").and_then(whole)).collect()
}
