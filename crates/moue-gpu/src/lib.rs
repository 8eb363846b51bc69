//! The GPU engine: runs and trains the graphs of `moue-graph` on [burn](https://burn.dev), forward by its tensors and
//! backward by its automatic differentiation.
//!
//! Which device that is, CUDA, wgpu (Vulkan, Metal, DirectX 12) or burn's own CPU backend, is settled when the engine
//! is made; everything after that is the same code. Parameters are kept in f32 and exchanged bit for bit; a step
//! differs from that of `moue-cpu` by rounding only, and checkpoints go both ways.

mod device;
mod folding;
mod inference;
mod layout;
mod network;
mod optimizer;
mod rendering;
mod training;
mod transfer;

use burn_tensor::Device;
use moue_graph::engine::{Engine, InferenceOptions, InferenceSession, TrainingOptions, TrainingSession};
use moue_graph::{Graph, Result, Weights};

/// Arithmetic of convolutions and of the values between layers. Parameters, statistics, sums of the optimizer and
/// the loss are f32 whatever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compute {
    /// 24 bits of precision: what agrees with the CPU.
    #[default]
    F32,
    /// 8 bits of precision and the range of f32: gradients need no scaling.
    Bf16,
}

/// An engine on one device.
#[derive(Clone, Debug)]
pub struct GpuEngine {
    name: &'static str,
    device: Device,
    compute: Compute,
}

impl GpuEngine {
    /// An NVIDIA card, counted from 0.
    ///
    /// # Errors
    /// [`Error::Engine`](moue_graph::Error::Engine), in one line, with what is missing and how to get it: the driver,
    /// the run-time compiler, or a card of that number.
    #[cfg(feature = "cuda")]
    pub fn cuda(index: usize) -> Result<Self> {
        Ok(Self { name: "cuda", device: device::cuda::open(index)?, compute: Compute::F32 })
    }

    /// The best device that Vulkan, Metal or DirectX 12 offers.
    ///
    /// # Errors
    /// [`Error::Engine`](moue_graph::Error::Engine), in one line, where none of them offers any.
    #[cfg(feature = "wgpu")]
    pub fn wgpu() -> Result<Self> {
        Ok(Self { name: "wgpu", device: device::wgpu::open()?, compute: Compute::F32 })
    }

    /// burn's CPU backend: slow, but written by others than `moue-cpu`, and therefore its judge.
    #[cfg(feature = "flex")]
    pub fn flex() -> Self {
        Self { name: "flex", device: Device::flex(), compute: Compute::F32 }
    }

    /// The same device with other arithmetic.
    ///
    /// # Errors
    /// [`Error::Engine`](moue_graph::Error::Engine) where the device does not have it.
    pub fn with_compute(self, compute: Compute) -> Result<Self> {
        device::check(&self.device, compute)?;
        Ok(Self { compute, ..self })
    }
}

impl Engine for GpuEngine {
    fn name(&self) -> &str {
        self.name
    }

    fn inference(
        &self,
        graph: &Graph,
        weights: &Weights,
        options: &InferenceOptions,
    ) -> Result<Box<dyn InferenceSession>> {
        Ok(Box::new(inference::Session::new(&self.device, self.compute, graph, weights, options)?))
    }

    fn training(
        &self,
        graph: &Graph,
        weights: &Weights,
        options: &TrainingOptions,
    ) -> Result<Box<dyn TrainingSession>> {
        Ok(Box::new(training::Session::new(&self.device, self.compute, graph, weights, options)?))
    }
}
