//! Trains the LBP face cascade that moue carries, `models/lbp_face.xml`; written anew after each stage.
//!
//! Faces are FER2013's Training rows (those that the FER+ annotators agree to be faces) and four fifths of
//! the `lfw-train` photos; every fifth photo, in the order of names, is held out for measuring. Windows
//! without faces come from `negatives-train.tar`. See `models/lbp_face.md` for the command and its result.
//!
//!     train_lbp_face FER2013.csv FER2013NEW.csv FACES_FOLDER OUT.xml [SEED]

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use moue_detect::cascade::train::{Progress, TrainParameters, train};
use moue_media::Grey;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

type Failure = Box<dyn std::error::Error>;

/// Side of the window in pixels.
const SIDE: u32 = 24;
/// FER2013's pictures are this wide and high; the window sees all of them.
const FER_SIDE: u32 = 48;
/// How many FER2013 faces are used, each once: of a random choice of so many candidates those most like the mean
/// of all, which leaves out profiles, covered faces and drawings.
const FER_FACES: usize = 5000;
const FER_CANDIDATES: usize = 10_000;
/// How often each photo of Labeled Faces in the Wild is used.
const LFW_COPIES: usize = 3;
/// Centre and side of the square in these photos (250 pixels, faces aligned) whose mean looks most like
/// FER2013's mean face: correlation 0.92.
const LFW_SQUARE: Square = Square { x: 125.0, y: 126.0, side: 120.0 };
/// Every how many photos one is held out.
const HELD_OUT: usize = 5;

