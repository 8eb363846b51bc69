//! `moue detector`: what finds faces is trained and measured; and the flags of every command that looks for faces,
//! with the detector they ask for.

mod data;
mod eval;
mod quantize;
mod train;
mod train_cascade;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use moue_detect::cascade::{Cascade, CascadeDetector, FeatureKind, ScanParameters, Size};
use moue_detect::cnn::{CnnDetector, CnnParameters, Network};
use moue_detect::locate::{self, Located, Origin};
use moue_detect::{Detector, Search, Searcher};
use moue_media::Region;

use crate::failure::{Failure, Result};
use crate::files::Files;

/// Train and measure what finds faces
#[derive(Debug, Subcommand)]
pub enum Command {
    Train(train::Args),
    TrainCascade(train_cascade::Args),
    Eval(eval::Args),
    Quantize(quantize::Args),
}

pub fn run(command: Command) -> Result {
    match command {
        Command::Train(args) => train::run(args),
        Command::TrainCascade(args) => train_cascade::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Quantize(args) => quantize::run(args),
    }
}

/// How faces are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Our own small network: fast, and finds most
    Cnn,
    /// Cascade of local binary patterns
    Lbp,
    /// Cascade of Haar features
    Haar,
    /// Each picture is one face
    None,
}

/// Which detector, and how it looks.
#[derive(Clone, Debug, Args)]
pub struct Flags {
    /// How faces are found [default: cnn]
    #[arg(long, value_enum, value_name = "KIND")]
    pub detector: Option<Kind>,
    /// Network to find faces with, made by `moue detector train`, instead of the one that comes with moue
    #[arg(long, value_name = "FILE")]
    pub network: Option<PathBuf>,
    /// Cascade to find faces with, in OpenCV's XML, instead of our own or an installed one
    #[arg(long, value_name = "FILE.xml", conflicts_with = "network")]
    pub cascade: Option<PathBuf>,
    /// Smallest face to look for, in pixels a side
    #[arg(long, value_name = "PX", default_value = "30")]
    pub min_face: NonZeroU32,
    /// Largest face to look for, in pixels a side
    #[arg(long, value_name = "PX")]
    pub max_face: Option<NonZeroU32>,
    /// Most faces a picture; those found most surely are kept
    #[arg(long, value_name = "N")]
    pub max_faces: Option<usize>,
    /// Part of the picture to look at, in pixels from its upper left corner
    #[arg(long, value_name = "X,Y,WIDTH,HEIGHT", value_parser = region)]
    pub region: Option<Region>,
    /// Look at the picture turned by quarters, too, with cascades; the network finds turned faces without it
    #[arg(long)]
    pub any_rotation: bool,
    /// Search large pictures for small faces everywhere, in tiles: more faces in crowds, and more time
    #[arg(long)]
    pub thorough: bool,
    /// How sure the network must be of a face, between 0 and 1
    #[arg(long, value_name = "X", default_value_t = CnnParameters::default().threshold)]
    pub threshold: f32,
    /// Longest side of the picture that the network sees; larger ones are reduced to it
    #[arg(long, value_name = "PX", default_value_t = CnnParameters::default().longest_side)]
    pub longest_side: u32,
    /// How many times smaller pictures are enlarged for the network at most, 1 to 4
    #[arg(long, value_name = "X", default_value_t = CnnParameters::default().enlargement)]
    pub enlargement: f32,
    /// How much larger each size is that a cascade looks for than the one before, above 1
    #[arg(long, value_name = "X", default_value_t = 1.1, value_parser = above_one)]
    pub scale_factor: f64,
    /// Hits beyond which a cascade believes in a face; 0 shows every hit
    #[arg(long, value_name = "N", default_value_t = 5, visible_alias = "min-neighbors")]
    pub min_neighbours: u32,
}

/// A detector, ready to use.
pub enum Chosen {
    /// One that looks for faces, and where it is from.
    Detector { detector: Searcher, name: String },
    /// None: each picture is one face.
    WholePicture,
}

/// What detectors are made of.
enum Source {
    Network(Arc<Network>),
    Cascade(Arc<Cascade>),
}

impl Chosen {
    /// As messages call it.
    pub fn name(&self) -> &str {
        match self {
            Self::Detector { name, .. } => name,
            Self::WholePicture => "no detector (each picture is one face)",
        }
    }
}

impl Flags {
    /// Declares what is read.
    pub fn declare(&self, files: &mut Files) {
        files.reads_any("--network", &self.network);
        files.reads_any("--cascade", &self.cascade);
    }

    /// What makes the detectors of an analyzer, and what messages call them. Their file is read once.
    pub fn detectors(&self) -> Result<(moue::Detectors, String)> {
        let Some((source, name)) = self.source()? else {
            return Ok((moue::Detectors::whole_picture(), Chosen::WholePicture.name().to_owned()));
        };
        // What is wrong with the flags is told now.
        self.searcher(&source, self.min_face, 1).map_err(typed_wrong)?;
        let flags = self.clone();
        let make = move |threads| flags.searcher(&source, flags.min_face, threads);
        Ok((moue::Detectors::of(make), name))
    }

    /// Reads what the detector needs. `threads` is for its network; 0 takes one a core.
    pub fn choose(&self, threads: usize) -> Result<Chosen> {
        self.choose_down_to(self.min_face, threads)
    }

