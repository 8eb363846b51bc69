//! `moue detector train-cascade`: from face crops and photos to an LBP cascade in OpenCV's XML.

use std::path::PathBuf;
use std::time::Instant;

use moue_data::{Dataset, Limits, ReadOptions, Usage, ferplus};
use moue_detect::cascade::train::{Material, Progress, TrainParameters, train};
use moue_detect::labelled::Photo;
use moue_media::Grey;

use super::data::Photos;
use crate::console;
use crate::failure::{Failure, Outcome, Result};
use crate::files::Files;
use crate::interrupt;
use crate::options::Threads;
use crate::text::grouped;

/// Train an LBP cascade that moue and OpenCV can load
///
/// Faces are training rows of FER2013 whose emotion FER+'s annotators agree on, and four fifths of the portraits; windows
/// without faces are mined, stage by stage, in the photos without faces. The cascade is written after each stage. The same
/// data and seed give the same file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  moue detector train-cascade --photos faces/ --crops fer2013.csv.bz2 --ferplus fer2013new.csv --out faces.xml")]
pub struct Args {
    #[command(flatten)]
    photos: Photos,
    /// Face crops as in FER2013, whose training rows are used
    #[arg(long, value_name = "CSV")]
    crops: PathBuf,
    /// Votes of FER+ for the same rows: only faces that its annotators agree on are used
    #[arg(long, value_name = "CSV")]
    ferplus: PathBuf,
    /// Where the cascade goes, in OpenCV's XML
    #[arg(long, value_name = "FILE.xml", default_value = "cascade.xml")]
    out: PathBuf,
    /// Stages at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    stages: usize,
    /// Windows without faces that each stage learns from
    #[arg(long, value_name = "N", default_value_t = 7000)]
    negatives: usize,
    /// Seed of all random choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    threads: Threads,
}

/// How many crops are used, each once: of a random choice of so many candidates those most like the mean of all.
const CROPS: usize = 5000;
const CANDIDATES: usize = 10_000;

/// Votes of ten for one emotion that make annotators agree.
const AGREED: u8 = 5;

pub fn run(args: Args) -> Result {
    let mut files = Files::default();
    args.photos.declare(&mut files);
    files.reads("--crops", &args.crops);
    files.reads("--ferplus", &args.ferplus);
    files.writes("--out", &args.out);
    files.check()?;
    interrupt::end_at_once("--out has the stages that are done")?;
    let start = Instant::now();
    let parameters = TrainParameters {
        stages: args.stages,
        negatives: args.negatives,
        min_hit_rate: 0.996,
        max_false_alarm: 0.5,
        feature_share: 0.25,
        seed: args.seed,
        ..TrainParameters::default()
    };
    let mut dataset = moue_data::read(&args.crops, &ReadOptions::strict())?.dataset;
    ferplus::Table::read(&args.ferplus, &Limits::default())?.lay_beside(&mut dataset)?;
    let mut material = Material::new(args.seed);
    let chosen = material.choose(agreed(&dataset), CANDIDATES);
    let crops =
        chosen.into_iter().map(|row| dataset.grey(row)).collect::<std::result::Result<Vec<Grey>, _>>()?;
    drop(dataset);
    let mut faces = material.of_crops(crops, CROPS)?;
    let of_crops = faces.len();
    faces.extend(material.of_portraits(&pictures(args.photos.portraits(|_| true)?))?);
    let backgrounds = pictures(args.photos.backgrounds(|_| true)?);
    console::say(format_args!(
        "{} faces of crops, {} of portraits, {} photos without faces, read in {:.0} s",
        grouped(of_crops),
        grouped(faces.len() - of_crops),
        grouped(backgrounds.len()),
        start.elapsed().as_secs_f64()
    ));

    let comment = format!(
        "LBP face cascade, trained by `moue detector train-cascade` with seed {} on {} faces\nand windows of {} pictures \
         without faces.",
        args.seed,
        faces.len(),
        backgrounds.len()
    );
    let mut saved = Ok(());
    let mut stages = 0;
    let mut report = |progress: Progress| {
        if let Progress::Stage { stage, trees, hit_rate, false_alarm, mined_rate, cascade } = progress {
            stages = stage + 1;
            console::say(format_args!(
                "stage {stages:2}: {trees:3} trees let {hit_rate:.4} of the faces and {false_alarm:.4} of the mined windows \
                 pass; one window in {:.0} was mined; {:.0} s",
                1.0 / mined_rate,
                start.elapsed().as_secs_f64()
            ));
            // Each stage, so that a run which is broken off leaves what it has.
            saved = cascade.save(&args.out, &comment);
        }
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads.count()).build()?;
    pool.install(|| train(&faces, &backgrounds, &parameters, &mut report))?;
    saved?;
    if stages == 0 {
        return Err(Failure::message("the photos without faces yield too few windows for a first stage"));
    }
    console::say(format_args!("{} holds {stages} stages", args.out.display()));
    Ok(Outcome::Done)
}

/// Training rows whose emotion at least half of the annotators agree on, and that none calls "unknown" or "not a face".
fn agreed(dataset: &Dataset) -> Vec<usize> {
    let is_clear = |&row: &usize| {
        dataset.votes(row).is_some_and(|votes| {
            let [emotions @ .., unknown, no_face] = votes.counts();
            unknown == 0 && no_face == 0 && emotions.iter().any(|&n| n >= AGREED)
        })
    };
    dataset.indices(Usage::Training).into_iter().filter(is_clear).collect()
}

fn pictures(photos: Vec<Photo>) -> Vec<Grey> {
    photos.into_iter().map(|photo| photo.picture).collect()
}
