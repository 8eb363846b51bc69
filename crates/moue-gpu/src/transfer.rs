//! Values to the device and back.

use burn_tensor::{Device, Tensor, TensorData};
use moue_graph::{Error, Result};

/// Copies values to a device; `shape` has as many.
pub(crate) fn upload<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// Waits for a tensor and copies its values back.
pub(crate) fn download<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|e| Error::Engine(format!("the device failed: {e}")))
}

/// An error where a session has no room for a picture.
pub(crate) fn check_max_batch(max_batch: usize) -> Result<()> {
    if max_batch == 0 {
        return Err(Error::Parameter("a batch holds at least one picture".into()));
    }
    Ok(())
}

/// An error where a batch is empty or too large.
pub(crate) fn check_count(count: usize, max_batch: usize) -> Result<()> {
    if count == 0 || count > max_batch {
        return Err(Error::Parameter(format!("a batch holds 1 to {max_batch} pictures, not {count}")));
    }
    Ok(())
}

/// An error where a batch is empty, too large, or its pictures are not `count` times `values`.
pub(crate) fn check(count: usize, max_batch: usize, values: usize, pictures: &[f32]) -> Result<()> {
    check_count(count, max_batch)?;
    if pictures.len() != count * values {
        let got = pictures.len();
        return Err(Error::Parameter(format!("{count} pictures have {} values, not {got}", count * values)));
    }
    Ok(())
}

/// An error where there is no room for exactly `count` rows of `classes` logits.
pub(crate) fn check_logits(count: usize, classes: usize, logits: &[f32]) -> Result<()> {
    let n = count * classes;
    if logits.len() != n {
        return Err(Error::Parameter(format!("{count} pictures have {n} logits, not {}", logits.len())));
    }
    Ok(())
}
