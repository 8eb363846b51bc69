//! From a graph's layers to the nodes an engine runs: padding resolved, activations split off. Engines share it, so
//! that they mean the same by a graph and number its nodes alike (dropout draws by that number).

use crate::{Activation, Error, Graph, LayerId, Op, Padding, Result};

/// Index of a node.
pub type NodeId = usize;

/// Index of a parameter in [`Graph::parameters`].
pub type ParameterId = usize;

/// A spatial window operation with its padding resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Input height, width and channels.
    pub input: [usize; 3],
    /// Output height, width and channels.
    pub output: [usize; 3],
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal step.
    pub strides: [usize; 2],
    /// Zero rows above and zero columns left of the input.
    pub before: [usize; 2],
}

impl Window {
    /// Values of one input picture.
    pub fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// Values of one output picture.
    pub fn output_len(&self) -> usize {
        self.output.iter().product()
    }

    /// Whether the operation reads each pixel alone.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1]
            && self.strides == [1, 1]
            && self.before == [0, 0]
            && self.input[..2] == self.output[..2]
    }
}

/// What a node computes. Parameters of a node with several stand one after the other: kernel, bias; gamma, beta,
/// moving mean, moving variance.
#[derive(Clone, Debug)]
pub enum Kind {
    /// The pictures.
    Input,
    /// Zeros around each picture.
    Pad {
        /// Where the picture lies in the padded one; its kernel is one pixel.
        window: Window,
    },
    /// Convolution over all channels.
    Conv {
        /// What it reads.
        window: Window,
        /// `[height, width, channels in, filters]`.
        kernel: ParameterId,
        /// A value a filter.
        bias: Option<ParameterId>,
    },
    /// Convolution of each channel alone.
    Depthwise {
        /// What it reads.
        window: Window,
        /// `[height, width, channels, 1]`.
        kernel: ParameterId,
        /// A value a channel.
        bias: Option<ParameterId>,
    },
    /// Batch normalisation followed by a clamp.
    Norm {
        /// The first of its four parameters.
        gamma: ParameterId,
        /// Added to the variance.
        epsilon: f32,
        /// Share of the old moving statistics kept at each training step.
        momentum: f32,
        /// The clamp that follows.
        activation: Activation,
    },
    /// A clamp alone.
    Clamp {
        /// Which.
        activation: Activation,
    },
    /// Sum of two nodes.
    Add,
    /// Rows of all inputs side by side.
    Concatenate,
    /// Pixels repeated down and across.
    Upsample {
        /// Repeats, down and across.
        size: [usize; 2],
    },
    /// The same values, another shape.
    Flatten,
    /// Mean over pixels.
    Pool,
    /// Random zeros in training.
    Dropout {
        /// Share dropped, in `[0, 1)`.
        rate: f32,
    },
    /// Matrix product.
    Dense {
        /// `[inputs, units]`.
        kernel: ParameterId,
        /// A value a unit.
        bias: Option<ParameterId>,
    },
}

/// A node: reads earlier nodes, writes `shape` values an example.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it computes.
    pub kind: Kind,
    /// The nodes it reads; each stands earlier.
    pub inputs: Vec<NodeId>,
    /// Shape of one output example.
    pub shape: Vec<usize>,
    /// Whether its layer is trainable.
    pub trainable: bool,
    /// The layer whose output this is: the last of those merged.
    pub layer: LayerId,
}

impl Node {
    /// Values of one example.
    #[allow(clippy::len_without_is_empty, reason = "a node without values cannot be")]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Values of one row (the last axis).
    pub fn channels(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }
}

/// A lowered graph; the last node gives the logits.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// Inputs before their readers; the first takes the pictures.
    pub nodes: Vec<Node>,
    /// Nodes that read each node.
    pub readers: Vec<Vec<NodeId>>,
}

