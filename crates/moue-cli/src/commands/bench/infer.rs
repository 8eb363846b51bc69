//! `moue bench infer`: how long a network takes to answer.

use std::num::NonZeroUsize;

use moue_cpu::CpuEngine;
use moue_cpu::peak::Arithmetic;
use moue_graph::Weights;
use moue_graph::engine::{Engine, InferenceOptions};
use serde::Serialize;

use super::floor::{Floor, peak_memory_mb};
use super::timing::{Patience, Timing};
use crate::console;
use crate::failure::{Outcome, Result};
use crate::options::{Architecture, Json, Threads};

/// Measure how long a network takes to answer for a batch of pictures
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  moue bench infer --input 96 --batch 1 --threads 2 --json")]
pub struct Args {
    #[command(flatten)]
    architecture: Architecture,
    /// Pictures a call
    #[arg(long, value_name = "N", default_value = "1")]
    batch: NonZeroUsize,
    /// Type of the numbers that the network computes with
    #[arg(long, value_name = "TYPE", value_parser = ["f32"], default_value = "f32")]
    precision: String,
    #[command(flatten)]
    threads: Threads,
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
    precision: &'a str,
    #[serde(flatten)]
    timing: Timing,
    images_per_second: f64,
    #[serde(flatten)]
    floor: Floor,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_mb: Option<f64>,
}

pub fn run(args: Args) -> Result {
    let graph = args.architecture.graph()?;
    let batch = args.batch.get();
    let floor =
        Floor::measure(batch as u64 * graph.multiply_adds(), Arithmetic::F32, args.threads.effective());
    let weights = Weights::initialise(&graph, 1);
    let options = InferenceOptions { max_batch: batch, threads: args.threads.count() };
    let mut session = CpuEngine.inference(&graph, &weights, &options)?;
    let pictures = super::noise(batch * graph.input_shape().iter().product::<usize>());
    let mut logits = vec![0.0; batch * args.architecture.classes];
    let timing = args.patience.measure(|| Ok(session.logits(&pictures, batch, &mut logits)?))?;
    let report = Report {
        backbone: graph.name(),
        alpha: args.architecture.alpha,
        input: args.architecture.input,
        batch,
        threads: args.threads.effective(),
        precision: &args.precision,
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
            "{} (alpha {}) at {side}x{side}, batch {}, threads {}, {}\n{}\n{}\n{:.1} pictures a second\n",
            self.backbone,
            self.alpha,
            self.batch,
            self.threads,
            self.precision,
            self.timing.to_text(),
            self.floor.to_text(self.timing.median_ms),
            self.images_per_second,
            side = self.input,
        )
    }
}
