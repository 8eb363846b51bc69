//! NVIDIA cards.
//!
//! Nothing of CUDA is linked: libraries are loaded when they are first used. Since burn panics where one is missing,
//! everything it will need is looked for before it is called.

use burn_tensor::Device;
use cubecl_cuda::install::cuda_path;
use cudarc::{driver, nvrtc};
use moue_graph::{Error, Result};

/// A header that every kernel includes.
const HEADER: &str = "include/cuda_runtime.h";

/// The card number `index`, ready to use.
pub(crate) fn open(index: usize) -> Result<Device> {
    let missing = |what: &str| Err(Error::Engine(what.into()));
    // SAFETY: the library is loaded and let go; its initialisers are those of the driver that any CUDA program runs.
    if !unsafe { driver::sys::is_culib_present() } {
        return missing(
            "CUDA's driver (libcuda) is missing: install NVIDIA's driver, or use --device cpu or wgpu",
        );
    }
    // SAFETY: as above, with the run-time compiler.
    if !unsafe { nvrtc::sys::is_culib_present() } {
        return missing(
            "CUDA's run-time compiler (libnvrtc) is missing: install the CUDA toolkit 12 or later and put its libraries on the loader's path",
        );
    }
    if !cuda_path().is_some_and(|path| path.join(HEADER).is_file()) {
        return missing(
            "CUDA's headers (cuda_runtime.h) are missing: install the CUDA toolkit, or set CUDA_PATH to a folder that holds include/cuda_runtime.h",
        );
    }
    let failed = |e: driver::DriverError| Error::Engine(format!("CUDA's driver does not start: {e}"));
    driver::result::init().map_err(failed)?;
    let count = usize::try_from(driver::result::device::get_count().map_err(failed)?).unwrap_or(0);
    if index >= count {
        return Err(Error::Engine(format!("there is no CUDA card number {index}: the driver knows {count}")));
    }
    Ok(Device::cuda(index))
}

/// An error where what adds gradients of several cards is missing.
pub(crate) fn check_nccl() -> Result<()> {
    // SAFETY: as in `open`, with NCCL.
    if unsafe { cudarc::nccl::sys::is_culib_present() } {
        return Ok(());
    }
    Err(Error::Engine(
        "NCCL (libnccl), which adds the gradients of several cards, is missing: install it, or train on one card"
            .into(),
    ))
}
