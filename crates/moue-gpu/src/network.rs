//! The forward pass of a lowered graph in tensors. Feature maps are NHWC, `[pictures, height, width, channels]`; what
//! comes after them is `[pictures, values]` and always f32.

mod operations;

use burn_tensor::{Device, FloatDType, Tensor};
use moue_graph::engine::DropoutStream;
use moue_graph::lowering::{Kind, Lowered, Node, NodeId, ParameterId};
use moue_graph::{Activation, Error, Result};

use crate::Compute;
use crate::transfer::upload;
pub(crate) use operations::MOST_SUMMED;

/// How a pass treats what training and answering do differently.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// Batch statistics in trainable layers; dropout by this seed and number of steps done. `first` is the place of
    /// the pass's first picture in the whole batch, which may be spread over several devices.
    Training { seed: u64, step: u64, first: usize },
    /// Moving statistics, no dropout.
    Inference,
}

/// Mean and variance that a normalisation saw in a batch, a value a channel.
pub(crate) struct Statistics {
    /// The normalisation's first parameter.
    pub gamma: ParameterId,
    pub mean: Tensor<1>,
    pub variance: Tensor<1>,
}

/// A node's output.
#[derive(Clone)]
enum Value {
    Map(Tensor<4>),
    Flat(Tensor<2>),
}

/// A graph that can be run forward.
pub(crate) struct Network {
    lowered: Lowered,
    compute: Compute,
}

impl Network {
    pub fn new(lowered: Lowered, compute: Compute) -> Self {
        Self { lowered, compute }
    }

    pub fn nodes(&self) -> &[Node] {
        &self.lowered.nodes
    }

    /// Values of one picture.
    pub fn picture_len(&self) -> usize {
        self.lowered.nodes.first().map_or(0, Node::len)
    }

    /// Shape of one picture.
    pub fn input_shape(&self) -> &[usize] {
        self.lowered.nodes.first().map_or(&[], |node| &node.shape)
    }

    /// Logits of one picture.
    pub fn outputs(&self) -> usize {
        self.lowered.nodes.last().map_or(0, Node::len)
    }

    /// Logits, `[count, outputs]`, of pictures `[count, values]` in NHWC, and in training the statistics of each normalisation that
    /// took its batch's, in node order. `parameters` holds the values of each, flat.
    ///
    /// An error where a node reads what it cannot; lowering has excluded that.
    pub fn forward(
        &self,
        parameters: &[Tensor<1>],
        pictures: Tensor<2>,
        mode: Mode,
        device: &Device,
    ) -> Result<(Tensor<2>, Vec<Statistics>)> {
        let nodes = &self.lowered.nodes;
        let count = pictures.dims()[0];
        let pass = Pass { network: self, parameters, count, mode, device };
        let mut statistics = Vec::new();
        let mut values: Vec<Option<Value>> = vec![None; nodes.len()];
        // What nobody reads any more is let go: a plain pass then needs little memory.
        let mut waiting: Vec<usize> = self.lowered.readers.iter().map(Vec::len).collect();
        for (id, node) in nodes.iter().enumerate() {
            let mut inputs = Vec::with_capacity(node.inputs.len());
            for &input in &node.inputs {
                waiting[input] -= 1;
                let value = if waiting[input] == 0 { values[input].take() } else { values[input].clone() };
                inputs.push(value.ok_or_else(|| pass.misfit(id))?);
            }
            let value = match &node.kind {
                Kind::Input => pass.input(pictures.clone()),
                _ => pass.node(id, inputs, &mut statistics)?,
            };
            values[id] = Some(value);
        }
        match values.pop() {
            Some(Some(Value::Flat(logits))) => Ok((logits, statistics)),
            _ => Err(pass.misfit(nodes.len().saturating_sub(1))),
        }
    }
}

/// One forward pass.
struct Pass<'a> {
    network: &'a Network,
    parameters: &'a [Tensor<1>],
    count: usize,
    mode: Mode,
    device: &'a Device,
}

