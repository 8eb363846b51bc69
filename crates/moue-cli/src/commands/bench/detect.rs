//! `moue bench detect`: how long finding the faces of a picture takes.

use std::path::PathBuf;

use moue::{Limits, read_picture};
use serde::Serialize;

use super::timing::{Patience, Timing};
use crate::commands::detector::{Chosen, Flags};
use crate::console;
use crate::failure::{Failure, Outcome, Result};
use crate::options::{Json, Threads};
use crate::text::counted;

/// Measure how long finding the faces of a picture takes
///
/// Decoding the picture is not measured.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  moue bench detect party.jpg --detector lbp --threads 2 --json")]
pub struct Args {
    /// The picture
    image: PathBuf,
    #[command(flatten)]
    detector: Flags,
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
    image: String,
    width: u32,
    height: u32,
    detector: &'a str,
    threads: usize,
    /// Number of faces found.
    faces: usize,
    #[serde(flatten)]
    timing: Timing,
    megapixels_per_second: f64,
}

pub fn run(args: Args) -> Result {
    let chosen = args.detector.choose(args.threads.count())?;
    let name = chosen.name().to_owned();
    let Chosen::Detector { mut detector, .. } = chosen else {
        return Err(Failure::usage("--detector none looks for nothing that could be measured"));
    };
    let picture = read_picture(&args.image, &Limits::default())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads.count()).build()?;
    let mut faces = 0;
    let timing = args.patience.measure(|| {
        faces = pool.install(|| moue::Detector::detect(&mut detector, &picture))?.len();
        Ok(())
    })?;
    let (width, height) = (picture.width(), picture.height());
    let report = Report {
        image: args.image.display().to_string(),
        width,
        height,
        detector: &name,
        threads: args.threads.effective(),
        faces,
        timing,
        megapixels_per_second: f64::from(width) * f64::from(height) / timing.median_ms / 1e3,
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
            "{} ({}x{}), threads {}, by {}\n{}\n{}, {:.1} megapixels a second\n",
            self.image,
            self.width,
            self.height,
            self.threads,
            self.detector,
            self.timing.to_text(),
            counted(self.faces, "face", "faces"),
            self.megapixels_per_second,
        )
    }
}
