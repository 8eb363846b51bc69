//! `moue analyze`: faces and emotions of pictures.

mod batch;
mod output;
mod table;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use moue::{Analyzer, Limits, Model, Picture, Record};
use moue_media::find_pictures;

use crate::commands::detector::{Chosen, Flags};
use crate::console;
use crate::failure::{Failure, Outcome, Result, describe};
use crate::options::{Abstain, Json, Numbers, Threads};
use output::{CsvFile, Pictures};

/// Find the faces of pictures and read their emotions
///
/// Prints a table of the faces of each picture, the largest face first, and writes the picture with a frame and the
/// emotion around each face as NAME.moue.jpg beside it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  moue analyze party.jpg                            a table, and party.moue.jpg
  moue analyze photos/ --out-dir marked/ --json     one JSON object a picture
  moue analyze crops/ --detector none --no-pictures --csv emotions.csv
  moue analyze party.jpg --min-confidence 0.6       says \"uncertain\" rather than guess")]
pub struct Args {
    /// Pictures, and folders in which all pictures are meant
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    json: Json,
    #[command(flatten)]
    detector: Flags,
    /// Model to read emotions with, instead of the one that comes with moue
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Share of a face's side added on each side before its emotion is read, for cascades that frame faces tighter or
    /// wider than usual [default: what the model says]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    crop_margin: Option<f32>,
    #[command(flatten)]
    abstain: Abstain,
    /// Folder for the pictures with frames, made if need be [default: beside each picture]
    #[arg(long, value_name = "DIR", conflicts_with = "no_pictures")]
    out_dir: Option<PathBuf>,
    /// Write no pictures
    #[arg(long)]
    no_pictures: bool,
    /// Write a table of all faces as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    numbers: Numbers,
}

pub fn run(args: Args) -> Result {
    let chosen = args.detector.choose(args.threads.count())?;
    let (model, model_name) = model(args.model.as_deref())?;
    let found = find_pictures(&args.paths);
    let mut outcome = Outcome::Done;
    for failure in &found.failures {
        fail(&mut outcome, describe(failure));
    }
    if found.pictures.is_empty() {
        if found.failures.is_empty() {
            return Err(Failure::message(nothing_to_read(&args.paths, found.own_output.len())));
        }
        return Ok(outcome);
    }
    let detector_name = chosen.name().to_owned();
    let analyzer = analyzer(&args, model, chosen)?;
    console::say(format_args!("moue: faces by {detector_name}, emotions by {model_name}"));
    let csv = args.csv.as_deref().map(|path| CsvFile::create(path, &analyzer.card().labels)).transpose()?;
    let pictures = match args.no_pictures {
        true => None,
        false => Some(Pictures::new(args.out_dir.clone())?),
    };
    let mut job = Job { analyzer, pictures, csv, json: args.json.json, outcome };
    batch::read_ahead(&found.pictures, args.threads.effective(), &Limits::default(), |path, picture| {
        job.picture(path, picture)
    })?;
    if let Some(csv) = job.csv {
        csv.finish()?;
    }
    Ok(job.outcome)
}

fn model(path: Option<&Path>) -> Result<(Model, String)> {
    match path {
        Some(path) => Ok((Model::load(path)?, path.display().to_string())),
        None => Ok((moue::embedded_model()?, "the embedded model".to_owned())),
    }
}

fn analyzer(args: &Args, model: Model, chosen: Chosen) -> Result<Analyzer> {
    let mut builder = Analyzer::builder(model)
        .engine(args.numbers.engine()?)
        .threads(args.threads.count())
        .min_face(args.detector.min_face.get() as f32);
    if let Chosen::Detector { detector, .. } = chosen {
        builder = builder.detector(detector);
    }
    if let Some(margin) = args.crop_margin {
        builder = builder.crop_margin(margin);
    }
    if let Some(confidence) = args.abstain.min_confidence {
        builder = builder.min_confidence(confidence);
    }
    builder.build().map_err(|error| match error {
        moue::Error::Parameter(reason) => Failure::usage(reason),
        error => error.into(),
    })
}

fn nothing_to_read(paths: &[PathBuf], own_output: usize) -> String {
    let paths: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    let paths = paths.join(", ");
    match own_output {
        0 => format!("{paths}: no pictures there"),
        _ => format!("{paths}: no pictures there but those that moue wrote (NAME.moue.jpg)"),
    }
}

/// Names one failure; the rest goes on.
fn fail(outcome: &mut Outcome, what: impl Display) {
    console::say(format_args!("moue: {what}"));
    *outcome = Outcome::PartlyFailed;
}

/// What is done with each picture in turn.
struct Job {
    analyzer: Analyzer,
    pictures: Option<Pictures>,
    csv: Option<CsvFile>,
    json: bool,
    outcome: Outcome,
}

impl Job {
    /// Errors end the whole batch: nobody reads stdout any more, or the CSV file cannot be written.
    fn picture(
        &mut self,
        path: &Path,
        picture: std::result::Result<Picture, moue_media::Error>,
    ) -> Result<()> {
        let mut picture = match picture {
            Ok(picture) => picture,
            Err(error) => {
                fail(&mut self.outcome, describe(&error));
                return Ok(());
            }
        };
        let source = path.display().to_string();
        let record = match self.analyzer.record(source.as_str(), &picture) {
            Ok(record) => record,
            Err(error) => {
                fail(&mut self.outcome, format_args!("{source}: {}", describe(&error)));
                return Ok(());
            }
        };
        // Who reads JSON waits for the answer, which does not depend on the picture.
        if self.json {
            console::print_json(&record)?;
        }
        let written = self.write_picture(path, &mut picture, &record);
        if let Some(csv) = &mut self.csv {
            csv.write(&record)?;
        }
        if self.json { Ok(()) } else { console::print(table::table(&record, written.as_deref())) }
    }

    /// The name of the picture with frames, if one is wanted and could be written.
    fn write_picture(&mut self, path: &Path, picture: &mut Picture, record: &Record) -> Option<PathBuf> {
        let target = self.pictures.as_mut()?.name(path);
        moue::annotate(picture, &record.faces);
        match picture.write(&target) {
            Ok(()) => Some(target),
            Err(error) => {
                fail(&mut self.outcome, describe(&error));
                None
            }
        }
    }
}
