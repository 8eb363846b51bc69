//! Devices: found, or one line that says what is missing.

#[cfg(feature = "cuda")]
pub(crate) mod cuda;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;

use burn_tensor::{DType, Device};
use moue_graph::{Error, Result};

use crate::Compute;

/// An error where the device does not compute so.
pub(crate) fn check(device: &Device, compute: Compute) -> Result<()> {
    let wanted = match compute {
        Compute::F32 => return Ok(()),
        Compute::Bf16 => DType::BF16,
    };
    if device.supports_dtype(wanted) {
        return Ok(());
    }
    Err(Error::Engine("this device does not compute in bf16: use f32".into()))
}
