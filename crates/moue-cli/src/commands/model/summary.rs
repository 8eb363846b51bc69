//! `moue model summary`: the layers as a table.

use std::path::PathBuf;

use moue_graph::{Graph, Model, formats};

use crate::console;
use crate::failure::{Outcome, Result};
use crate::options::{Architecture, is_layers_model};

/// Print the layers of a network in the form of Keras' `summary()`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  moue model summary --input 224 --classes 7
  moue model summary --backbone mobilenet_v2 --alpha 0.35 --input 96
  moue model summary mine.safetensors")]
pub struct Args {
    /// A model file, or a folder in TensorFlow.js layers format. Without it, the network is built from the
    /// flags below
    #[arg(conflicts_with_all = ["backbone", "alpha", "input", "classes"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    architecture: Architecture,
}

pub fn run(args: Args) -> Result {
    let graph: Graph = match &args.file {
        None => args.architecture.graph()?,
        Some(path) if is_layers_model(path) => formats::tfjs::read(path)?.0,
        Some(path) => Model::load(path)?.graph,
    };
    console::print(graph.summary())?;
    Ok(Outcome::Done)
}
