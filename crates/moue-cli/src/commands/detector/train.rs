//! `moue detector train`: from photos with face boxes to the network that finds faces.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use moue_cpu::CpuEngine;
use moue_data::{Exclusions, Limits, ReadOptions, Usage};
use moue_detect::cnn::train::{
    Album, Recipe, RefineRecipe, Refinement, Role, Sources, Training, false_faces,
};
use moue_detect::cnn::{CnnDetector, CnnParameters, GRANULE, Network};
use moue_detect::evaluate::Evaluation;
use moue_detect::labelled::{Part, Photo};
use moue_media::{Grey, Sheet, Tile};

use super::data::Photos;
use super::network;
use crate::console;
use crate::failure::{Failure, Outcome, Result};
use crate::files::Files;
use crate::interrupt;
use crate::options::Threads;
use crate::text::grouped;

/// Train the face detector on scenes composed from photos
///
/// An eighth of the photos, chosen by the bytes of their files, is held out: `moue detector eval` measures on it. On
/// another the scores are calibrated. The run folder keeps a checkpoint from which the same command goes on, and scenes.png, a sample of what is learnt from.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  moue detector train recipes/detector/face.toml --photos faces/ --crops fer2013.csv.bz2 --out face.safetensors")]
pub struct Args {
    /// How to train, in TOML
    #[arg(value_name = "RECIPE")]
    recipe: PathBuf,
    #[command(flatten)]
    photos: Photos,
    /// Face crops as in FER2013, whose training rows are set into scenes
    #[arg(long, value_name = "CSV")]
    crops: Option<PathBuf>,
    /// Rows of the csv to leave out, counted from 0
    #[arg(long, value_name = "FILE", requires = "crops")]
    exclude: Option<PathBuf>,
    /// Network whose weights are the first ones, made by this command [default: random ones]
    #[arg(long, value_name = "FILE")]
    start: Option<PathBuf>,
    /// Where the network goes
    #[arg(long, value_name = "FILE", default_value = "face.safetensors")]
    out: PathBuf,
    /// Folder of the checkpoint [default: --out with the ending .run]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    #[command(flatten)]
    threads: Threads,
}

/// Score of the first network from which the second learns that something is no face.
const CANDIDATE: f32 = 0.08;

/// Score down to which boxes take part in the calibration, and side of the smallest face that does.
const LOWEST: f32 = 0.05;
const SMALLEST: f32 = 20.0;

pub fn run(args: Args) -> Result {
    let folder = args.run.clone().unwrap_or_else(|| args.out.with_extension("run"));
    let mut files = Files::default();
    files.reads("RECIPE", &args.recipe);
    args.photos.declare(&mut files);
    files.reads_any("--crops", &args.crops);
    files.reads_any("--exclude", &args.exclude);
    files.reads_any("--start", &args.start);
    files.writes("--out", &args.out);
    for name in ["last.safetensors", "refine.safetensors", "scenes.png"] {
        files.writes("--run", folder.join(name));
    }
    files.check()?;
    interrupt::end_at_once("the run folder has the last checkpoint; the same command goes on from it")?;
    let text = std::fs::read_to_string(&args.recipe)
        .map_err(|e| Failure::message(format!("{}: {e}", args.recipe.display())))?;
    let recipe: Recipe = toml::from_str(&text).map_err(|e| {
        let line = 1 + text[..e.span().map_or(0, |s| s.start)].matches('\n').count();
        Failure::message(format!("{}:{line}: {}", args.recipe.display(), e.message()))
    })?;
    recipe.check()?;

    let learnt = |photo: &Photo| photo.part() == Part::Training;
    let portraits = args.photos.portraits(learnt)?;
    let streets = args.photos.streets(learnt)?;
    let everyday = args.photos.everyday(learnt)?;
    let backgrounds = args.photos.backgrounds(learnt)?;
    let crops = crops(&args)?;
    console::say(format_args!(
        "{} portraits, {} street photos, {} everyday photos, {} photos without faces, {} crops",
        grouped(portraits.len()),
        grouped(streets.len()),
        grouped(everyday.len()),
        grouped(backgrounds.len()),
        grouped(crops.len())
    ));
    let album = Album::new(&Sources {
        portraits: &portraits,
        streets: &streets,
        everyday: &everyday,
        backgrounds: &backgrounds,
        crops: &crops,
    })?;
    let start = args.start.as_deref().map(network).transpose()?;
    let steps = recipe.steps;
    let threads = args.threads.count();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let mut training =
        Training::open(recipe.clone(), &album, &backgrounds, &CpuEngine, threads, start.as_ref(), &folder)?;
    show_scenes(&album, &recipe, &folder.join("scenes.png"))?;
    if training.step() > 0 {
        console::say(format_args!("goes on after step {}", grouped(training.step() as usize)));
    }
    let (began, first) = (Instant::now(), training.step());
    pool.install(|| {
        training.run(&mut |progress| {
            let rate = (progress.step - first) as f64 / began.elapsed().as_secs_f64();
            console::say(format_args!(
                "step {} of {steps}: loss {:.4}, {} false faces to unlearn, {rate:.2} steps/s",
                progress.step, progress.loss, progress.hard
            ));
            true
        })
    })?;
    let mut network = Network::new(training.weights().clone())?;
    if let Some(refine) = &recipe.refine {
        network = refined(network, refine, &recipe, &album, threads, &folder)?;
    }
    let network = calibrated(network, &args.photos)?;
    let bytes = network.to_bytes()?;
    console::write_file(&args.out, &bytes)?;
    console::say(format_args!("{} holds the network", args.out.display()));
    Ok(Outcome::Done)
}

