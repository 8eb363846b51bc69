//! The layers of a TensorFlow.js model: what Keras 2's configuration of each class means here.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::graph::{GraphBuilder, LayerId};
use crate::op::{Activation, Op, Padding, Shape};

/// A layer as the file describes it.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) class: String,
    pub(super) config: Value,
    pub(super) inputs: Vec<String>,
}

impl Node {
    pub(super) fn error(&self, reason: impl std::fmt::Display) -> String {
        format!("layer {} ({}): {reason}", self.name, self.class)
    }

    fn config<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_value(self.config.clone()).map_err(|e| self.error(e))
    }

    pub(super) fn frozen(&self) -> bool {
        self.config.get("trainable") == Some(&Value::Bool(false))
    }
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
pub(super) fn operation(
    node: &Node,
    inputs: &[LayerId],
    builder: &GraphBuilder,
) -> Result<Option<Op>, String> {
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
