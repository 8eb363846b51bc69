//! Reads emotions from faces.
//!
//! An [`Analyzer`] finds the faces of a picture, cuts each out as its model expects, and gives the probability of every
//! emotion. Detector and model are inside; nothing is fetched and nothing leaves the machine.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("party.png");
//! # moue::Picture::filled(64, 64, [128; 3]).write(&path)?;
//! let analyzer = moue::Analyzer::new()?;
//! let picture = moue::Picture::open(path)?;
//! for face in analyzer.picture(&picture)?.faces {
//!     println!("{} at {:?}: {:.2}", face.emotion, face.bounds, face.confidence);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Analyzer::video`] gives a record of every frame of a video, [`Analyzer::live`] takes frames as they come; both know who is
//! who and calm the labels. [`AnalyzerBuilder`] has the options.
//!
//! What was seen is a [`Record`], whose JSON form (through serde) is that of `moue analyze --json` and is fixed, because scripts
//! rely on it.

mod analyzer;
mod annotate;
mod classifier;
mod crop;
mod detector;
mod embedded;
mod error;
mod follow;
mod live;
mod pipeline;
mod record;
mod scene;
mod smooth;
mod track;
mod video;

pub use analyzer::{Analyzer, AnalyzerBuilder, Look, Precision};
pub use annotate::annotate;
pub use classifier::Classifier;
pub use crop::Cutout;
pub use detector::Detectors;
pub use embedded::{embedded_model, embedded_model_file};
pub use error::Error;
pub use follow::{FollowOptions, Follower};
pub use live::Live;
pub use pipeline::Sighting;
pub use record::{BoundingBox, Face, Probabilities, Record};
pub use scene::Scene;
pub use smooth::Smoother;
pub use track::{TrackOptions, Tracker};
pub use video::{Records, Seen, VideoAnalysis};

pub use moue_detect::{Detection, Detector, Error as DetectorError};
pub use moue_graph::engine;
pub use moue_graph::{Error as ModelError, Model, ModelCard};
pub use moue_media::{
    Error as MediaError, Grey, Limits, Picture, Region, Video, VideoOptions, VideoSource, read_picture,
};
