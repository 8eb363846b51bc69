//! The CPU engine: runs and trains the graphs of `moue-graph` on the processor.
//!
//! Work is cut into pieces whose number and size follow from the shapes alone, never from the
//! number of threads, and partial sums are added in a fixed order: results are the same bits
//! whatever the number of threads.

mod aligned;
mod inference;
mod kernels;
mod lowering;
pub mod peak;
mod pool;
mod simd;
mod team;
mod training;

pub use simd::Level;

use moue_graph::engine::{Engine, InferenceOptions, InferenceSession, TrainingOptions, TrainingSession};
use moue_graph::{Graph, Result, Weights};

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
        Ok(Box::new(inference::Session::new(graph, weights, options)?))
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
