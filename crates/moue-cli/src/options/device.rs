//! Where networks run.

use std::str::FromStr;

use clap::Args;
use moue_cpu::{Bf16Engine, CpuEngine};
use moue_graph::engine::Engine;

use crate::failure::{Failure, Result};

/// Flags of every command that runs a network of the user's choice.
#[derive(Clone, Debug, Args)]
pub struct Computing {
    /// What runs the network: cpu, cuda (cuda:1 is the second card; cuda:0,1 trains a model on both and answers on the
    /// first) or wgpu (Vulkan, Metal, DirectX 12)
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    device: Device,
    /// Numbers that real-valued models compute with: f32, or bf16, which needs a processor or a card that multiplies it
    /// and, for training, a card
    #[arg(long, value_name = "TYPE", value_enum, default_value = "f32", hide_possible_values = true)]
    precision: Real,
}

/// Hardware.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Device {
    Cpu,
    /// NVIDIA cards by their numbers: one at least, and none twice.
    Cuda(Vec<usize>),
    Wgpu,
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (kind, numbers) = match text.split_once([':', ',']) {
            Some((kind, _)) => (kind, text.strip_prefix(kind).and_then(|rest| rest.strip_prefix(':'))),
            None => (text, None),
        };
        match (kind, numbers) {
            ("cuda", Some(numbers)) => Ok(Self::Cuda(cards(numbers)?)),
            ("cuda", None) if text == kind => Ok(Self::Cuda(vec![0])),
            ("cpu", None) if text == kind => Ok(Self::Cpu),
            ("wgpu", None) if text == kind => Ok(Self::Wgpu),
            ("cpu" | "wgpu", _) => {
                Err(format!("{kind} is one device: only cuda takes numbers, as in cuda:0,1"))
            }
            _ => Err("expected cpu, cuda, cuda:NUMBER, cuda:NUMBER,NUMBER or wgpu".to_owned()),
        }
    }
}

/// The numbers of a list such as `0,1`.
fn cards(list: &str) -> std::result::Result<Vec<usize>, String> {
    let mut cards = Vec::new();
    for number in list.split(',') {
        let Ok(card) = number.parse() else {
            return Err("after cuda: expected the cards' numbers, as in cuda:1 or cuda:0,1".to_owned());
        };
        if cards.contains(&card) {
            return Err(format!("card {card} is named twice"));
        }
        cards.push(card);
    }
    Ok(cards)
}

/// Floating-point numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Real {
    F32,
    Bf16,
}

impl Computing {
    /// The engine that answers so; an error where this machine or this build has none. Of several cards the first
    /// answers.
    pub fn engine(&self) -> Result<Box<dyn Engine>> {
        self.open(1)
    }

    /// The engine that learns so, on all of the cards.
    pub fn learning_engine(&self) -> Result<Box<dyn Engine>> {
        if (&self.device, self.precision) == (&Device::Cpu, Real::Bf16) {
            return Err(Failure::usage(
                "--precision bf16: on the processor moue trains in f32; bf16 needs --device cuda or wgpu",
            ));
        }
        self.open(usize::MAX)
    }

    fn open(&self, most_cards: usize) -> Result<Box<dyn Engine>> {
        Ok(match (&self.device, self.precision) {
            (Device::Cpu, Real::F32) => Box::new(CpuEngine),
            (Device::Cpu, Real::Bf16) => Box::new(Bf16Engine::new()?),
            (Device::Cuda(cards), precision) => cuda(&cards[..most_cards.min(cards.len())], precision)?,
            (Device::Wgpu, precision) => wgpu(precision)?,
        })
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
fn cuda(cards: &[usize], precision: Real) -> Result<Box<dyn Engine>> {
    let engines =
        cards.iter().map(|&card| moue_gpu::GpuEngine::cuda(card)).collect::<std::result::Result<_, _>>()?;
    with(moue_gpu::GpuEngine::several(engines)?, precision)
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: &[usize], _: Real) -> Result<Box<dyn Engine>> {
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
            ("cuda", Device::Cuda(vec![0])),
            ("cuda:0", Device::Cuda(vec![0])),
            ("cuda:3", Device::Cuda(vec![3])),
            ("cuda:0,1", Device::Cuda(vec![0, 1])),
            ("cuda:2,0,11", Device::Cuda(vec![2, 0, 11])),
            ("wgpu", Device::Wgpu),
        ] {
            assert_eq!(text.parse(), Ok(device), "{text}");
        }
        for (text, why) in [
            ("", "expected cpu"),
            ("gpu", "expected cpu"),
            ("CUDA", "expected cpu"),
            ("cuda,1", "expected cpu"),
            ("cuda0,1", "expected cpu"),
            ("cuda:", "expected the cards' numbers"),
            ("cuda:-1", "expected the cards' numbers"),
            ("cuda:x", "expected the cards' numbers"),
            ("cuda:0,", "expected the cards' numbers"),
            ("cuda:,1", "expected the cards' numbers"),
            ("cuda:0,1,cuda:2", "expected the cards' numbers"),
            ("cuda:0,1,0", "card 0 is named twice"),
            ("wgpu:0", "wgpu is one device"),
            ("wgpu:0,1", "wgpu is one device"),
            ("wgpu,wgpu", "wgpu is one device"),
            ("cpu:1", "cpu is one device"),
            ("cpu,cuda", "cpu is one device"),
        ] {
            let error = text.parse::<Device>().unwrap_err();
            assert!(error.contains(why) && !error.contains('\n'), "{text}: {error}");
        }
    }
}
