//! `moue model quantize`: a model in 8-bit integers.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use moue_cpu::Calibrator;
use moue_data::{Dataset, Exclusions, Limits, Numbering, ReadOptions, Usage};
use moue_graph::{Model, Precision};
use moue_train::augment::{Scratch, Source, Target, Transform, render};
use serde_json::{Value, json};

use crate::failure::{Failure, Outcome, Result};
use crate::files::Files;
use crate::options::{Threads, non_zero};
use crate::text;
use crate::{console, interrupt};

/// Round a model to 8-bit integers, which answer several times faster
///
/// Which range of values each layer needs is measured on Training pictures; PublicTest and PrivateTest are not
/// looked at. The result is a model file for every command but train. How much accuracy it costs, moue eval tells.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  moue model quantize mine.safetensors --data fer2013.csv --out mine.int8.safetensors
  moue eval fer2013.csv --model mine.int8.safetensors")]
pub struct Args {
    /// The model file
    model: PathBuf,
    /// fer2013.csv, plain or packed, or a folder of pictures per class
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Rows of the csv to leave out, counted from 0: a column `line` or `row`, or numbers alone
    #[arg(long, value_name = "FILE")]
    exclude: Option<PathBuf>,
    /// Whose numbers the classes have: fer2013, ckplus, affectnet or raf-db
    #[arg(long, value_name = "WHOSE")]
    class_numbers: Option<Numbering>,
    /// Where the int8 model file goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Training pictures to measure ranges on, taken evenly from all of them
    #[arg(long, value_name = "N", default_value = "1024", value_parser = non_zero(1_000_000))]
    pictures: NonZeroUsize,
    #[command(flatten)]
    threads: Threads,
}

/// Pictures whose activations are in memory at a time.
const BATCH: usize = 16;

pub fn run(args: Args) -> Result {
    let mut files = Files::default();
    files.reads("MODEL", &args.model);
    files.reads_data("--data", &args.data);
    files.reads_any("--exclude", &args.exclude);
    files.writes("--out", &args.out);
    files.check()?;
    interrupt::end_at_once("no model was written; run it again")?;
    let mut model = Model::load(&args.model)?;
    let in_model = |e: moue_graph::Error| Failure::message(format!("{}: {e}", args.model.display()));
    let mut calibrator =
        Calibrator::new(&model.graph, &model.weights, args.threads.count()).map_err(in_model)?;
    let options = ReadOptions { numbering: args.class_numbers, ..ReadOptions::strict() };
    let dataset = moue_data::read(&args.data, &options)?.dataset;
    let chosen = choose(&dataset, args.exclude.as_deref(), args.pictures.get())?;
    let target = Target::new(model.graph.input_shape(), &model.card.preprocessing)?;
    let side = dataset.side() as usize;
    let mut scratch = Scratch::default();
    let mut pictures = vec![0.0; target.len() * BATCH];
    for indices in chosen.chunks(BATCH) {
        for (&index, out) in indices.iter().zip(pictures.chunks_exact_mut(target.len())) {
            let source = Source::new(dataset.pixels(index), side)?;
            render(source, &Transform::NONE, &target, &mut scratch, out)?;
        }
        calibrator.watch(&pictures[..indices.len() * target.len()], indices.len())?;
    }
    model.weights = calibrator.finish()?;
    note(&mut model.card.training, &args, dataset.source(), chosen.len());
    model.save(&args.out, Precision::F32)?;
    let (before, after) = (std::fs::metadata(&args.model)?.len(), std::fs::metadata(&args.out)?.len());
    console::say(format_args!(
        "{}: int8, {} (before: {}), ranges from {}",
        args.out.display(),
        text::bytes(after),
        text::bytes(before),
        text::counted(chosen.len(), "Training picture", "Training pictures"),
    ));
    Ok(Outcome::Done)
}

/// Training pictures, evenly from all that are not left out.
fn choose(dataset: &Dataset, exclude: Option<&Path>, count: usize) -> Result<Vec<usize>> {
    let mut all = dataset.indices(Usage::Training);
    if let Some(path) = exclude {
        let excluded = Exclusions::read(path, &Limits::default())?.samples(dataset)?;
        all.retain(|index| excluded.binary_search(index).is_err());
    }
    if all.is_empty() {
        return Err(Failure::message(format!(
            "{}: no pictures of Training to measure ranges on",
            dataset.source()
        )));
    }
    let count = count.min(all.len());
    Ok((0..count).map(|i| all[i * all.len() / count]).collect())
}

/// Says in the model file where its integers are from.
fn note(training: &mut Value, args: &Args, data: &str, pictures: usize) {
    let entry = json!({
        "model": args.model.display().to_string(),
        "data": data,
        "usage": Usage::Training.to_string(),
        "pictures": pictures,
        "method": "post-training, int8 kernels of a scale per channel, u8 activations of a range per layer with \
                   the least squared error, biases corrected for rounded kernels",
    });
    if !training.is_object() {
        // What was there is free-form; keep it.
        *training = json!({ "training": training.take() });
    }
    if let Some(entries) = training.as_object_mut() {
        entries.insert("quantization".to_owned(), entry);
    }
}
