//! `moue model export`: a model file written anew, for where space counts.

use std::path::PathBuf;

use clap::ValueEnum;
use moue_graph::{Model, Precision};

use crate::console;
use crate::failure::{Failure, Outcome, Result};
use crate::files::Files;

/// Write a model file anew, in half the space
///
/// Kernels are rounded to half precision, which changes them by at most 1 part in 2,048; everything else stays as it is.
/// moue computes as before: values become real numbers of 32 bits when the file is read. For a model that computes
/// with integers, see `moue model quantize`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  moue model export mine.safetensors --out small.safetensors")]
pub struct Args {
    /// The model
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Where it goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How kernels are stored
    #[arg(long, value_enum, value_name = "KIND", default_value = "f16")]
    precision: Stored,
}

/// How kernels are stored.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Stored {
    /// In half precision
    F16,
    /// As they are
    F32,
}

pub fn run(args: Args) -> Result {
    let mut files = Files::default();
    files.reads("MODEL", &args.model);
    files.writes("--out", &args.out);
    files.check()?;
    let model = Model::load(&args.model)?;
    if model.weights.quantized().is_some() {
        return Err(Failure::message(format!(
            "{}: its kernels are integers already, which take less space than half precision",
            args.model.display()
        )));
    }
    let precision = match args.precision {
        Stored::F16 => Precision::F16,
        Stored::F32 => Precision::F32,
    };
    model.save(&args.out, precision)?;
    console::say(format_args!("{} holds the model", args.out.display()));
    Ok(Outcome::Done)
}
