//! `moue bench train`: how long a training step takes.

use std::num::NonZeroUsize;

use moue_cpu::peak::Arithmetic;
use moue_graph::Weights;
use moue_graph::engine::{Batch, Optimizer, TrainingOptions};
use serde::Serialize;

use super::floor::{Floor, peak_memory_mb};
use super::timing::{Patience, Timing};
use crate::console;
use crate::failure::{Outcome, Result};
use crate::options::{Architecture, Computing, Json, Threads, non_zero};

/// Measure how long a training step (forward, backward, Adam) takes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  moue bench train --input 96 --batch 24 --threads 2 --json")]
pub struct Args {
    #[command(flatten)]
    architecture: Architecture,
    /// Pictures a step
    #[arg(long, value_name = "N", default_value = "24", value_parser = non_zero(4096))]
    batch: NonZeroUsize,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    computing: Computing,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    json: Json,
}

/// Keys are part of the command's interface: add freely, rename none.
#[derive(Debug, Serialize)]
struct Report<'a> {
    backbone: &'a str,
    alpha: f32,
    input: usize,
    batch: usize,
    threads: usize,
    device: &'a str,
    #[serde(flatten)]
    timing: Timing,
    images_per_second: f64,
    /// What the processor could do at best; for other devices nobody knows it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    floor: Option<Floor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_mb: Option<f64>,
}

pub fn run(args: Args) -> Result {
    let engine = args.computing.learning_engine()?;
    let graph = args.architecture.graph()?;
    let (batch, classes) = (args.batch.get(), args.architecture.classes);
    // Outputs, gradients of inputs and gradients of weights take the same products. That of the pictures is not needed,
    // but is one part in a hundred.
    let multiply_adds = 3 * batch as u64 * graph.multiply_adds();
    let on_processor = engine.name() == "cpu";
    let floor =
        on_processor.then(|| Floor::measure(multiply_adds, Arithmetic::F32, args.threads.effective()));
    let weights = Weights::initialise(&graph, 1);
    let options = TrainingOptions {
        max_batch: batch,
        threads: args.threads.count(),
        optimizer: Optimizer::default(),
        sharpness: 0.0,
        seed: 1,
    };
    let mut session = engine.training(&graph, &weights, &options)?;
    let pictures = super::noise(batch * graph.input_shape().iter().product::<usize>());
    let mut targets = vec![0.0; batch * classes];
    for (i, row) in targets.chunks_exact_mut(classes).enumerate() {
        row[i % classes] = 1.0;
    }
    let examples = Batch { count: batch, pictures: &pictures, targets: &targets, weights: &[] };
    let timing = args.patience.measure(|| {
        session.step(&examples, 1e-4)?;
        Ok(())
    })?;
    let report = Report {
        backbone: graph.name(),
        alpha: args.architecture.alpha,
        input: args.architecture.input,
        batch,
        threads: args.threads.effective(),
        device: engine.name(),
        timing,
        images_per_second: batch as f64 / timing.median_ms * 1e3,
        floor,
        peak_memory_mb: peak_memory_mb(),
    };
    if args.json.json {
        console::print_json(&report)?;
    } else {
        console::print(report.to_text())?;
    }
    Ok(Outcome::Done)
}

impl Report<'_> {
    fn to_text(&self) -> String {
        format!(
            "{} (alpha {}) at {side}x{side}, steps of {}, {}, threads {}\n{} a step\n{}{:.1} pictures a second\n",
            self.backbone,
            self.alpha,
            self.batch,
            self.device,
            self.threads,
            self.timing.to_text(),
            self.floor.as_ref().map_or_else(String::new, |f| f.to_text(self.timing.median_ms) + "\n"),
            self.images_per_second,
            side = self.input,
        )
    }
}
