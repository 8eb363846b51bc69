//! `moue detector`: what finds faces is trained and measured; and the flags of every command that looks for faces,
//! with the detector they ask for.

mod data;
mod train;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use moue_detect::cascade::{Cascade, CascadeDetector, FeatureKind, ScanParameters, Size};
use moue_detect::locate::{self, Located, Origin};

use crate::failure::{Failure, Result};

/// Train and measure what finds faces
#[derive(Debug, Subcommand)]
pub enum Command {
    Train(train::Args),
}

pub fn run(command: Command) -> Result {
    match command {
        Command::Train(args) => train::run(args),
    }
}

/// How faces are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Cascade of local binary patterns: fast
    Lbp,
    /// Cascade of Haar features
    Haar,
    /// Each picture is one face
    None,
}

/// Which detector, and how it looks.
#[derive(Clone, Debug, Args)]
pub struct Flags {
    /// How faces are found [default: lbp]
    #[arg(long, value_enum, value_name = "KIND")]
    pub detector: Option<Kind>,
    /// Cascade to find faces with, in OpenCV's XML, instead of our own or an installed one
    #[arg(long, value_name = "FILE.xml")]
    pub cascade: Option<PathBuf>,
    /// Smallest face to look for, in pixels a side
    #[arg(long, value_name = "PX", default_value = "30")]
    pub min_face: NonZeroU32,
    /// How much larger each size is that the cascade looks for than the one before, above 1
    #[arg(long, value_name = "X", default_value_t = 1.1)]
    pub scale_factor: f64,
    /// Hits beyond which the cascade believes in a face; 0 shows every hit
    #[arg(long, value_name = "N", default_value_t = 5, visible_alias = "min-neighbors")]
    pub min_neighbours: u32,
}

/// A detector, ready to use.
pub enum Chosen {
    /// A cascade and where it is from.
    Cascade { detector: Box<CascadeDetector>, name: String },
    /// None: each picture is one face.
    WholePicture,
}

impl Chosen {
    /// As messages call it.
    pub fn name(&self) -> &str {
        match self {
            Self::Cascade { name, .. } => name,
            Self::WholePicture => "no detector (each picture is one face)",
        }
    }
}

impl Flags {
    /// Reads the cascade, if one is wanted.
    pub fn choose(&self) -> Result<Chosen> {
        let (cascade, name) = match (self.detector, &self.cascade) {
            (Some(Kind::None), None) => return Ok(Chosen::WholePicture),
            (Some(Kind::None), Some(_)) => {
                return Err(Failure::usage("--detector none looks for no faces, so it takes no --cascade"));
            }
            (kind, Some(path)) => (read(path, kind)?, path.display().to_string()),
            (Some(Kind::Haar), None) => located(FeatureKind::Haar)?,
            (Some(Kind::Lbp) | None, None) => located(FeatureKind::Lbp)?,
        };
        let side = self.min_face.get();
        let parameters = ScanParameters {
            scale_factor: self.scale_factor,
            min_neighbours: self.min_neighbours,
            min_size: Some(Size { width: side, height: side }),
            max_size: None,
        };
        // Only a setting without meaning is refused, and those were typed on the command line.
        let detector =
            CascadeDetector::new(Arc::new(cascade), parameters).map_err(|e| Failure::usage(e.to_string()))?;
        Ok(Chosen::Cascade { detector: Box::new(detector), name })
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
