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
use moue_graph::{Error, Graph, Result, Weights};

use training::{Devices, Reduction};

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

/// An engine on one device, or on several that train a model together.
#[derive(Clone, Debug)]
pub struct GpuEngine {
    name: &'static str,
    /// The only one, or the first of several: it answers.
    device: Device,
    others: Vec<Device>,
    compute: Compute,
}

impl GpuEngine {
    /// An NVIDIA card, counted from 0.
    ///
    /// # Errors
    /// [`Error::Engine`], in one line, with what is missing and how to get it: the driver,
    /// the run-time compiler, or a card of that number.
    #[cfg(feature = "cuda")]
    pub fn cuda(index: usize) -> Result<Self> {
        Ok(Self {
            name: "cuda",
            device: device::cuda::open(index)?,
            others: Vec::new(),
            compute: Compute::F32,
        })
    }

    /// The best device that Vulkan, Metal or DirectX 12 offers.
    ///
    /// # Errors
    /// [`Error::Engine`], in one line, where none of them offers any.
    #[cfg(feature = "wgpu")]
    pub fn wgpu() -> Result<Self> {
        Ok(Self { name: "wgpu", device: device::wgpu::open()?, others: Vec::new(), compute: Compute::F32 })
    }

    /// burn's CPU backend: slow, but written by others than `moue-cpu`, and therefore its judge.
    #[cfg(feature = "flex")]
    pub fn flex() -> Self {
        Self { name: "flex", device: Device::flex(), others: Vec::new(), compute: Compute::F32 }
    }

    /// These engines' devices as one engine: each takes a part of every batch that it trains on, and the first one
    /// answers. How many there are changes a training by rounding only, except that a normalisation which takes a
    /// batch's statistics takes those of its device's part.
    ///
    /// # Errors
    /// [`Error::Parameter`] where there is none, where they are of several kinds or
    /// differ in their arithmetic, or where a card is there twice;
    /// [`Error::Engine`], in one line, where something is missing that they need to work
    /// together.
    pub fn several(engines: Vec<Self>) -> Result<Self> {
        let mut engines = engines.into_iter();
        let Some(mut all) = engines.next() else {
            return Err(Error::Parameter("a model is trained on at least one device".into()));
        };
        for engine in engines {
            if (engine.name, engine.compute) != (all.name, all.compute) {
                return Err(Error::Parameter(
                    "devices that train a model together are of one kind and compute in one kind of numbers"
                        .into(),
                ));
            }
            all.others.push(engine.device);
            all.others.extend(engine.others);
        }
        Reduction::of(all.name).check(&all.device, &all.others)?;
        Ok(all)
    }

    /// The same devices with other arithmetic.
    ///
    /// # Errors
    /// [`Error::Engine`] where one of them does not have it.
    pub fn with_compute(self, compute: Compute) -> Result<Self> {
        device::check(&self.device, compute)?;
        self.others.iter().try_for_each(|device| device::check(device, compute))?;
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
        let devices =
            Devices { first: &self.device, others: &self.others, reduction: Reduction::of(self.name) };
        Ok(Box::new(training::Session::new(&devices, self.compute, graph, weights, options)?))
    }
}
