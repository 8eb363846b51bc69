//! Where networks run.

use std::str::FromStr;

use clap::Args;
use moue_cpu::{Bf16Engine, CpuEngine};
use moue_graph::engine::Engine;

use crate::failure::{Failure, Result};

/// Flags of every command that runs a network of the user's choice.
#[derive(Clone, Copy, Debug, Args)]
pub struct Computing {
    /// What runs the network: cpu, cuda (cuda:1 is the second card) or wgpu (Vulkan, Metal, DirectX 12)
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: Device,
    /// Numbers that real-valued models compute with: f32, or bf16, which needs a processor or a card that multiplies it
    /// and, for training, a card
    #[arg(long, value_name = "TYPE", value_enum, default_value = "f32", hide_possible_values = true)]
    precision: Real,
}

/// Hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Device {
    Cpu,
    /// An NVIDIA card by its number.
    Cuda(usize),
    Wgpu,
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match (text, text.strip_prefix("cuda:").map(usize::from_str)) {
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(0)),
            ("wgpu", _) => Ok(Self::Wgpu),
            (_, Some(Ok(index))) => Ok(Self::Cuda(index)),
            _ => Err("expected cpu, cuda, cuda:NUMBER or wgpu".to_owned()),
        }
    }
}

/// Floating-point numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Real {
    F32,
    Bf16,
}

impl Computing {
    /// The engine that answers so; an error where this machine or this build has none.
    pub fn engine(self) -> Result<Box<dyn Engine>> {
        Ok(match (self.device, self.precision) {
            (Device::Cpu, Real::F32) => Box::new(CpuEngine),
            (Device::Cpu, Real::Bf16) => Box::new(Bf16Engine::new()?),
            (Device::Cuda(index), precision) => cuda(index, precision)?,
            (Device::Wgpu, precision) => wgpu(precision)?,
        })
    }

    /// The engine that learns so.
    pub fn learning_engine(self) -> Result<Box<dyn Engine>> {
        if (self.device, self.precision) == (Device::Cpu, Real::Bf16) {
            return Err(Failure::usage(
                "--precision bf16: on the processor moue trains in f32; bf16 needs --device cuda or wgpu",
            ));
        }
        self.engine()
    }
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn with(engine: moue_gpu::GpuEngine, precision: Real) -> Result<Box<dyn Engine>> {
    let compute = match precision {
        Real::F32 => moue_gpu::Compute::F32,
        Real::Bf16 => moue_gpu::Compute::Bf16,
    };
    Ok(Box::new(engine.with_compute(compute)?))
}

#[cfg(feature = "cuda")]
fn cuda(index: usize, precision: Real) -> Result<Box<dyn Engine>> {
    with(moue_gpu::GpuEngine::cuda(index)?, precision)
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: usize, _: Real) -> Result<Box<dyn Engine>> {
    Err(not_built("cuda"))
}

#[cfg(feature = "wgpu")]
fn wgpu(precision: Real) -> Result<Box<dyn Engine>> {
    with(moue_gpu::GpuEngine::wgpu()?, precision)
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(_: Real) -> Result<Box<dyn Engine>> {
    Err(not_built("wgpu"))
}

#[cfg(not(all(feature = "cuda", feature = "wgpu")))]
fn not_built(feature: &str) -> Failure {
    Failure::message(format!(
        "--device {feature}: this moue was built without it: build one with `cargo build --release --features {feature}` (docs/gpu.md)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_written_so() {
        for (text, device) in [
            ("cpu", Device::Cpu),
            ("cuda", Device::Cuda(0)),
            ("cuda:0", Device::Cuda(0)),
            ("cuda:3", Device::Cuda(3)),
            ("wgpu", Device::Wgpu),
        ] {
            assert_eq!(text.parse(), Ok(device), "{text}");
        }
        for text in ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:x", "wgpu:0", "cpu:1"] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
    }
}
