//! Reads emotions from faces.
//!
//! An [`Analyzer`] finds the faces of a picture with a [`Detector`], cuts each out as its model
//! expects, and gives the probability of every emotion:
//!
//! ```no_run
//! use moue::{Analyzer, Limits};
//!
//! # fn main() -> Result<(), moue::Error> {
//! let detector = moue::face_detector()?;
//! let mut analyzer = Analyzer::builder(moue::embedded_model()?).detector(detector).build()?;
//! let picture = moue::read_picture("party.jpg".as_ref(), &Limits::default())?;
//! for face in analyzer.analyze(&picture)? {
//!     println!("{} at {:?}: {:.2}", face.emotion, face.bounds, face.confidence);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A video is a [`Follower`] more, which knows who is who and calms the labels; [`analyze_video`] reads one with several
//! analyzers at a time.
//!
//! What was seen is handed on as a [`Record`], whose JSON form is fixed because scripts rely on it.

mod analyzer;
mod annotate;
mod classifier;
mod crop;
mod detector;
mod embedded;
mod error;
mod follow;
mod record;
mod scene;
mod smooth;
mod track;
mod video;

pub use analyzer::{Analyzer, AnalyzerBuilder, Sighting};
pub use annotate::annotate;
pub use classifier::Classifier;
pub use crop::Cutout;
pub use detector::face_detector;
pub use embedded::{embedded_model, embedded_model_file};
pub use error::Error;
pub use follow::{FollowOptions, Follower};
pub use record::{BoundingBox, Face, Probabilities, Record};
pub use scene::Scene;
pub use smooth::Smoother;
pub use track::{TrackOptions, Tracker};
pub use video::{Seen, VideoAnalysis, analyze_video};

pub use moue_detect::{Detection, Detector};
pub use moue_graph::{Model, ModelCard};
pub use moue_media::{Limits, Picture, read_picture};
