//! `moue live`: a camera, as it happens.

mod camera;
mod headless;
mod panel;
mod view;
mod worker;

use std::path::PathBuf;

use moue_media::{Camera, VideoSource};

use crate::commands::detector::Flags;
use crate::failure::{Failure, Outcome, Result};
use crate::options::{Abstain, Computing, Json, Threads, between, build, choose};
use crate::{console, interrupt};

/// Read the emotions in front of a camera as they happen
///
/// Opens a window with the picture as in a mirror, a frame and the emotion around each face, and bars of its
/// probabilities. Where the machine cannot keep up, frames are dropped rather than shown late.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Keys: space pauses, s takes a snapshot, r records (and ends recording), c takes the next camera, m turns the mirror \
off, q quits.

Examples:
  moue live                                         the first camera
  moue live --list                                  the cameras there are
  moue live --source clip.mp4                       a file as if it were a camera
  moue live --headless --json                       one JSON object a frame, without a window")]
pub struct Args {
    /// Camera, by its number or name in --list
    #[arg(long, value_name = "N", default_value = "0", conflicts_with = "source")]
    camera: String,
    /// Video file, played as it would be shown, or address of a stream, instead of a camera
    #[arg(long, value_name = "PATH")]
    source: Option<PathBuf>,
    /// List the cameras and end
    #[arg(long, exclusive = true)]
    list: bool,
    /// Open no window; print what is seen
    #[arg(long)]
    headless: bool,
    #[command(flatten)]
    json: Json,
    /// Size of the pictures to ask the camera for
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size, conflicts_with = "source")]
    size: Option<(u32, u32)>,
    /// Frames a second to ask the camera for
    #[arg(long, value_name = "N", conflicts_with = "source", value_parser = between(1_u32, 1000))]
    rate: Option<u32>,
    /// Give the probabilities of each frame alone, instead of smoothing them over time
    #[arg(long)]
    no_smoothing: bool,
    /// Folder for snapshots and recordings
    #[arg(long, value_name = "DIR", default_value = ".")]
    out_dir: PathBuf,
    #[command(flatten)]
    detector: Flags,
    /// Model to read emotions with, instead of the one that comes with moue
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    #[command(flatten)]
    abstain: Abstain,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    computing: Computing,
}

pub fn run(args: Args) -> Result {
    if args.list {
        return list();
    }
    if args.json.json && !args.headless {
        return Err(Failure::usage("--json is for --headless"));
    }
    let sources = args.sources()?;
    let chosen = choose(&args.detector, args.model.as_deref(), args.abstain, &args.computing, args.threads)?;
    let reader = worker::Reader(build(chosen.builder)?.live()?.smoothing(!args.no_smoothing));
    let stop = interrupt::watch()?;
    if args.headless {
        headless::run(&sources, reader, args.json.json, stop)?;
    } else {
        std::fs::create_dir_all(&args.out_dir)
            .map_err(|error| Failure::message(format!("{}: {error}", args.out_dir.display())))?;
        view::run(&sources, reader, &args.out_dir, stop)?;
    }
    Ok(Outcome::Done)
}

impl Args {
    /// The source asked for, and after it the other cameras, for the key that takes the next.
    fn sources(&self) -> Result<Vec<VideoSource>> {
        if let Some(path) = &self.source {
            return Ok(vec![VideoSource::from_argument(path)]);
        }
        let mut cameras = Camera::list()?;
        let chosen = Camera::find(&self.camera)
            .map_err(|error| Failure::message(format!("{error}; --source FILE plays a video instead")))?;
        let place = cameras.iter().position(|camera| *camera == chosen).unwrap_or_default();
        cameras.rotate_left(place);
        let (size, rate) = (self.size, self.rate);
        Ok(cameras.into_iter().map(|camera| VideoSource::Camera(Camera { size, rate, ..camera })).collect())
    }
}

fn list() -> Result {
    let cameras = Camera::list()?;
    if cameras.is_empty() {
        console::say(
            "moue: there is no camera, or none that may be used (--source FILE plays a video instead)",
        );
    }
    for (number, Camera { device, name, .. }) in cameras.iter().enumerate() {
        console::print(format_args!("{number}  {name}  ({device})\n"))?;
    }
    Ok(Outcome::Done)
}

fn size(text: &str) -> std::result::Result<(u32, u32), String> {
    let read = || {
        let (width, height) = text.split_once('x')?;
        let (width, height) = (width.parse().ok()?, height.parse().ok()?);
        ((1..=16_384).contains(&width) && (1..=16_384).contains(&height)).then_some((width, height))
    };
    read().ok_or_else(|| "expected WIDTHxHEIGHT, such as 1280x720".to_owned())
}
