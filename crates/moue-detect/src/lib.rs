//! Face detection.
//!
//! [`Detector`] is what the rest of moue knows; [`cascade::CascadeDetector`] is the detector that
//! scans a picture with a boosted cascade (Viola and Jones 2001, Lienhart and Maydt 2002, Liao et al.
//! 2007), read from OpenCV's XML files and run so that the boxes equal those of OpenCV's
//! `CascadeClassifier::detectMultiScale`. [`locate`] finds the cascades installed on this machine.

pub mod cascade;
pub mod cnn;
mod error;
pub mod labelled;
pub mod locate;

pub use error::Error;

use moue_media::Picture;
use serde::{Deserialize, Serialize};

/// One face found in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Left edge in pixels of the picture, from its left edge.
    pub x: f32,
    /// Upper edge in pixels of the picture, from its upper edge.
    pub y: f32,
    /// Width in pixels.
    pub width: f32,
    /// Height in pixels.
    pub height: f32,
    /// How sure the detector is, 0 to 1; comparable within one detector only.
    pub score: f32,
}

/// Finds faces.
///
/// A detector may keep buffers from one picture for the next, so it is used by one thread at a time
/// but may move between threads.
pub trait Detector: Send {
    /// The faces of one picture, in an order that depends on nothing but the picture.
    ///
    /// # Errors
    /// Where the picture is larger than the detector can take.
    fn detect(&mut self, picture: &Picture) -> Result<Vec<Detection>, Error>;
}