    /// As [`choose`](Self::choose), for a detector that looks as these flags say but gives faces down to this side.
    fn choose_down_to(&self, smallest: NonZeroU32, threads: usize) -> Result<Chosen> {
        let Some((source, name)) = self.source()? else { return Ok(Chosen::WholePicture) };
        let detector = self.searcher(&source, smallest, threads).map_err(typed_wrong)?;
        Ok(Chosen::Detector { detector, name })
    }

    /// What detectors are made of, and what messages call them; `None` where each picture is one face.
    fn source(&self) -> Result<Option<(Source, String)>> {
        let kind = match (self.detector, &self.cascade, &self.network) {
            (Some(Kind::None), Some(_), _) | (Some(Kind::None), _, Some(_)) => {
                return Err(Failure::usage(
                    "--detector none looks for no faces, so it takes no --cascade and no --network",
                ));
            }
            (Some(Kind::Cnn), Some(_), _) => {
                return Err(Failure::usage("--cascade is for --detector lbp and haar"));
            }
            (Some(Kind::Lbp | Kind::Haar), _, Some(_)) => {
                return Err(Failure::usage("--network is for --detector cnn"));
            }
            (Some(Kind::None), None, None) => return Ok(None),
            (kind, _, _) => kind,
        };
        let of_cascade = |(cascade, name)| (Source::Cascade(Arc::new(cascade)), name);
        Ok(Some(match (kind, &self.cascade) {
            (kind, Some(path)) => of_cascade((read(path, kind)?, path.display().to_string())),
            (Some(Kind::Haar), None) => of_cascade(located(FeatureKind::Haar)?),
            (Some(Kind::Lbp), None) => of_cascade(located(FeatureKind::Lbp)?),
            (_, None) => {
                let (network, name) = match &self.network {
                    Some(path) => (network(path)?, path.display().to_string()),
                    None => (Network::embedded()?, "the embedded network".to_owned()),
                };
                (Source::Network(Arc::new(network)), name)
            }
        }))
    }

    /// A detector that looks as these flags say; an error where one of them has no meaning.
    fn searcher(
        &self,
        source: &Source,
        smallest: NonZeroU32,
        threads: usize,
    ) -> std::result::Result<Searcher, moue_detect::Error> {
        let detector: Box<dyn Detector> = match source {
            Source::Cascade(cascade) => {
                let side = self.min_face.get();
                let parameters = ScanParameters {
                    scale_factor: self.scale_factor,
                    min_neighbours: self.min_neighbours,
                    min_size: Some(Size { width: side, height: side }),
                    max_size: None,
                };
                Box::new(CascadeDetector::new(Arc::clone(cascade), parameters)?)
            }
            Source::Network(network) => {
                let parameters = CnnParameters {
                    longest_side: self.longest_side,
                    enlargement: self.enlargement,
                    threshold: self.threshold,
                    threads,
                    smallest_face: self.min_face.get() as f32,
                    thorough: self.thorough,
                };
                Box::new(CnnDetector::new(Arc::clone(network), parameters)?)
            }
        };
        let search = Search {
            min_size: smallest.get() as f32,
            max_size: self.max_face.map(|side| side.get() as f32),
            region: self.region,
            max_faces: self.max_faces,
            any_rotation: self.any_rotation,
        };
        Searcher::new(detector, search)
    }
}

/// Only settings without meaning are refused, and those were typed on the command line.
fn typed_wrong(error: moue_detect::Error) -> Failure {
    Failure::usage(error.to_string())
}

/// Refused whatever the detector: a flag without meaning is a slip of the pen.
fn above_one(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(factor) if factor > 1.0 && f64::is_finite(factor) => Ok(factor),
        _ => Err("expected a number above 1".to_owned()),
    }
}

fn region(text: &str) -> std::result::Result<Region, String> {
    let numbers: Vec<f32> = text.split(',').filter_map(|field| field.trim().parse().ok()).collect();
    match numbers.as_slice() {
        &[x, y, width, height] if text.split(',').count() == 4 => Ok(Region { x, y, width, height }),
        _ => Err("expected four numbers: left, top, width and height in pixels".to_owned()),
    }
}

/// The installed cascade of a kind, or the one that comes with moue.
fn located(kind: FeatureKind) -> Result<(Cascade, String)> {
    let Located { cascade, origin } = locate::find(kind)?;
    let name = match origin {
        Origin::File(path) => path.display().to_string(),
        Origin::Embedded => "the embedded cascade".to_owned(),
    };
    Ok((cascade, name))
}

/// A network file.
fn network(path: &Path) -> Result<Network> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| Failure::message(format!("{name}: {e}")))?;
    Ok(Network::from_bytes(&bytes, &name)?)
}

/// A cascade file; an error where it is of another kind than asked for.
fn read(path: &Path, kind: Option<Kind>) -> Result<Cascade> {
    let cascade = Cascade::read(path)?;
    match (kind, cascade.kind()) {
        (Some(Kind::Lbp), FeatureKind::Haar) => {
            Err(Failure::usage(format!("{} is a Haar cascade, not an LBP one", path.display())))
        }
        (Some(Kind::Haar), FeatureKind::Lbp) => {
            Err(Failure::usage(format!("{} is an LBP cascade, not a Haar one", path.display())))
        }
        _ => Ok(cascade),
    }
}
