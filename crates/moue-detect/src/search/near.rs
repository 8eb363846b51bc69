//! Looking again where faces were a moment ago, which takes a small part of the time of looking everywhere.

use moue_media::{Picture, Region};

use crate::cnn::suppressed;
use crate::{Detection, Detector, Error};

/// Side of the square that is looked at, in sides of the face expected in its middle.
const AROUND: f32 = 2.5;

/// Pixels to which that square is brought, so that every face is about as large as detectors like it, and the
/// detector prepares for one size.
const SIDE: u32 = 128;

/// The faces around each place where one is expected, best first.
pub fn detect(
    detector: &mut dyn Detector,
    picture: &Picture,
    expected: &[Detection],
) -> Result<Vec<Detection>, Error> {
    let mut all = Vec::new();
    for face in expected {
        let side = (face.width.max(face.height) * AROUND).max(1.0);
        let (x, y) = (face.x + (face.width - side) / 2.0, face.y + (face.height - side) / 2.0);
        let outside = x >= picture.width() as f32 || y >= picture.height() as f32;
        if outside || x + side <= 0.0 || y + side <= 0.0 {
            continue;
        }
        let part = picture.crop_resized(Region { x, y, width: side, height: side }, SIDE)?;
        let scale = side / SIDE as f32;
        all.extend(detector.detect_patch(&part)?.into_iter().map(|found| Detection {
            x: found.x * scale + x,
            y: found.y * scale + y,
            width: found.width * scale,
            height: found.height * scale,
            ..found
        }));
    }
    all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.y.total_cmp(&b.y)).then(a.x.total_cmp(&b.x)));
    Ok(suppressed(all))
}
