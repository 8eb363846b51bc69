//! `moue detector eval`: how many faces a detector finds, and how many that are none.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::ValueEnum;
use moue_detect::evaluate::single::{self, Singles};
use moue_detect::evaluate::{Class, Evaluation, Operating, SHARE_CLASSES};
use moue_detect::labelled::{Part, Photo};
use moue_report::plots::{DetectionCurve, DetectionPlot};
use serde::Serialize;

use super::data::Photos;
use super::{Chosen, Flags};
use crate::console;
use crate::failure::{Failure, Outcome, Result};
use crate::files::Files;
use crate::interrupt;
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
    /// Photos of one face that are turned in steps of 15 degrees, for the table by roll; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 100)]
    turns: usize,
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
    /// Photos of one face, by height of the picture over that of the face.
    by_tightness: Vec<SingleRow>,
    /// Photos of one face, turned clockwise.
    by_roll: Vec<SingleRow>,
    reliability: Vec<ReliabilityRow>,
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
    /// Recall of faces whose height is at least this share of the picture's: share, faces, recall.
    by_share: Vec<(f32, usize, f64)>,
}

/// Photos of one face, by how much of the picture it fills or how far it is turned.
#[derive(Debug, Serialize)]
struct SingleRow {
    /// Height of the picture over that of the face, at least; or degrees by which the photos were turned clockwise.
    from: f32,
    photos: usize,
    /// Share of the photos with exactly one box, in its place.
    exactly_one: f64,
    /// Share of the photos whose face is found.
    found: f64,
    /// Share of the photos with other boxes.
    surplus: f64,
    /// Degrees that the roll of nine in ten faces found is off at most, where the photos were turned.
    #[serde(skip_serializing_if = "Option::is_none")]
    roll_off: Option<f32>,
}

impl SingleRow {
    fn new(from: f32, singles: &Singles, roll_off: Option<f32>) -> Self {
        let share = |part: usize| part as f64 / singles.photos.max(1) as f64;
        Self {
            from,
            photos: singles.photos,
            exactly_one: share(singles.exact),
            found: share(singles.found),
            surplus: share(singles.surplus),
            roll_off,
        }
    }
}

/// Whether scores mean what they say: lower and upper score, boxes, mean score, share of them that are faces.
type ReliabilityRow = (f32, f32, usize, f64, f64);

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
            by_size: rows(&all.by_size(threshold)),
            by_share: rows(&all.by_share(threshold)),
        }
    }
}

fn rows(classes: &[Class]) -> Vec<(f32, usize, f64)> {
    classes.iter().map(|class| (class.from, class.faces, class.recall)).collect()
}

/// What the sets that have faces are called together.
const WITH_FACES: &str = "with faces";

/// Score down to which boxes are asked for, to see what a lower threshold would bring.
const LOWEST: f32 = 0.05;