/// Lowers a graph. A softmax at its end is left out: engines give logits.
///
/// # Errors
/// [`Error::Graph`] where the input is no picture, a softmax stands anywhere but at the end, or the output is not flat.
pub fn lower(graph: &Graph) -> Result<Lowered> {
    let layers = graph.layers();
    let mut first_parameter = vec![usize::MAX; layers.len()];
    for (id, p) in graph.parameters().iter().enumerate() {
        first_parameter[p.layer] = first_parameter[p.layer].min(id);
    }
    let mut readers = vec![Vec::new(); layers.len()];
    for (id, layer) in layers.iter().enumerate() {
        for &input in &layer.inputs {
            readers[input].push(id);
        }
    }
    let only_reader = |id: usize| match readers[id].as_slice() {
        &[reader] => Some(reader),
        _ => None,
    };

    let mut nodes: Vec<Node> = Vec::new();
    // The node that holds each layer's output, once it exists.
    let mut node_of = vec![usize::MAX; layers.len()];
    for (id, layer) in layers.iter().enumerate() {
        if node_of[id] != usize::MAX {
            continue;
        }
        let unsupported = |what: &str| Error::Graph { layer: layer.name.clone(), reason: what.into() };
        let inputs: Vec<NodeId> = layer.inputs.iter().map(|&i| node_of[i]).collect();
        let mut push = |kind, inputs, shape: &[usize]| {
            nodes.push(Node { kind, inputs, shape: shape.to_vec(), trainable: layer.trainable, layer: id });
            nodes.len() - 1
        };
        let parameter = first_parameter[id];
        let bias_after = |use_bias: bool| use_bias.then_some(parameter + 1);
        let source = |i: usize| layers[layer.inputs[i]].shape.as_slice();
        node_of[id] = match &layer.op {
            Op::InputLayer { .. } => {
                feature_map(&layer.shape).ok_or_else(|| unsupported("engines read pictures"))?;
                push(Kind::Input, inputs, &layer.shape)
            }
            Op::ZeroPadding2D { padding } => {
                let input = feature_map(source(0)).ok_or_else(|| unsupported("expects a feature map"))?;
                let output = feature_map(&layer.shape).ok_or_else(|| unsupported("gives a feature map"))?;
                let before = [padding[0][0], padding[1][0]];
                let window = Window { input, output, kernel: [1, 1], strides: [1, 1], before };
                push(Kind::Pad { window }, inputs, &layer.shape)
            }
            Op::Conv2D { kernel_size, strides, padding, use_bias, activation, .. } => {
                let window = window(source(0), &layer.shape, *kernel_size, *strides, *padding)
                    .ok_or_else(|| unsupported("expects a feature map"))?;
                let (window, inputs) = absorb_padding(&nodes, window, inputs);
                let kind = Kind::Conv { window, kernel: parameter, bias: bias_after(*use_bias) };
                let conv = nodes.len();
                nodes.push(Node {
                    kind,
                    inputs,
                    shape: layer.shape.clone(),
                    trainable: layer.trainable,
                    layer: id,
                });
                clamp_after(&mut nodes, conv, *activation)
            }
            Op::DepthwiseConv2D { kernel_size, strides, padding, use_bias } => {
                let window = window(source(0), &layer.shape, *kernel_size, *strides, *padding)
                    .ok_or_else(|| unsupported("expects a feature map"))?;
                let (window, inputs) = absorb_padding(&nodes, window, inputs);
                let kind = Kind::Depthwise { window, kernel: parameter, bias: bias_after(*use_bias) };
                nodes.push(Node {
                    kind,
                    inputs,
                    shape: layer.shape.clone(),
                    trainable: layer.trainable,
                    layer: id,
                });
                nodes.len() - 1
            }
            Op::BatchNormalization { epsilon, momentum } => {
                let mut activation = Activation::Linear;
                let mut merged = None;
                if let Some(next) = only_reader(id)
                    && let Op::Activation { function } = layers[next].op
                    && function != Activation::Softmax
                {
                    activation = function;
                    merged = Some(next);
                }
                let (epsilon, momentum) = (*epsilon, *momentum);
                let node = push(
                    Kind::Norm { gamma: parameter, epsilon, momentum, activation },
                    inputs,
                    &layer.shape,
                );
                if let Some(next) = merged {
                    node_of[next] = node;
                    nodes[node].layer = next;
                }
                node
            }
            Op::Activation { function: Activation::Softmax } if id + 1 == layers.len() => inputs[0],
            Op::Activation { function: Activation::Softmax } => {
                return Err(unsupported("a softmax is supported at the end of a graph only"));
            }
            Op::Activation { function: Activation::Linear } => inputs[0],
            Op::Activation { function } => push(Kind::Clamp { activation: *function }, inputs, &layer.shape),
            Op::Add => push(Kind::Add, inputs, &layer.shape),
            Op::Concatenate => push(Kind::Concatenate, inputs, &layer.shape),
            Op::UpSampling2D { size } => push(Kind::Upsample { size: *size }, inputs, &layer.shape),
            Op::Flatten => push(Kind::Flatten, inputs, &layer.shape),
            Op::GlobalAveragePooling2D => push(Kind::Pool, inputs, &layer.shape),
            Op::Dropout { rate } => push(Kind::Dropout { rate: *rate }, inputs, &layer.shape),
            Op::Dense { use_bias, activation, .. } => {
                if *activation == Activation::Softmax && id + 1 != layers.len() {
                    return Err(unsupported("a softmax is supported at the end of a graph only"));
                }
                let dense = push(
                    Kind::Dense { kernel: parameter, bias: bias_after(*use_bias) },
                    inputs,
                    &layer.shape,
                );
                clamp_after(&mut nodes, dense, *activation)
            }
        };
    }
    let output = node_of[layers.len() - 1];
    if nodes[output].shape.len() != 1 {
        return Err(Error::Graph {
            layer: layers[layers.len() - 1].name.clone(),
            reason: format!("a network ends in a flat layer, not {:?}", nodes[output].shape),
        });
    }
    Ok(prune(nodes, output))
}