#[derive(Clone, Copy)]
struct Square {
    x: f32,
    y: f32,
    side: f32,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("train_lbp_face: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stderr, reason = "a program reports on the way")]
fn say(message: &str) {
    eprintln!("{message}");
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let [fer, votes, folder, out, rest @ ..] = arguments else {
        return Err("expected FER2013.csv FER2013NEW.csv FACES_FOLDER OUT.xml [SEED]".into());
    };
    let seed = rest.first().map_or(Ok(1), |seed| seed.parse())?;
    let folder = Path::new(folder);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let start = Instant::now();

    let mut positives = fer_faces(Path::new(fer), Path::new(votes), &mut random)?;
    let fer_count = positives.len();
    positives.extend(lfw_faces(&folder.join("lfw-train.tar"), &mut random)?);
    let negatives: Vec<Grey> =
        pictures(&folder.join("negatives-train.tar"))?.into_iter().map(|(_, p)| p).collect();
    say(&format!(
        "{fer_count} faces of FER2013, {} of Labeled Faces in the Wild, {} pictures without faces, {:.0} s",
        positives.len() - fer_count,
        negatives.len(),
        start.elapsed().as_secs_f64()
    ));

    let parameters = TrainParameters {
        stages: 20,
        min_hit_rate: 0.996,
        max_false_alarm: 0.5,
        negatives: 7000,
        feature_share: 0.25,
        seed,
        ..TrainParameters::default()
    };
    let comment = format!(
        "LBP face cascade of moue, trained by examples/train_lbp_face.rs with seed {seed}\non {} faces and windows of \
         {} pictures without faces; see lbp_face.md beside this file.",
        positives.len(),
        negatives.len()
    );
    let mut saved = Ok(());
    let mut report = |progress: Progress| {
        if let Progress::Stage { stage, trees, hit_rate, false_alarm, mined_rate, cascade } = progress {
            say(&format!(
                "stage {stage:2}: {trees:3} trees, {hit_rate:.4} of the faces and {false_alarm:.4} of the mined windows \
                 pass; one window in {:.0} was mined; {:.0} s",
                1.0 / mined_rate,
                start.elapsed().as_secs_f64()
            ));
            // Each stage, so that a run which is broken off leaves what it has.
            saved = cascade.save(Path::new(out), &comment);
        }
    };
    train(&positives, &negatives, &parameters, &mut report)?;
    Ok(saved?)
}

/// Cuts faces out of the Training rows: a random choice of those that at least half of the annotators agree
/// on and none calls "not a face".
fn fer_faces(table: &Path, votes: &Path, random: &mut ChaCha8Rng) -> Result<Vec<Grey>, Failure> {
    let mut agreed = Vec::new();
    for (row, line) in BufReader::new(File::open(votes)?).lines().skip(1).enumerate() {
        let line = line?;
        let fields: Vec<&str> = line.split(',').collect();
        let [usage, name, emotions @ .., unknown, no_face] = fields.as_slice() else {
            return Err(format!("{}:{}: too few columns", votes.display(), row + 2).into());
        };
        let best = emotions.iter().filter_map(|votes| votes.parse::<u32>().ok()).max().unwrap_or(0);
        if *usage == "Training" && !name.is_empty() && *no_face == "0" && *unknown == "0" && best >= 5 {
            agreed.push(row);
        }
    }
    shuffle(&mut agreed, random);
    let chosen: HashSet<usize> = agreed.into_iter().take(FER_CANDIDATES).collect();
    let mut candidates = Vec::new();
    for (row, line) in BufReader::new(File::open(table)?).lines().skip(1).enumerate() {
        let line = line?;
        if !chosen.contains(&row) {
            continue;
        }
        let wrong = || format!("{}:{}: not 48x48 pixels", table.display(), row + 2);
        let pixels = line.split(',').nth(1).ok_or_else(wrong)?;
        let pixels = pixels.split(' ').map(str::parse).collect::<Result<Vec<u8>, _>>()?;
        candidates.push(Grey::from_raw(FER_SIDE, FER_SIDE, pixels).ok_or_else(wrong)?);
    }
    let side = FER_SIDE as f32;
    let square = Square { x: side / 2.0, y: side / 2.0, side };
    most_typical(candidates, FER_FACES)
        .iter()
        .map(|picture| cut(picture, square, 0.92..1.04, random))
        .collect()
}

/// The pictures that correlate most with the mean of all; all of one size.
fn most_typical(pictures: Vec<Grey>, count: usize) -> Vec<Grey> {
    let normal = |picture: &Grey| -> Vec<f32> {
        let pixels: Vec<f32> = picture.pixels().iter().map(|&v| f32::from(v)).collect();
        let mean = pixels.iter().sum::<f32>() / pixels.len() as f32;
        let spread = pixels.iter().map(|v| (v - mean).powi(2)).sum::<f32>().sqrt().max(1.0);
        pixels.iter().map(|v| (v - mean) / spread).collect()
    };
    let mut total = vec![0.0; pictures.first().map_or(0, |picture| picture.pixels().len())];
    for picture in &pictures {
        total.iter_mut().zip(normal(picture)).for_each(|(total, v)| *total += v);
    }
    let likeness = |picture: &Grey| normal(picture).iter().zip(&total).map(|(a, b)| a * b).sum::<f32>();
    let mut ranked: Vec<(f32, Grey)> =
        pictures.into_iter().map(|picture| (likeness(&picture), picture)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.into_iter().take(count).map(|(_, picture)| picture).collect()
}

fn lfw_faces(archive: &Path, random: &mut ChaCha8Rng) -> Result<Vec<Grey>, Failure> {
    let mut faces = Vec::new();
    for (i, (_, picture)) in pictures(archive)?.iter().enumerate() {
        if i % HELD_OUT != 0 {
            for _ in 0..LFW_COPIES {
                faces.push(cut(picture, LFW_SQUARE, 0.90..1.12, random)?);
            }
        }
    }
    Ok(faces)
}

/// A window on a square, shifted, turned and scaled a little at random, mirrored half the time. Pixels are
/// read by bilinear interpolation without smoothing, as the detector shrinks pictures.
fn cut(
    picture: &Grey,
    square: Square,
    scales: std::ops::Range<f32>,
    random: &mut ChaCha8Rng,
) -> Result<Grey, Failure> {
    let mut uniform = |from: f32, to: f32| from + (to - from) * (random.next_u32() as f32 / u32::MAX as f32);
    let side = square.side * uniform(scales.start, scales.end);
    let shift = 0.03 * square.side;
    let (x, y) = (square.x + uniform(-shift, shift), square.y + uniform(-shift, shift));
    let (sin, cos) = (uniform(-5.0, 5.0) + uniform(-5.0, 5.0)).to_radians().sin_cos();
    let mirror = if uniform(-1.0, 1.0) < 0.0 { -1.0 } else { 1.0 };
    let step = side / SIDE as f32;
    let centre = SIDE as f32 / 2.0;
    let pixels = (0..SIDE * SIDE)
        .map(|i| {
            let across = mirror * ((i % SIDE) as f32 + 0.5 - centre) * step;
            let down = ((i / SIDE) as f32 + 0.5 - centre) * step;
            bilinear(picture, x + across * cos - down * sin - 0.5, y + across * sin + down * cos - 0.5)
        })
        .collect();
    Grey::from_raw(SIDE, SIDE, pixels).ok_or_else(|| "a window of a wrong size".into())
}

/// Reads between pixels; beyond the border its pixels go on.
fn bilinear(picture: &Grey, x: f32, y: f32) -> u8 {
    let at = |x: f32, y: f32| {
        let column = x.clamp(0.0, (picture.width() - 1) as f32) as usize;
        let row = y.clamp(0.0, (picture.height() - 1) as f32) as u32;
        f32::from(picture.row(row)[column])
    };
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (x - left, y - top);
    let upper = at(left, top) * (1.0 - across) + at(left + 1.0, top) * across;
    let lower = at(left, top + 1.0) * (1.0 - across) + at(left + 1.0, top + 1.0) * across;
    (upper * (1.0 - down) + lower * down).round() as u8
}

/// All pictures of a tar file with their names, in the order of names.
fn pictures(archive: &Path) -> Result<Vec<(String, Grey)>, Failure> {
    let file = File::open(archive).map_err(|error| format!("{}: {error}", archive.display()))?;
    let mut pictures = Vec::new();
    for entry in tar::Archive::new(BufReader::new(file)).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        if entry.header().entry_type().is_file() {
            let picture =
                image::load_from_memory(&bytes).map_err(|error| format!("{name}: {error}"))?.into_rgb8();
            let (width, height) = picture.dimensions();
            let picture = moue_media::Picture::from_raw(width, height, picture.into_raw());
            pictures.push((name, picture.ok_or("a picture of a wrong length")?.to_grey()));
        }
    }
    pictures.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(pictures)
}

fn shuffle<T>(items: &mut [T], random: &mut ChaCha8Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, ((u64::from(random.next_u32()) * (i as u64 + 1)) >> 32) as usize);
    }
}
