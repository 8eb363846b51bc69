//! `moue detector quantize`: the face detector in integers.

use std::path::PathBuf;

use moue_detect::labelled::{Part, Photo};
use moue_media::Picture;

use super::data::Photos;
use super::network;
use crate::failure::{Failure, Outcome, Result};
use crate::files::Files;
use crate::options::Threads;
use crate::{console, interrupt};

/// Make an 8-bit copy of a face detector
///
/// It finds the same faces in a fraction of the time. What the integers stand for is measured on photos that the network learnt
/// from, so that the held-out ones stay unseen.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  moue detector quantize face.safetensors --photos faces/ --out face.int8.safetensors")]
pub struct Args {
    /// Network made by `moue detector train`
    #[arg(value_name = "NETWORK")]
    network: PathBuf,
    #[command(flatten)]
    photos: Photos,
    /// Where the copy goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Photos of each kind to measure on
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    #[command(flatten)]
    threads: Threads,
}

pub fn run(args: Args) -> Result {
    let mut files = Files::default();
    files.reads("NETWORK", &args.network);
    args.photos.declare(&mut files);
    files.writes("--out", &args.out);
    files.check()?;
    interrupt::end_at_once("no network was written; run it again")?;
    let network = network(&args.network)?;
    let learnt = |photo: &Photo| photo.part() == Part::Training;
    let mut pictures: Vec<Picture> = Vec::new();
    for photos in [
        args.photos.portraits(learnt)?,
        args.photos.streets(learnt)?,
        args.photos.everyday(learnt)?,
        args.photos.backgrounds(learnt)?,
    ] {
        // Evenly from all, in the order of their names.
        let step = photos.len().div_ceil(args.count as usize).max(1);
        pictures.extend(photos.iter().step_by(step).map(|photo| photo.picture.to_picture()));
    }
    if pictures.is_empty() {
        return Err(Failure::message("there are no photos to measure on"));
    }
    let quantized = network.quantized(&pictures, args.threads.count())?;
    console::write_file(&args.out, &quantized.to_bytes()?)?;
    console::say(format_args!("{} holds the network in integers", args.out.display()));
    Ok(Outcome::Done)
}
