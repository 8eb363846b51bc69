//! Quantised parameters as tensors: `layer/kernel` in I8, its scales `layer/kernel_scale` in F32, one for
//! each output channel, and `layer/bias` in I32. How a layer's output is stored are two tensors
//! of one value, `layer/output_scale` in F32 and `layer/output_zero_point` in U8.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::tensor::Dtype;

use super::Stored;
use crate::quantized::{Quantized, QuantizedKernel, Scaling};

const OUTPUT_SCALE: &str = "output_scale";
const OUTPUT_ZERO_POINT: &str = "output_zero_point";
const BIAS: &str = "bias";
/// Behind the name of the kernel.
const SCALE: &str = "_scale";

/// The tensors by name.
pub(super) fn store(quantized: &Quantized) -> BTreeMap<String, Stored<'_>> {
    let mut tensors = BTreeMap::new();
    for (layer, kernel) in &quantized.kernels {
        let parameter = &kernel.parameter;
        let values = kernel.values.iter().map(|v| v.to_le_bytes()[0]).collect();
        let mut insert = |name: String, dtype, shape, data| {
            tensors.insert(name, Stored { dtype, shape, data: Cow::Owned(data) });
        };
        insert(format!("{layer}/{parameter}"), Dtype::I8, kernel.shape.as_slice().into(), values);
        let scales: Vec<u8> = kernel.scales.iter().flat_map(|v| v.to_le_bytes()).collect();
        let channels = Cow::Owned(vec![kernel.scales.len()]);
        insert(format!("{layer}/{parameter}{SCALE}"), Dtype::F32, channels, scales);
        let bias: Vec<u8> = kernel.bias.iter().flat_map(|v| v.to_le_bytes()).collect();
        insert(format!("{layer}/{BIAS}"), Dtype::I32, Cow::Owned(vec![kernel.bias.len()]), bias);
    }
    for (layer, scaling) in &quantized.activations {
        let mut insert = |name: &str, dtype, data| {
            let stored = Stored { dtype, shape: Cow::Owned(vec![1]), data: Cow::Owned(data) };
            tensors.insert(format!("{layer}/{name}"), stored);
        };
        insert(OUTPUT_SCALE, Dtype::F32, scaling.scale.to_le_bytes().to_vec());
        insert(OUTPUT_ZERO_POINT, Dtype::U8, vec![scaling.zero_point]);
    }
    tensors
}

/// The parameters that [`store`] wrote. Whether they fit a graph is for [`Quantized::check`] to say.
pub(super) fn restore(tensors: &BTreeMap<String, Stored<'_>>) -> Result<Quantized, String> {
    let mut quantized = Quantized::default();
    let get = |name: String, dtype: Dtype| match tensors.get(&name) {
        Some(stored) if stored.dtype == dtype => Ok(stored),
        Some(stored) => Err(format!("tensor {name} has the type {}, expected {dtype}", stored.dtype)),
        None => Err(format!("tensor {name} is missing")),
    };
    let mut used = 0;
    for (name, stored) in tensors {
        let Some((layer, parameter)) = name.split_once('/') else { continue };
        if stored.dtype == Dtype::I8 {
            let scales = get(format!("{name}{SCALE}"), Dtype::F32)?;
            let bias = get(format!("{layer}/{BIAS}"), Dtype::I32)?;
            let kernel = QuantizedKernel {
                parameter: parameter.to_owned(),
                shape: stored.shape.to_vec(),
                values: stored.data.iter().map(|&b| i8::from_le_bytes([b])).collect(),
                scales: scales.data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
                bias: bias.data.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b)).collect(),
            };
            quantized.kernels.insert(layer.to_owned(), kernel);
            used += 3;
        } else if parameter == OUTPUT_SCALE {
            let zero_point = get(format!("{layer}/{OUTPUT_ZERO_POINT}"), Dtype::U8)?;
            let scale = get(name.clone(), Dtype::F32)?;
            let (Some(scale), &[zero_point]) = (scale.data.first_chunk(), zero_point.data.as_ref()) else {
                return Err(format!("{name} and its zero point must have one value each"));
            };
            let scaling = Scaling { scale: f32::from_le_bytes(*scale), zero_point };
            quantized.activations.insert(layer.to_owned(), scaling);
            used += 2;
        }
    }
    if used != tensors.len() {
        let (all, known) = (tensors.len(), used);
        return Err(format!("has {all} tensors, of which {known} are parts of int8 parameters"));
    }
    Ok(quantized)
}
