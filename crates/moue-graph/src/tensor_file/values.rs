//! Tensors as the bytes of a file and back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use safetensors::tensor::Dtype;

use super::{Precision, Stored};
use crate::weights::all_finite;
use crate::{Error, Result, Tensor, Weights, pages};

/// Values converted at a time: few enough to stay in the nearest cache until they were looked at.
const PIECE: usize = 1024;

pub(super) fn store<'a>(name: &str, tensor: &'a Tensor, precision: Precision) -> Result<Stored<'a>> {
    if let Some(value) = tensor.data().iter().find(|v| !v.is_finite()) {
        return Err(Error::Weights(format!("{name} holds {value}, which no file may hold")));
    }
    let (dtype, data) = if precision == Precision::F16 && tensor.shape().len() >= 2 {
        let mut data = Vec::with_capacity(2 * tensor.data().len());
        for &value in tensor.data() {
            let half = f16::from_f32(value);
            if !half.is_finite() {
                return Err(Error::Weights(format!(
                    "{name} holds {value}, beyond the range of F16; save as F32"
                )));
            }
            data.extend(half.to_le_bytes());
        }
        (Dtype::F16, data)
    } else {
        (Dtype::F32, tensor.data().iter().flat_map(|v| v.to_le_bytes()).collect())
    };
    Ok(Stored { dtype, shape: tensor.shape(), data: Cow::Owned(data) })
}

/// All tensors, side by side in one block: a single piece of memory costs the system less than hundreds.
pub(super) fn restore(tensors: &BTreeMap<&str, Stored<'_>>) -> Result<Weights, String> {
    let mut sizes = Vec::with_capacity(tensors.len());
    for (name, stored) in tensors {
        let bytes = match stored.dtype {
            Dtype::F32 => 4,
            Dtype::F16 => 2,
            other => return Err(format!("tensor {name} has the type {other}, expected F32 or F16")),
        };
        sizes.push(stored.data.len() / bytes);
    }
    let mut block = pages::zeroed(sizes.iter().sum());
    let mut rest = block.as_mut_slice();
    for ((name, stored), &size) in tensors.iter().zip(&sizes) {
        let (out, after) = rest.split_at_mut(size);
        rest = after;
        if !convert(stored, out) {
            let value = out.iter().find(|v| !v.is_finite()).copied().unwrap_or(f32::NAN);
            return Err(format!("tensor {name} holds {value}, expected finite values"));
        }
    }
    let block = Arc::new(block);
    let mut weights = Weights::new();
    let mut start = 0;
    for ((&name, stored), size) in tensors.iter().zip(sizes) {
        let part = start..start + size;
        start = part.end;
        let tensor = Tensor::part_of(stored.shape.to_vec(), &block, part);
        weights.insert(name, tensor.map_err(|e| format!("tensor {name}: {e}"))?);
    }
    Ok(weights)
}

/// The values of a tensor of F32 or F16; whether all are finite.
fn convert(stored: &Stored<'_>, out: &mut [f32]) -> bool {
    let pieces = out.chunks_mut(PIECE);
    if stored.dtype == Dtype::F16 {
        let mut halves = [0_u16; PIECE];
        pieces.zip(stored.data.chunks(2 * PIECE)).fold(true, |finite, (out, bytes)| {
            let halves = &mut halves[..out.len()];
            for (half, &bytes) in halves.iter_mut().zip(bytes.as_chunks().0) {
                *half = u16::from_le_bytes(bytes);
            }
            halves.reinterpret_cast::<f16>().convert_to_f32_slice(out);
            finite & all_finite(out)
        })
    } else {
        pieces.zip(stored.data.chunks(4 * PIECE)).fold(true, |finite, (out, bytes)| {
            for (value, &bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                *value = f32::from_le_bytes(bytes);
            }
            finite & all_finite(out)
        })
    }
}
