//! `moue bench infer`: how long a network takes to answer.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use moue_cpu::peak::Arithmetic;
use moue_cpu::{Bf16Engine, Calibrator, CpuEngine};
use moue_graph::engine::{Engine, InferenceOptions};
use moue_graph::{Model, Weights};
use serde::Serialize;

use super::floor::{Floor, peak_memory_mb};
use super::timing::{Patience, Timing};
use crate::console;
use crate::failure::{Outcome, Result};
use crate::options::{Architecture, Json, Threads, non_zero};

/// Measure how long a network takes to answer for a batch of pictures
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  moue bench infer --input 96 --batch 1 --threads 2 --json
  moue bench infer --input 96 --batch 32 --precision int8")]
pub struct Args {
    #[command(flatten)]
    architecture: Architecture,
    /// A model file, instead of a network built from the flags above
    #[arg(long, value_name = "FILE", conflicts_with_all = ["backbone", "alpha", "input", "classes"])]
    model: Option<PathBuf>,
    /// Pictures a call
    #[arg(long, value_name = "N", default_value = "1", value_parser = non_zero(4096))]
    batch: NonZeroUsize,
    /// Type of the numbers that the network computes with
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    precision: Precision,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    json: Json,
}

/// Pictures that ranges are measured on, at most.
const CALIBRATION: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Precision {
    F32,
    Bf16,
    Int8,
}

impl Precision {
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    fn arithmetic(self) -> Arithmetic {
        match self {
            Self::F32 => Arithmetic::F32,
            Self::Bf16 => Arithmetic::Bf16,
            Self::Int8 => Arithmetic::Int8,
        }
    }
}

/// Keys are part of the command's interface: add freely, rename none.
#[derive(Debug, Serialize)]
struct Report<'a> {
    backbone: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpha: Option<f32>,
    input: usize,
    batch: usize,
    threads: usize,
    precision: Precision,
    #[serde(flatten)]
    timing: Timing,
    images_per_second: f64,
    #[serde(flatten)]
    floor: Floor,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_mb: Option<f64>,
}

pub fn run(args: Args) -> Result {
    let (graph, mut weights) = match &args.model {
        Some(path) => {
            let model = Model::load(path)?;
            (model.graph, model.weights)
        }
        None => {
            let graph = args.architecture.graph()?;
            let weights = Weights::initialise(&graph, 1);
            (graph, weights)
        }
    };
    let batch = args.batch.get();
    // Integers are computed with as such, whatever is asked for.
    let precision = if weights.quantized().is_some() { Precision::Int8 } else { args.precision };
    let arithmetic = precision.arithmetic();
    let floor = Floor::measure(batch as u64 * graph.multiply_adds(), arithmetic, args.threads.effective());
    let options = InferenceOptions { max_batch: batch, threads: args.threads.count() };
    let pictures = super::noise(batch * graph.input_shape().iter().product::<usize>());
    if precision == Precision::Int8 && weights.quantized().is_none() {
        // Ranges of random pictures: they change the numbers, not the time.
        let mut calibrator = Calibrator::new(&graph, &weights, args.threads.count())?;
        let count = batch.min(CALIBRATION);
        calibrator.watch(&pictures[..pictures.len() / batch * count], count)?;
        weights = calibrator.finish()?;
    }
    let engine: Box<dyn Engine> = match precision {
        Precision::Bf16 => Box::new(Bf16Engine::new()?),
        Precision::F32 | Precision::Int8 => Box::new(CpuEngine),
    };
    let mut session = engine.inference(&graph, &weights, &options)?;
    let mut logits = vec![0.0; batch * graph.output_shape().iter().product::<usize>()];
    let timing = args.patience.measure(|| Ok(session.logits(&pictures, batch, &mut logits)?))?;
    let report = Report {
        backbone: graph.name(),
        alpha: args.model.is_none().then_some(args.architecture.alpha),
        input: graph.input_shape().first().copied().unwrap_or_default(),
        batch,
        threads: args.threads.effective(),
        precision,
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
            "{}{} at {side}x{side}, batch {}, threads {}, {}\n{}\n{}\n{:.1} pictures a second\n",
            self.backbone,
            self.alpha.map_or_else(String::new, |alpha| format!(" (alpha {alpha})")),
            self.batch,
            self.threads,
            self.precision.name(),
            self.timing.to_text(),
            self.floor.to_text(self.timing.median_ms),
            self.images_per_second,
            side = self.input,
        )
    }
}
