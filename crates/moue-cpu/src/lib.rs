//! The CPU engine: runs and trains the graphs of `moue-graph` on the processor.
//!
//! Work is cut into pieces whose number and size follow from the shapes alone, never from the
//! number of threads, and partial sums are added in a fixed order: results are the same bits
//! whatever the number of threads.

mod aligned;
mod batch;
mod inference;
mod kernels;
mod lockstep;
mod lowering;
pub mod peak;
mod quantized;
mod simd;
mod team;
mod training;

pub use quantized::calibration::{Calibrator, quantize};
pub use simd::Level;

use moue_graph::engine::{Engine, InferenceOptions, InferenceSession, TrainingOptions, TrainingSession};
use moue_graph::{Error, Graph, Result, Weights};

/// The engine; it has no state of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuEngine;

impl Engine for CpuEngine {
    fn name(&self) -> &str {
        "cpu"
    }

    fn inference(
        &self,
        graph: &Graph,
        weights: &Weights,
        options: &InferenceOptions,
    ) -> Result<Box<dyn InferenceSession>> {
        match weights.quantized() {
            Some(quantized) => Ok(Box::new(quantized::Session::new(graph, quantized, options)?)),
            None => Ok(Box::new(inference::Session::new(graph, weights, options, false)?)),
        }
    }

    fn training(
        &self,
        graph: &Graph,
        weights: &Weights,
        options: &TrainingOptions,
    ) -> Result<Box<dyn TrainingSession>> {
        Ok(Box::new(training::Session::new(graph, weights, options)?))
    }
}

/// The engine with inference in bf16 (the upper half of an f32): half the memory traffic and, where the processor
/// has AVX512-BF16, twice the multiply-adds. Sums stay f32. Integers and training
/// are those of [`CpuEngine`].
#[derive(Clone, Copy, Debug)]
pub struct Bf16Engine(());

impl Bf16Engine {
    /// An error where this processor cannot multiply bf16.
    pub fn new() -> Result<Self> {
        if simd::has_bf16() {
            Ok(Self(()))
        } else {
            Err(Error::Engine(
                "bf16 needs a processor with AVX512-BF16 (AMD from Zen 4, Intel from Cooper Lake)".into(),
            ))
        }
    }
}

impl Engine for Bf16Engine {
    fn name(&self) -> &str {
        "cpu-bf16"
    }

    fn inference(
        &self,
        graph: &Graph,
        weights: &Weights,
        options: &InferenceOptions,
    ) -> Result<Box<dyn InferenceSession>> {
        if weights.quantized().is_some() {
            return CpuEngine.inference(graph, weights, options);
        }
        Ok(Box::new(inference::Session::new(graph, weights, options, true)?))
    }

    fn training(
        &self,
        graph: &Graph,
        weights: &Weights,
        options: &TrainingOptions,
    ) -> Result<Box<dyn TrainingSession>> {
        CpuEngine.training(graph, weights, options)
    }
}