/// Trains the second network on what the first takes for faces.
fn refined(
    network: Network,
    refine: &RefineRecipe,
    recipe: &Recipe,
    album: &Album,
    threads: usize,
    folder: &Path,
) -> Result<Network> {
    let parameters =
        CnnParameters { threshold: CANDIDATE, smallest_face: SMALLEST, threads, ..CnnParameters::default() };
    let mut detector = CnnDetector::new(Arc::new(network.unrefined()), parameters)?;
    let wrong = false_faces(album, &mut detector)?;
    console::say(format_args!("the second network learns that {} places are no faces", grouped(wrong.len())));
    let mut training =
        Refinement::open(refine.clone(), recipe.seed, album, wrong, &CpuEngine, threads, folder)?;
    let (began, first, steps) = (Instant::now(), training.step(), refine.steps);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.install(|| {
        training.run(&mut |progress| {
            let rate = (progress.step - first) as f64 / began.elapsed().as_secs_f64();
            console::say(format_args!(
                "second network, step {} of {steps}: loss {:.4}, {rate:.2} steps/s",
                progress.step, progress.loss
            ));
            true
        })
    })?;
    Ok(network.refined(training.weights().clone())?)
}

/// Makes the scores of a network the share of right boxes on the photos for that.
fn calibrated(network: Network, photos: &Photos) -> Result<Network> {
    let parameters = CnnParameters { threshold: LOWEST, ..CnnParameters::default() };
    let mut detector = CnnDetector::new(Arc::new(network.clone()), parameters)?;
    let mut all = Evaluation::default();
    let aside = |photo: &Photo| photo.part() == Part::Calibration;
    for photos in [
        photos.portraits(aside)?,
        photos.streets(aside)?,
        photos.everyday(aside)?,
        photos.backgrounds(aside)?,
    ] {
        all.extend(Evaluation::of(&mut detector, &photos, SMALLEST)?);
    }
    match all.calibration() {
        Some((slope, shift)) => Ok(network.calibrated(slope as f32, shift as f32)?),
        None => Ok(network),
    }
}

/// Training rows of FER2013.
fn crops(args: &Args) -> Result<Vec<Grey>> {
    let Some(path) = &args.crops else { return Ok(Vec::new()) };
    let dataset = moue_data::read(path, &ReadOptions::strict())?.dataset;
    let excluded = match &args.exclude {
        Some(path) => Exclusions::read(path, &Limits::default())?.samples(&dataset)?,
        None => Vec::new(),
    };
    let rows = dataset.indices(Usage::Training);
    let rows = rows.into_iter().filter(|row| excluded.binary_search(row).is_err());
    rows.map(|row| Ok(dataset.grey(row)?)).collect()
}

/// A sheet of scenes with the boxes that are taught.
fn show_scenes(album: &Album, recipe: &Recipe, path: &Path) -> Result<()> {
    let sides: Vec<usize> = recipe.shapes.iter().map(|shape| shape[0]).collect();
    let shown = sides.iter().copied().max().unwrap_or(GRANULE) as u32;
    let mut tiles = Vec::new();
    for (i, &side) in (0..24).zip(sides.iter().cycle()) {
        let (pixels, lesson) = album.scene(recipe.seed, 0, i, side, &[])?;
        let grey = Grey::from_raw(side as u32, side as u32, pixels.iter().map(|&v| v as u8).collect());
        let mut picture = grey.ok_or_else(|| Failure::message("a scene of another size"))?.to_picture();
        for t in lesson.targets {
            let colour = match t.role {
                Role::Face { .. } => [0, 220, 0],
                Role::Ignored => [255, 160, 0],
                Role::CutOff => [60, 120, 255],
            };
            super::data::outline(&mut picture, [t.x, t.y, t.width, t.height], t.roll.to_degrees(), colour);
        }
        tiles.push(Tile { picture, caption: Vec::new(), border: [200; 3] });
    }
    let sheet = Sheet { title: "Scenes to learn from".to_owned(), columns: 6, side: shown, tiles };
    sheet.render()?.write(path)?;
    Ok(())
}
