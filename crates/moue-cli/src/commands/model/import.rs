//! `moue model import`: models of other programs as moue model files.

use std::path::PathBuf;

use moue_graph::{Calibration, Model, ModelCard, Precision, Preprocessing, formats};
use serde_json::json;

use crate::console;
use crate::failure::{Failure, Outcome, Result};
use crate::files::Files;

/// Turn a model in TensorFlow.js layers format into a moue model file
///
/// The format holds neither the names of the classes nor how pixels become inputs: both come from these flags.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  moue model import keras_tfjs/ --labels happy,sad,neutral --out keras.safetensors

To train further from such a folder, no import is needed: moue train … --start keras_tfjs/")]
pub struct Args {
    /// Folder with model.json and its weight shards, or the model.json itself
    #[arg(value_name = "TFJS_DIR")]
    source: PathBuf,
    /// Where the model file goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Names of the classes in the order of the network's outputs, separated by commas
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', required = true)]
    labels: Vec<String>,
    /// The inputs that black and white pixels become
    #[arg(long, value_names = ["BLACK", "WHITE"], num_args = 2, default_values_t = [0.0, 1.0], allow_negative_numbers = true)]
    input_range: Vec<f32>,
    /// The network looks at colours; without this flag it gets grey pictures
    #[arg(long)]
    colour: bool,
    /// Licence of the weights, as an SPDX expression or a sentence
    #[arg(long, value_name = "TEXT", default_value = "unknown")]
    licence: String,
}

pub fn run(args: Args) -> Result {
    let mut files = Files::default();
    files.reads_model("TFJS_DIR", &args.source);
    files.writes("--out", &args.out);
    files.check()?;
    let &[black, white] = args.input_range.as_slice() else {
        return Err(Failure::usage("--input-range takes two numbers"));
    };
    if !(black.is_finite() && white.is_finite() && black < white) {
        return Err(Failure::usage(format!(
            "--input-range {black} {white}: two finite numbers, the first below the second"
        )));
    }
    let (graph, weights) = formats::tfjs::read(&args.source)?;
    if graph.output_shape().as_slice() != [args.labels.len()] {
        return Err(Failure::usage(format!(
            "--labels names {} classes, but the outputs of {} have the shape {:?}",
            args.labels.len(),
            args.source.display(),
            graph.output_shape()
        )));
    }
    let card = ModelCard {
        labels: args.labels,
        preprocessing: Preprocessing { grey: !args.colour, scale: (white - black) / 255.0, offset: black },
        crop_margin: 0.0,
        calibration: Calibration::default(),
        licence: args.licence,
        training: json!({ "imported_from": "TensorFlow.js layers model", "name": graph.name() }),
    };
    let model = Model { graph, weights, card };
    model.save(&args.out, Precision::F32)?;
    let (parameters, _) = model.graph.parameter_count();
    console::say(format_args!(
        "{}: {}, {} layers, {parameters} parameters",
        args.out.display(),
        model.graph.name(),
        model.graph.layers().len()
    ));
    Ok(Outcome::Done)
}
