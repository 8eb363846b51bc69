//! `moue detector eval`: how many faces a detector finds, and how many that are none.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::ValueEnum;
use moue_detect::evaluate::{Evaluation, Operating};
use moue_detect::labelled::{Part, Photo, read_photos};
use moue_report::plots::{DetectionCurve, DetectionPlot};
use serde::Serialize;

use super::data::Photos;
use super::{Chosen, Flags};
use crate::console;
use crate::failure::{Failure, Outcome, Result};
use crate::options::{Json, Threads};
use crate::text::percent;

/// Measure a detector on photos with face boxes that training never saw
///
/// A box has found a face where intersection over union reaches a half. Faces smaller than --min-face count neither
/// way. Photos without faces are measured apart.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  moue detector eval --photos faces/ --min-face 20
  moue detector eval --photos faces/ --detector lbp --report out/")]
pub struct Args {
    #[command(flatten)]
    photos: Photos,
    #[command(flatten)]
    detector: Flags,
    /// Which photos to measure on
    #[arg(long, value_enum, value_name = "PART", default_value = "held-out")]
    part: Which,
    /// Share of right boxes for which the highest recall of any threshold is told
    #[arg(long, value_name = "X", default_value_t = 0.93, value_parser = share)]
    at_precision: f64,
    /// Folder for precision over recall as a picture, and the boxes that were wrong
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    json: Json,
}

/// Photos by what `moue detector train` does with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// The eighth that training never sees
    HeldOut,
    /// The eighth on which scores are calibrated, for choosing settings
    Calibration,
    /// Every photo, those that training saw among them
    All,
}

impl Which {
    fn has(self, photo: &Photo) -> bool {
        match self {
            Self::HeldOut => photo.part() == Part::HeldOut,
            Self::Calibration => photo.part() == Part::Calibration,
            Self::All => true,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::HeldOut => "held-out photos",
            Self::Calibration => "photos of calibration",
            Self::All => "all photos",
        }
    }
}

/// Keys are part of the command's interface: add freely, rename none.
#[derive(Debug, Serialize)]
struct Report {
    detector: String,
    threshold: f32,
    /// What `best` of each set is for.
    at_precision: f64,
    sets: Vec<Set>,
    /// Slope and shift that would make scores the share of right boxes.
    calibration: Option<(f64, f64)>,
}

#[derive(Debug, Serialize)]
struct Set {
    name: &'static str,
    photos: usize,
    faces: usize,
    recall: f64,
    precision: f64,
    average_precision: f64,
    /// The threshold that finds most faces at this precision or a higher one, if any does.
    best: Option<Best>,
    false_faces: usize,
    /// Recall of faces from so many pixels a side on: pixels, faces, recall.
    by_size: Vec<(f32, usize, f64)>,
}

/// Recall read off the curve, at a precision that was asked for.
#[derive(Debug, Serialize)]
struct Best {
    recall: f64,
    precision: f64,
    threshold: f32,
}

impl Set {
    fn new(name: &'static str, all: &Evaluation, threshold: f32, at_precision: f64) -> Self {
        let Operating { recall, precision, false_faces, .. } = all.at(threshold);
        Self {
            name,
            photos: all.photos,
            faces: all.faces.len(),
            recall,
            precision,
            average_precision: all.average_precision(),
            best: all.most_at(at_precision).map(|at| Best {
                recall: at.recall,
                precision: at.precision,
                threshold: at.threshold,
            }),
            false_faces: (false_faces * all.photos as f64).round() as usize,
            by_size: all.by_size(threshold),
        }
    }
}

/// What the sets that have faces are called together.
const WITH_FACES: &str = "with faces";

/// Score down to which boxes are asked for, to see what a lower threshold would bring.
const LOWEST: f32 = 0.05;

