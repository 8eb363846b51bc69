//! `moue model info`: everything a model file says about itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use moue_graph::{Model, Preprocessing};
use serde::Serialize;
use serde_json::Value;

use crate::failure::{Outcome, Result};
use crate::options::Json;
use crate::{console, text};

/// Print what a model file holds: network, labels, preprocessing, licence, how it was trained
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  moue model info                                   the model that comes with moue
  moue model info mine.safetensors
  moue model info mine.safetensors --json | jq .labels")]
pub struct Args {
    /// The model file [default: the model that comes with moue]
    file: Option<PathBuf>,
    #[command(flatten)]
    json: Json,
}

/// Keys are part of the command's interface: add freely, rename none.
#[derive(Debug, Serialize)]
struct Info<'a> {
    file: String,
    bytes: u64,
    format: &'static str,
    /// Types of the stored numbers, for instance `F32`.
    precision: BTreeSet<String>,
    backbone: &'a str,
    layers: usize,
    parameters: usize,
    trainable_parameters: usize,
    /// Height, width, channels.
    input: &'a [usize],
    labels: &'a [String],
    preprocessing: &'a Preprocessing,
    crop_margin: f32,
    temperature: f32,
    licence: &'a str,
    training: &'a Value,
}

pub fn run(args: Args) -> Result {
    let (model, name, bytes, precision) = match &args.file {
        Some(path) => {
            let model = Model::load(path)?;
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            (model, path.display().to_string(), bytes, stored_types(file)?)
        }
        None => {
            let file = moue::embedded_model_file();
            let name = "the embedded model".to_owned();
            (moue::embedded_model()?, name, file.len() as u64, stored_types(file)?)
        }
    };
    let (parameters, trainable_parameters) = model.graph.parameter_count();
    let info = Info {
        file: name,
        bytes,
        format: "moue safetensors",
        precision,
        backbone: model.graph.name(),
        layers: model.graph.layers().len(),
        parameters,
        trainable_parameters,
        input: model.graph.input_shape(),
        labels: &model.card.labels,
        preprocessing: &model.card.preprocessing,
        crop_margin: model.card.crop_margin,
        temperature: model.card.calibration.temperature,
        licence: &model.card.licence,
        training: &model.card.training,
    };
    if args.json.json {
        console::print_json(&info)?;
    } else {
        console::print(info.to_text())?;
    }
    Ok(Outcome::Done)
}

/// The tensor types that the header of a safetensors file names. The file was read as a model before, so that its
/// header is known to be sound.
fn stored_types(mut file: impl Read) -> Result<BTreeSet<String>> {
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let header: serde_json::Map<String, Value> =
        serde_json::from_reader(file.take(u64::from_le_bytes(length)))?;
    Ok(header.values().filter_map(|tensor| Some(tensor.get("dtype")?.as_str()?.to_owned())).collect())
}

impl Info<'_> {
    fn to_text(&self) -> String {
        let sides: Vec<String> = self.input.iter().map(usize::to_string).collect();
        let types: Vec<&str> = self.precision.iter().map(String::as_str).collect();
        let Preprocessing { grey, scale, offset } = self.preprocessing;
        let lines = [
            ("file", format!("{} ({}, {})", self.file, text::bytes(self.bytes), types.join(" and "))),
            ("backbone", format!("{}, {} layers", self.backbone, self.layers)),
            (
                "parameters",
                format!(
                    "{} ({} trainable)",
                    text::grouped(self.parameters),
                    text::grouped(self.trainable_parameters)
                ),
            ),
            ("input", format!("{}, {}", sides.join(" x "), if *grey { "grey" } else { "colour" })),
            ("input range", format!("{offset} (black) to {} (white)", scale * 255.0 + offset)),
            ("labels", self.labels.join(", ")),
            ("crop margin", format!("{} of the face box's side", self.crop_margin)),
            ("temperature", self.temperature.to_string()),
            ("licence", self.licence.to_owned()),
        ];
        let mut out = String::new();
        for (key, value) in lines {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{key:<13} {value}");
        }
        if !self.training.is_null() {
            out.push_str("training\n");
            write_value(&mut out, self.training, 1);
        }
        out
    }
}

/// Free-form JSON as indented lines.
fn write_value(out: &mut String, value: &Value, depth: usize) {
    let Value::Object(entries) = value else {
        let _ = writeln!(out, "{:1$}{2}", "", 2 * depth, plain(value));
        return;
    };
    for (key, value) in entries {
        let indent = 2 * depth;
        match value {
            Value::Object(_) => {
                let _ = writeln!(out, "{:indent$}{key}", "");
                write_value(out, value, depth + 1);
            }
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                let _ = writeln!(out, "{:indent$}{key}: {} entries (--json shows them)", "", items.len());
            }
            Value::String(text) if text.contains('\n') => {
                let _ = writeln!(out, "{:indent$}{key}", "");
                for line in text.lines() {
                    let _ = writeln!(out, "{:indent$}  {line}", "");
                }
            }
            _ => {
                let _ = writeln!(out, "{:indent$}{key}: {}", "", plain(value));
            }
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
