//! Parameter values by name.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::graph::Graph;
use crate::op::Op;
use crate::quantized::Quantized;
use crate::random;
use crate::{Error, Result};

/// A dense tensor of f32, row-major. A clone shares the values until one of the two changes them.
#[derive(Clone)]
pub struct Tensor {
    shape: Vec<usize>,
    /// Tensors of one file lie side by side in one block.
    block: Arc<Vec<f32>>,
    part: Range<usize>,
}

impl Tensor {
    /// Takes over values; an error where their number does not fit the shape.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Result<Self> {
        let part = 0..data.len();
        Self::part_of(shape, &Arc::new(data), part)
    }

    /// Shares a part of a block; an error where the block does not have it or its size does not fit the shape.
    pub(crate) fn part_of(shape: Vec<usize>, block: &Arc<Vec<f32>>, part: Range<usize>) -> Result<Self> {
        let count = block.get(part.clone()).map_or(0, <[f32]>::len);
        if shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side)) == Some(count) {
            Ok(Self { shape, block: Arc::clone(block), part })
        } else {
            Err(Error::Weights(format!("{count} values do not fill the shape {shape:?}")))
        }
    }

    /// All values equal.
    pub fn filled(shape: Vec<usize>, value: f32) -> Self {
        let n = shape.iter().product();
        Self { shape, block: Arc::new(vec![value; n]), part: 0..n }
    }

    /// Sides, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Values, row-major.
    pub fn data(&self) -> &[f32] {
        &self.block[self.part.clone()]
    }

    /// Values, to change.
    pub fn data_mut(&mut self) -> &mut [f32] {
        if Arc::strong_count(&self.block) > 1 {
            *self = Self {
                shape: std::mem::take(&mut self.shape),
                block: Arc::new(self.data().to_vec()),
                part: 0..self.part.len(),
            };
        }
        &mut Arc::make_mut(&mut self.block)[self.part.clone()]
    }

    /// Whether all values are numbers, and none infinite.
    pub(crate) fn is_finite(&self) -> bool {
        all_finite(self.data())
    }
}

impl PartialEq for Tensor {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.data() == other.data()
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tensor").field("shape", &self.shape).field("data", &self.data()).finish()
    }
}

/// Whether all values are numbers, and none infinite. Looking at a piece without stopping at its first bad value is
/// what the compiler makes wide instructions of.
pub(crate) fn all_finite(values: &[f32]) -> bool {
    values.chunks(1024).all(|piece| piece.iter().fold(true, |good, v| good & v.is_finite()))
}

/// All parameters of a network by `layer/parameter`, in sorted order; or, instead of these tensors of
/// real values, the parameters in 8-bit integers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
    quantized: Option<Arc<Quantized>>,
}

impl Weights {
    /// No tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parameters in integers: for inference only, and without tensors.
    pub fn from_quantized(quantized: Quantized) -> Self {
        Self { tensors: BTreeMap::new(), quantized: Some(Arc::new(quantized)) }
    }

    /// The parameters in integers, where these are such.
    pub fn quantized(&self) -> Option<&Arc<Quantized>> {
        self.quantized.as_ref()
    }

    /// Sets a tensor.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.tensors.insert(name.into(), tensor);
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// The values of that name; an error that names it where there is none or its size differs.
    pub fn values(&self, name: &str, count: usize) -> Result<&[f32]> {
        self.check_real()?;
        let tensor = self.get(name).ok_or_else(|| Error::Weights(format!("{name} is missing")))?;
        let data = tensor.data();
        if data.len() != count {
            return Err(Error::Weights(format!("{name} has {} values, not {count}", data.len())));
        }
        Ok(data)
    }

    /// All tensors, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Fresh values for a graph: Glorot-uniform kernels (He-normal ones would overshoot behind the
    /// linear bottlenecks), zero biases, identity normalisation. The same seed gives the same
    /// values on every machine, whatever other layers the graph holds.
    pub fn initialise(graph: &Graph, seed: u64) -> Self {
        let mut weights = Self::new();
        for spec in graph.parameters() {
            let layer = &graph.layers()[spec.layer];
            let tensor = match spec.name.rsplit('/').next() {
                Some("gamma" | "moving_variance") => Tensor::filled(spec.shape, 1.0),
                Some("kernel" | "depthwise_kernel") => {
                    let limit = (6.0 / fan_sum(&layer.op, &spec.shape)).sqrt();
                    let mut random = NameHash::new(seed, &spec.name);
                    let n = spec.shape.iter().product();
                    let data = (0..n).map(|_| ((random.unit() * 2.0 - 1.0) * limit) as f32).collect();
                    let part = 0..n;
                    Tensor { shape: spec.shape, block: Arc::new(data), part }
                }
                _ => Tensor::filled(spec.shape, 0.0),
            };
            weights.insert(spec.name, tensor);
        }
        weights
    }

    /// An error where the parameters are integers: training and quantisation need the real values that
    /// these were rounded from.
    pub fn check_real(&self) -> Result<()> {
        match self.quantized {
            None => Ok(()),
            Some(_) => Err(Error::Weights(
                "they are int8, which is for inference only; use the model that was quantised".into(),
            )),
        }
    }

    /// An error that names the first parameter of the graph which is missing or of another shape.
    pub fn check(&self, graph: &Graph) -> Result<()> {
        if let Some(quantized) = &self.quantized {
            return quantized.check(graph);
        }
        for spec in graph.parameters() {
            match self.get(&spec.name) {
                None => return Err(Error::Weights(format!("{} is missing", spec.name))),
                Some(t) if t.shape != spec.shape => {
                    let (name, got, want) = (&spec.name, &t.shape, &spec.shape);
                    return Err(Error::Weights(format!(
                        "{name} has the shape {got:?}, the graph needs {want:?}"
                    )));
                }
                Some(t) if !t.is_finite() => {
                    return Err(Error::Weights(format!("{} holds values that are not finite", spec.name)));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Takes over every tensor of `other` whose name and shape the graph has; gives their number.
    pub fn take_matching(&mut self, graph: &Graph, other: &Weights) -> usize {
        let mut taken = 0;
        for spec in graph.parameters() {
            if let Some(tensor) = other.get(&spec.name).filter(|t| t.shape == spec.shape) {
                self.insert(spec.name, tensor.clone());
                taken += 1;
            }
        }
        taken
    }
}

/// Inputs plus outputs of one value, as Keras' `GlorotUniform` counts them.
fn fan_sum(op: &Op, shape: &[usize]) -> f64 {
    let receptive: usize = shape[..shape.len().saturating_sub(2)].iter().product();
    let (fan_in, fan_out) = match (op, shape) {
        // A depthwise filter reads one channel only; Keras counts all of them and starts too small.
        (Op::DepthwiseConv2D { .. }, _) => (receptive, receptive),
        (_, [.., i, o]) => (receptive * i, receptive * o),
        _ => (1, 1),
    };
    (fan_in + fan_out) as f64
}

/// A random stream seeded by a name: each tensor has its own.
struct NameHash(u64);

impl NameHash {
    fn new(seed: u64, name: &str) -> Self {
        // FNV-1a over the name.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        Self(hash ^ seed.wrapping_mul(random::STEP))
    }

    /// The next value, uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(random::STEP);
        (random::mix(self.0) >> 11) as f64 / (1u64 << 53) as f64
    }
}
