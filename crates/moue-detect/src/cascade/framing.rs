//! From a cascade's windows to faces as everything else in moue frames them: forehead to chin, ear to ear.
//!
//! Each cascade was trained on faces cut out in its own way. The places here are medians over 200 photos of Labeled
//! Faces in the Wild with known boxes; the curves of the score were fitted there, on street photos and on photos without
//! faces (scale factor 1.1, more than 5 neighbours, smallest window 30 pixels).

use super::{Cascade, FeatureKind, Found};
use crate::Detection;

/// Where the face lies in a window, in window sides, and how the number of hits tells how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Framing {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
    /// Slope and shift of a logistic curve over the logarithm of the number of hits.
    sure: [f32; 2],
}

/// `models/lbp_face.xml`.
const OURS: Framing = Framing { x: 0.083, y: -0.027, width: 0.823, height: 1.080, sure: [3.2, -4.1] };
/// `lbpcascade_frontalface.xml`.
const LBP: Framing = Framing { x: 0.089, y: -0.009, width: 0.809, height: 1.061, sure: [3.7, -6.3] };
/// `lbpcascade_frontalface_improved.xml`, whose windows hold the face's middle only. Not one of its boxes was wrong in
/// the photos measured; its curve is that of `lbpcascade_frontalface.xml`.
const LBP_IMPROVED: Framing =
    Framing { x: -0.108, y: -0.377, width: 1.208, height: 1.584, sure: [3.7, -6.3] };
/// `haarcascade_frontalface_alt.xml` and `_alt2.xml`.
const HAAR: Framing = Framing { x: 0.085, y: -0.018, width: 0.820, height: 1.075, sure: [3.1, -4.7] };
/// `haarcascade_frontalface_default.xml`.
const HAAR_DEFAULT: Framing = Framing { x: 0.090, y: -0.008, width: 0.795, height: 1.043, sure: [2.8, -5.7] };

impl Framing {
    /// Of a face cascade; one that is not known is taken to frame faces as those of its kind do.
    pub fn of(cascade: &Cascade) -> Self {
        match (cascade.kind(), cascade.window().width) {
            (FeatureKind::Lbp, 45) => LBP_IMPROVED,
            (FeatureKind::Lbp, _) if Cascade::embedded().is_ok_and(|own| own == *cascade) => OURS,
            (FeatureKind::Lbp, _) => LBP,
            (FeatureKind::Haar, 24) => HAAR_DEFAULT,
            (FeatureKind::Haar, _) => HAAR,
        }
    }

    /// The face in a group of hits. It may leave the picture a little.
    pub fn face(&self, found: &Found) -> Detection {
        let (side, height) = (found.width as f32, found.height as f32);
        let hits = found.neighbours.max(1) as f32;
        let logit = self.sure[0] * hits.ln() + self.sure[1];
        Detection {
            x: found.x as f32 + self.x * side,
            y: found.y as f32 + self.y * height,
            width: self.width * side,
            height: self.height * height,
            score: 1.0 / (1.0 + (-logit).exp()),
            roll: 0.0,
        }
    }
}
