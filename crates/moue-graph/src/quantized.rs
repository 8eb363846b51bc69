//! Parameters of a network in 8-bit integers.
//!
//! An activation stored as `q` (0..=255) stands for `scale * (q - zero_point)`; a kernel value `q`
//! (-127..=127) for `scale[channel] * q`; a bias `q` for `input scale * scale[channel] * q` (Jacob et
//! al.: "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
//! Inference", CVPR 2018). Batch normalisation is folded into kernels and biases beforehand, so its
//! layers have no tensors here.

use std::collections::{BTreeMap, HashMap};

use crate::{Error, Graph, Op, Result};

/// How one layer's output is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// Real value of one step, positive.
    pub scale: f32,
    /// The stored value that stands for 0.
    pub zero_point: u8,
}

/// Kernel and bias of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedKernel {
    /// Name of the kernel among the layer's parameters, for instance `depthwise_kernel`.
    pub parameter: String,
    /// Shape of the kernel, as in the graph.
    pub shape: Vec<usize>,
    /// The kernel, row-major.
    pub values: Vec<i8>,
    /// Real value of one step for each output channel, positive.
    pub scales: Vec<f32>,
    /// One for each output channel.
    pub bias: Vec<i32>,
}

/// A network's parameters, ready for integer arithmetic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quantized {
    /// By name of the layer that has the kernel.
    pub kernels: BTreeMap<String, QuantizedKernel>,
    /// By name of the layer whose output is stored. Which outputs an engine stores depends on what it
    /// fuses; it says what it misses.
    pub activations: BTreeMap<String, Scaling>,
}

impl Quantized {
    /// The kernel of a layer; an error that names it where there is none.
    pub fn kernel(&self, layer: &str) -> Result<&QuantizedKernel> {
        self.kernels.get(layer).ok_or_else(|| Error::Weights(format!("{layer} has no int8 kernel")))
    }

    /// How a layer's output is stored; an error that names it where that is unknown.
    pub fn activation(&self, layer: &str) -> Result<Scaling> {
        self.activations
            .get(layer)
            .copied()
            .ok_or_else(|| Error::Weights(format!("the range of {layer}'s output is missing")))
    }

    /// An error that names the first layer that the output needs whose kernel is missing, of another shape, or has scales
    /// without meaning, and the first entry that belongs to no layer.
    pub fn check(&self, graph: &Graph) -> Result<()> {
        let refuse = |reason: String| Err(Error::Weights(reason));
        // Layers that the output does not need have no integers.
        let layers = graph.layers();
        let mut needed = vec![false; layers.len()];
        if let Some(last) = needed.last_mut() {
            *last = true;
        }
        for id in (0..layers.len()).rev() {
            if needed[id] {
                layers[id].inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        let mut expected = HashMap::new();
        for spec in graph.parameters() {
            let layer = &graph.layers()[spec.layer];
            let Some(parameter) = kernel_parameter(&layer.op) else { continue };
            if spec.name.rsplit('/').next() == Some(parameter) {
                let axis =
                    if matches!(layer.op, Op::DepthwiseConv2D { .. }) { 2 } else { spec.shape.len() - 1 };
                let channels = spec.shape[axis];
                let known = needed[spec.layer] || self.kernels.contains_key(&layer.name);
                if known {
                    expected.insert(layer.name.as_str(), (parameter, spec.shape, channels));
                }
            }
        }
        for (layer, (parameter, shape, channels)) in &expected {
            let kernel = self.kernel(layer)?;
            if kernel.parameter != *parameter {
                return refuse(format!("{layer} has an int8 {}, not {parameter}", kernel.parameter));
            }
            if &kernel.shape != shape || kernel.values.len() != shape.iter().product::<usize>() {
                let (got, want) = (&kernel.shape, shape);
                return refuse(format!("{layer} has an int8 kernel of the shape {got:?}, not {want:?}"));
            }
            if kernel.scales.len() != *channels || kernel.bias.len() != *channels {
                return refuse(format!(
                    "{layer} has {} scales and {} biases for {channels} channels",
                    kernel.scales.len(),
                    kernel.bias.len()
                ));
            }
            if let Some(scale) = kernel.scales.iter().find(|s| !(**s > 0.0 && s.is_finite())) {
                return refuse(format!("{layer} has the scale {scale}, expected a positive one"));
            }
        }
        if let Some(layer) = self.kernels.keys().find(|name| !expected.contains_key(name.as_str())) {
            return refuse(format!("the int8 kernel of {layer} belongs to no layer of the graph"));
        }
        for (layer, scaling) in &self.activations {
            if graph.layer(layer).is_none() {
                return refuse(format!("the range of {layer}'s output belongs to no layer of the graph"));
            }
            if !(scaling.scale > 0.0 && scaling.scale.is_finite()) {
                return refuse(format!(
                    "{layer} has the output scale {}, expected a positive one",
                    scaling.scale
                ));
            }
        }
        Ok(())
    }
}

/// Name of the parameter that a layer multiplies with.
fn kernel_parameter(op: &Op) -> Option<&'static str> {
    match op {
        Op::Conv2D { .. } | Op::Dense { .. } => Some("kernel"),
        Op::DepthwiseConv2D { .. } => Some("depthwise_kernel"),
        _ => None,
    }
}