pub fn run(args: Args) -> Result {
    let mut files = Files::default();
    args.photos.declare(&mut files);
    args.detector.declare(&mut files);
    if let Some(folder) = &args.report {
        files.makes("--report", folder);
        for name in ["precision-recall.png", "detector.json"] {
            files.writes("--report", folder.join(name));
        }
    }
    files.check()?;
    interrupt::end_at_once("nothing was written; run it again")?;
    let threshold = args.detector.threshold;
    // Faces are counted by the root of their area, the search goes by the shorter side: it must not stop short of them.
    let least = NonZeroU32::new(args.detector.min_face.get() * 3 / 5).unwrap_or(NonZeroU32::MIN);
    let flags = Flags { threshold: threshold.min(LOWEST), ..args.detector.clone() };
    let Chosen::Detector { mut detector, name } = flags.choose_down_to(least, args.threads.count())? else {
        return Err(Failure::usage("--detector none looks for nothing that could be measured"));
    };
    let smallest = args.detector.min_face.get() as f32;
    let wanted = |photo: &Photo| args.part.has(photo);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads.count()).build()?;
    let mut measure = |photos: &[Photo]| pool.install(|| Evaluation::of(&mut detector, photos, smallest));
    let portrait_photos = args.photos.portraits(wanted)?;
    let portraits = measure(&portrait_photos)?;
    let streets = measure(&args.photos.streets(wanted)?)?;
    let everyday = measure(&args.photos.everyday(wanted)?)?;
    let empty = measure(&args.photos.backgrounds(wanted)?)?;
    let with_faces = joined([&portraits, &streets, &everyday]);
    let everything = joined([&with_faces, &empty]);
    let mut by_tightness = Vec::new();
    let mut by_roll = Vec::new();
    let everyday_photos = args.photos.everyday(wanted)?;
    if !everyday_photos.is_empty() {
        let classes = pool.install(|| single::by_tightness(&mut detector, &everyday_photos, threshold))?;
        by_tightness = classes.iter().map(|(from, singles)| SingleRow::new(*from, singles, None)).collect();
    }
    if args.turns > 0 {
        let upright: Vec<Photo> = portrait_photos.into_iter().chain(everyday_photos).collect();
        let upright: Vec<Photo> = upright
            .into_iter()
            .filter(|p| single::only_face(p).is_some_and(|f| f.height >= smallest))
            .collect();
        // Evenly from all, as many as were asked for.
        let step = upright.len().div_ceil(args.turns).max(1);
        let some: Vec<Photo> = upright.into_iter().step_by(step).collect();
        for step in 0..24 {
            let degrees = 15.0 * step as f32;
            let result = pool.install(|| single::turned(&mut detector, &some, degrees, threshold))?;
            by_roll.push(SingleRow::new(degrees, &result.singles, result.off_at(0.9)));
        }
    }
    let set = |name, all: &Evaluation| Set::new(name, all, threshold, args.at_precision);
    let report = Report {
        detector: name.clone(),
        threshold,
        at_precision: args.at_precision,
        sets: vec![
            set("portraits", &portraits),
            set("streets", &streets),
            set("everyday", &everyday),
            set(WITH_FACES, &with_faces),
            set("without faces", &empty),
        ],
        by_tightness,
        by_roll,
        reliability: everything
            .reliability()
            .iter()
            .map(|r| (r.scores[0], r.scores[1], r.boxes, r.mean, r.right))
            .collect(),
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
                curve("everyday photos", &everyday),
                curve("all", &with_faces),
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
        let limits: Vec<String> = SHARE_CLASSES.iter().map(|from| format!("{from:>12.2}")).collect();
        text.push_str(&format!(
            "\nrecall by height of the face over that of the picture, from\n{:<14}{}\n",
            "",
            limits.concat()
        ));
        for set in self.sets.iter().filter(|set| set.faces > 0) {
            let cells: Vec<String> = set
                .by_share
                .iter()
                .map(|&(_, faces, recall)| match faces {
                    0 => format!("{:>12}", "-"),
                    _ => format!("{:>12}", format!("{:.1} /{faces}", 100.0 * recall)),
                })
                .collect();
            text.push_str(&format!("{:<14}{}\n", set.name, cells.concat()));
        }
        if !self.by_tightness.is_empty() {
            text.push_str("\neveryday photos of one face, by height of the picture over that of the face\n");
            text.push_str(&singles("from", &self.by_tightness));
        }
        if !self.by_roll.is_empty() {
            text.push_str("\nphotos of one face, turned clockwise by so many degrees\n");
            text.push_str(&singles("degrees", &self.by_roll));
        }
        text.push_str("\nscores: whether they are the share of boxes that are faces\n");
        text.push_str(&format!("{:>13}{:>8}{:>12}{:>8}\n", "score", "boxes", "mean score", "faces"));
        for &(low, high, boxes, mean, right) in self.reliability.iter().filter(|row| row.2 > 0) {
            let range = format!("{low:.2} to {high:.2}");
            text.push_str(&format!("{range:>13}{boxes:>8}{mean:>12.3}{:>8}\n", percent(right)));
        }
        text
    }
}

/// A table of photos of one face.
fn singles(from: &str, rows: &[SingleRow]) -> String {
    let [photos, one, found, more, off] = ["photos", "just one", "found", "more", "roll off, 9 in 10"];
    let mut text = format!("{from:>8}{photos:>8}{one:>10}{found:>10}{more:>10}");
    let rolls = rows.iter().any(|row| row.roll_off.is_some());
    text.push_str(&if rolls { format!("{off:>19}\n") } else { "\n".to_owned() });
    for row in rows {
        let [one, found, more] = [row.exactly_one, row.found, row.surplus].map(percent);
        text.push_str(&format!("{:>8}{:>8}{one:>10}{found:>10}{more:>10}", row.from, row.photos));
        if let Some(off) = row.roll_off {
            text.push_str(&format!("{off:>19.1}"));
        }
        text.push('\n');
    }
    text
}
