//! Face detection.
//!
//! [`Detector`] is what the rest of moue knows. [`cnn::CnnDetector`] is a small network of our own, the one to use;
//! [`cascade::CascadeDetector`] scans a picture with a boosted cascade (Viola and Jones 2001, Lienhart and Maydt 2002, Liao et al.
//! 2007), read from OpenCV's XML files and run so that the boxes equal those of OpenCV's
//! `CascadeClassifier::detectMultiScale`; [`locate`] finds the cascades installed on this machine. [`Searcher`] limits any of
//! them to a part of the picture or to sizes of faces; [`evaluate`] measures them.

pub mod cascade;
pub mod cnn;
mod error;
pub mod evaluate;
pub mod labelled;
pub mod locate;
mod search;

pub use error::Error;
pub use search::{Search, Searcher};

use moue_media::Picture;
use serde::{Deserialize, Serialize};

/// One face found in a picture.
///
/// Whatever the detector, the box reaches from the forehead to the chin and from ear to ear.
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
    /// How sure the detector is, 0 to 1: about the share of such boxes that are faces.
    pub score: f32,
    /// Quarters by which the face is turned clockwise, 0 to 3; above 0 only where turned faces are looked for
    /// ([`Search::any_rotation`]).
    #[serde(default)]
    pub turn: u8,
}

impl Detection {
    /// The same face on the picture turned clockwise by so many quarters; `width` and `height` are those of the picture
    /// before.
    pub fn turned(self, quarters: u8, width: f32, height: f32) -> Self {
        let Self { x, y, width: w, height: h, .. } = self;
        let turn = (self.turn + quarters) % 4;
        match quarters % 4 {
            0 => self,
            1 => Self { x: height - y - h, y: x, width: h, height: w, turn, ..self },
            2 => Self { x: width - x - w, y: height - y - h, turn, ..self },
            _ => Self { x: y, y: width - x - w, width: h, height: w, turn, ..self },
        }
    }
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

    /// The faces near to the places where some are expected, as in the frame of a video that follows another. A detector
    /// that cannot look in parts looks everywhere.
    ///
    /// # Errors
    /// As [`detect`](Self::detect).
    fn detect_near(&mut self, picture: &Picture, expected: &[Detection]) -> Result<Vec<Detection>, Error> {
        let _ = expected;
        self.detect(picture)
    }
}
