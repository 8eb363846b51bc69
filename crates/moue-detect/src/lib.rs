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
    /// By how many degrees the face is turned clockwise in the picture, about the centre of the box: -180 to 180. The box
    /// has the width and height of the face held upright; drawn turned by `roll` it lies on the face.
    #[serde(default)]
    pub roll: f32,
}

impl Detection {
    /// The same face on the picture turned clockwise by so many quarters; `width` and `height` are those of the picture
    /// before.
    pub fn turned(self, quarters: u8, width: f32, height: f32) -> Self {
        let (x, y) = (self.x + self.width / 2.0, self.y + self.height / 2.0);
        let (x, y) = match quarters % 4 {
            0 => return self,
            1 => (height - y, x),
            2 => (width - x, height - y),
            _ => (y, width - x),
        };
        let roll = wrapped(self.roll + 90.0 * f32::from(quarters % 4));
        Self { x: x - self.width / 2.0, y: y - self.height / 2.0, roll, ..self }
    }

    /// The centre of the box, across and down.
    pub fn centre(&self) -> [f32; 2] {
        [self.x + self.width / 2.0, self.y + self.height / 2.0]
    }

    /// Root of the area.
    pub fn side(&self) -> f32 {
        (self.width * self.height).sqrt()
    }
}

/// An angle in degrees brought to -180 (not included) to 180.
pub(crate) fn wrapped(degrees: f32) -> f32 {
    let turned = degrees.rem_euclid(360.0);
    if turned > 180.0 { turned - 360.0 } else { turned }
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

    /// The faces of a small picture cut out around where one is expected, brought to the size at which the detector sees
    /// faces well.
    ///
    /// # Errors
    /// As [`detect`](Self::detect).
    fn detect_patch(&mut self, patch: &Picture) -> Result<Vec<Detection>, Error> {
        self.detect(patch)
    }

    /// From now on gives detections, too, that are too unsure to stand alone but may continue the track of a face seen a moment
    /// before. Tells the score from which a detection may begin a track. A detector without such detections, whose every
    /// detection may begin one, tells 0.
    fn include_unsure(&mut self) -> f32 {
        0.0
    }

    /// How many faces the last [`detect`](Self::detect) saw and left out because they are smaller than what was asked for.
    fn smaller_faces(&self) -> usize {
        0
    }

    /// Whether the work on one picture is shared among the threads of the rayon pool it is called in.
    fn shares_work(&self) -> bool {
        false
    }

    /// Whether faces turned in the picture by any angle are found and their roll is told; otherwise only upright ones are.
    fn finds_turned(&self) -> bool {
        false
    }

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