/// Drops nodes that the output does not need (absorbed paddings, dead branches).
fn prune(nodes: Vec<Node>, output: NodeId) -> Lowered {
    let mut needed = vec![false; nodes.len()];
    needed[output] = true;
    needed[0] = true;
    for id in (0..nodes.len()).rev() {
        if needed[id] {
            for &i in &nodes[id].inputs {
                needed[i] = true;
            }
        }
    }
    let mut new_id = vec![0; nodes.len()];
    let mut kept: Vec<Node> = Vec::new();
    for (id, mut node) in nodes.into_iter().enumerate() {
        if needed[id] {
            new_id[id] = kept.len();
            for i in &mut node.inputs {
                *i = new_id[*i];
            }
            kept.push(node);
        }
    }
    let mut readers = vec![Vec::new(); kept.len()];
    for (id, node) in kept.iter().enumerate() {
        for &i in &node.inputs {
            readers[i].push(id);
        }
    }
    Lowered { nodes: kept, readers }
}

fn feature_map(shape: &[usize]) -> Option<[usize; 3]> {
    shape.try_into().ok()
}

fn window(
    input: &[usize],
    output: &[usize],
    kernel: [usize; 2],
    strides: [usize; 2],
    padding: Padding,
) -> Option<Window> {
    let (input, output) = (feature_map(input)?, feature_map(output)?);
    let (_, top, _) = padding.along(input[0], kernel[0], strides[0])?;
    let (_, left, _) = padding.along(input[1], kernel[1], strides[1])?;
    Some(Window { input, output, kernel, strides, before: [top, left] })
}

/// A window over a padded picture is a window with more padding over the picture itself.
fn absorb_padding(nodes: &[Node], window: Window, inputs: Vec<NodeId>) -> (Window, Vec<NodeId>) {
    match inputs.as_slice() {
        &[input] => match &nodes[input].kind {
            Kind::Pad { window: pad } => {
                let before = [window.before[0] + pad.before[0], window.before[1] + pad.before[1]];
                (Window { input: pad.input, before, ..window }, nodes[input].inputs.clone())
            }
            _ => (window, inputs),
        },
        _ => (window, inputs),
    }
}

fn clamp_after(nodes: &mut Vec<Node>, id: NodeId, activation: Activation) -> NodeId {
    if matches!(activation, Activation::Linear | Activation::Softmax) {
        return id;
    }
    let Node { shape, trainable, layer, .. } = nodes[id].clone();
    nodes.push(Node { kind: Kind::Clamp { activation }, inputs: vec![id], shape, trainable, layer });
    nodes.len() - 1
}