impl Pass<'_> {
    fn misfit(&self, id: NodeId) -> Error {
        Error::Engine(format!("node {id} reads what it cannot"))
    }

    /// A feature map in the arithmetic of feature maps.
    fn stored(&self, map: Tensor<4>) -> Value {
        Value::Map(self.computed(map))
    }

    fn computed<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D> {
        match self.network.compute {
            Compute::F32 => tensor,
            Compute::Bf16 => tensor.cast(FloatDType::BF16),
        }
    }

    /// The same values in f32.
    fn exact<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D> {
        match self.network.compute {
            Compute::F32 => tensor,
            Compute::Bf16 => tensor.cast(FloatDType::F32),
        }
    }

    fn parameter(&self, id: ParameterId) -> Tensor<1> {
        self.parameters[id].clone()
    }

    fn input(&self, pictures: Tensor<2>) -> Value {
        match self.network.lowered.nodes[0].shape.as_slice() {
            &[h, w, c] => self.stored(pictures.reshape([self.count, h, w, c])),
            _ => Value::Flat(pictures),
        }
    }

    fn node(&self, id: NodeId, inputs: Vec<Value>, statistics: &mut Vec<Statistics>) -> Result<Value> {
        let node = &self.network.lowered.nodes[id];
        let mut inputs = inputs.into_iter();
        let first = inputs.next().ok_or_else(|| self.misfit(id))?;
        let value = match (&node.kind, first) {
            (Kind::Pad { window }, Value::Map(x)) => Value::Map(operations::pad(x, window)),
            (Kind::Conv { window, kernel, bias }, Value::Map(x)) => {
                let y = operations::convolve(x, self.computed(self.parameter(*kernel)), window);
                Value::Map(self.biased(y, *bias))
            }
            (Kind::Depthwise { window, kernel, bias }, Value::Map(x)) => {
                let y = operations::convolve_channels(x, self.computed(self.parameter(*kernel)), window);
                Value::Map(self.biased(y, *bias))
            }
            (Kind::Norm { gamma, epsilon, activation, .. }, x) => {
                self.norm(node, *gamma, *epsilon, *activation, x, statistics)
            }
            (Kind::Clamp { activation }, Value::Map(x)) => Value::Map(operations::clamp(x, *activation)),
            (Kind::Clamp { activation }, Value::Flat(x)) => Value::Flat(operations::clamp(x, *activation)),
            (Kind::Add, first) => match (first, inputs.next()) {
                (Value::Map(a), Some(Value::Map(b))) => Value::Map(a + b),
                (Value::Flat(a), Some(Value::Flat(b))) => Value::Flat(a + b),
                _ => return Err(self.misfit(id)),
            },
            (Kind::Concatenate, Value::Map(x)) => {
                let mut all = vec![x];
                for input in inputs {
                    let Value::Map(x) = input else { return Err(self.misfit(id)) };
                    all.push(x);
                }
                Value::Map(Tensor::cat(all, 3))
            }
            (Kind::Concatenate, Value::Flat(x)) => {
                let mut all = vec![x];
                for input in inputs {
                    let Value::Flat(x) = input else { return Err(self.misfit(id)) };
                    all.push(x);
                }
                Value::Flat(Tensor::cat(all, 1))
            }
            (Kind::Upsample { size }, Value::Map(x)) => Value::Map(operations::repeat(x, *size)),
            (Kind::Flatten, Value::Map(x)) => Value::Flat(self.exact(x.reshape([self.count, node.len()]))),
            (Kind::Flatten, flat) => flat,
            (Kind::Pool, Value::Map(x)) => Value::Flat(operations::mean(self.exact(x))),
            (Kind::Dropout { rate }, x) => self.dropout(id, *rate, x),
            (Kind::Dense { kernel, bias }, Value::Flat(x)) => {
                let inner = x.dims()[1];
                let y = x.matmul(self.parameter(*kernel).reshape([inner, node.len()]));
                Value::Flat(match bias {
                    Some(bias) => y + self.parameter(*bias).reshape([1, node.len()]),
                    None => y,
                })
            }
            _ => return Err(self.misfit(id)),
        };
        Ok(value)
    }

    fn biased(&self, map: Tensor<4>, bias: Option<ParameterId>) -> Tensor<4> {
        let Some(bias) = bias else { return map };
        let shape = map.dims();
        map + operations::spread(self.computed(self.parameter(bias)).reshape([1, 1, 1, shape[3]]), shape)
    }

    fn norm(
        &self,
        node: &Node,
        gamma: ParameterId,
        epsilon: f32,
        activation: Activation,
        x: Value,
        statistics: &mut Vec<Statistics>,
    ) -> Value {
        let channels = node.channels();
        let [weight, shift, mean, variance] =
            [gamma, gamma + 1, gamma + 2, gamma + 3].map(|id| self.parameter(id));
        let learns = node.trainable && matches!(self.mode, Mode::Training { .. });
        // Statistics are over all but the last axis, so a map is a long list of rows.
        let (rows, shape) = match x {
            Value::Flat(x) => (x, None),
            Value::Map(x) => {
                let shape = x.dims();
                let (x, count) = (self.exact(x), shape[0] * shape[1] * shape[2]);
                if learns && count > MOST_SUMMED {
                    let (output, mean, variance) = operations::normalise_map(x, weight, shift, epsilon);
                    statistics.push(Statistics { gamma, mean, variance });
                    return self.stored(operations::clamp(output, activation));
                }
                (x.reshape([count, channels]), Some(shape))
            }
        };
        let out = if learns {
            let seen = operations::normalise(rows, weight, shift, epsilon);
            statistics.push(Statistics { gamma, mean: seen.mean, variance: seen.variance });
            seen.output
        } else {
            let scale = weight / variance.add_scalar(epsilon).sqrt();
            let shift = shift - mean * scale.clone();
            rows * scale.reshape([1, channels]) + shift.reshape([1, channels])
        };
        let out = operations::clamp(out, activation);
        match shape {
            None => Value::Flat(out),
            Some(shape) => self.stored(out.reshape(shape)),
        }
    }

    fn dropout(&self, id: NodeId, rate: f32, x: Value) -> Value {
        let Mode::Training { seed, step, first } = self.mode else { return x };
        let stream = DropoutStream::new(seed, step, id);
        let len = self.network.lowered.nodes[id].len();
        let places = (first * len) as u64..((first + self.count) * len) as u64;
        let factors: Vec<f32> = places.map(|i| stream.factor(i, rate)).collect();
        match x {
            Value::Flat(x) => {
                let shape = x.dims();
                Value::Flat(x * upload(&factors, shape, self.device))
            }
            Value::Map(x) => {
                let shape = x.dims();
                Value::Map(x * self.computed(upload(&factors, shape, self.device)))
            }
        }
    }
}