pub fn run(args: Args) -> Result {
    let threshold = args.detector.threshold;
    // Faces are counted by the root of their area, the search goes by the shorter side: it must not stop short of them.
    let least = NonZeroU32::new(args.detector.min_face.get() * 3 / 5).unwrap_or(NonZeroU32::MIN);
    let flags = Flags { threshold: threshold.min(LOWEST), min_face: least, ..args.detector.clone() };
    let Chosen::Detector { mut detector, name } = flags.choose(args.threads.count())? else {
        return Err(Failure::usage("--detector none looks for nothing that could be measured"));
    };
    let smallest = args.detector.min_face.get() as f32;
    let photos = |path: PathBuf| -> Result<Vec<Photo>> {
        Ok(read_photos(&path)?.into_iter().filter(|photo| args.part.has(photo)).collect())
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads.count()).build()?;
    let mut measure = |photos: &[Photo]| pool.install(|| Evaluation::of(&mut detector, photos, smallest));
    let portraits = measure(&photos(args.photos.portraits())?)?;
    let streets = measure(&photos(args.photos.streets())?)?;
    let empty = measure(&photos(args.photos.backgrounds())?)?;
    let with_faces = joined([&portraits, &streets]);
    let everything = joined([&portraits, &streets, &empty]);
    let set = |name, all: &Evaluation| Set::new(name, all, threshold, args.at_precision);
    let report = Report {
        detector: name.clone(),
        threshold,
        at_precision: args.at_precision,
        sets: vec![
            set("portraits", &portraits),
            set("streets", &streets),
            set(WITH_FACES, &with_faces),
            set("without faces", &empty),
        ],
        calibration: everything.calibration(),
    };
    if let Some(folder) = &args.report {
        std::fs::create_dir_all(folder)
            .map_err(|e| Failure::message(format!("{}: {e}", folder.display())))?;
        let curve = |name: &str, all: &Evaluation| {
            let at = all.at(threshold);
            DetectionCurve {
                name: name.to_owned(),
                points: all.curve().iter().map(|p| [p.recall, p.precision]).collect(),
                mark: Some([at.recall, at.precision]),
            }
        };
        let plot = DetectionPlot {
            title: format!("Faces found by {name}"),
            subtitle: format!(
                "{}, faces of {smallest:.0} pixels and more; dots: threshold {threshold}",
                args.part.name()
            ),
            curves: vec![
                curve("photos of one person", &portraits),
                curve("street photos", &streets),
                curve("both", &with_faces),
            ],
        };
        plot.render().write(&folder.join("precision-recall.png"))?;
        let text = serde_json::to_vec_pretty(&report)?;
        console::write_file(&folder.join("detector.json"), &text)?;
    }
    if args.json.json {
        console::print_json(&report)?;
    } else {
        console::print(report.to_text())?;
    }
    Ok(Outcome::Done)
}

fn share(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

fn joined<const N: usize>(parts: [&Evaluation; N]) -> Evaluation {
    let mut all = Evaluation::default();
    parts.into_iter().for_each(|part| all.extend(part.clone()));
    all
}

impl Report {
    fn to_text(&self) -> String {
        let mut text = format!("{}, scores from {}\n\n", self.detector, self.threshold);
        let head = ["photos", "", "faces", "recall", "precision", "AP", "false", "best"];
        let ([a, b, c, d, e, f, g, h], i) = (head, "recall from 20, 32, 64, 128 px");
        text.push_str(&format!("{a:<14}{b:>6}{c:>7}{d:>9}{e:>11}{f:>8}{g:>7}{h:>9}   {i}\n"));
        for set in &self.sets {
            let sizes: Vec<String> = set
                .by_size
                .iter()
                .map(
                    |&(_, faces, recall)| {
                        if faces == 0 { "-".to_owned() } else { format!("{} of {faces}", percent(recall)) }
                    },
                )
                .collect();
            text.push_str(&format!(
                "{:<14}{:>6}{:>7}{:>9}{:>11}{:>8}{:>7}{:>9}   {}\n",
                set.name,
                set.photos,
                set.faces,
                percent(set.recall),
                percent(set.precision),
                percent(set.average_precision),
                set.false_faces,
                set.best.as_ref().map_or("-".to_owned(), |best| percent(best.recall)),
                sizes.join(", ")
            ));
        }
        let (precision, both) =
            (percent(self.at_precision), self.sets.iter().find(|set| set.name == WITH_FACES));
        text.push_str(&format!(
            "\nbest: recall of the threshold that finds most at a precision of {precision}"
        ));
        if let Some(best) = both.and_then(|set| set.best.as_ref()) {
            text.push_str(&format!("; {:.2} for all {WITH_FACES}", best.threshold));
        }
        text.push('\n');
        text
    }
}
