//! Photos of one face: whether exactly that one is found, however much of the picture it fills and however it is turned.

use moue_media::{Grey, Picture};

use crate::labelled::{LabelledBox, Photo};
use crate::{Detection, Detector, Error, wrapped};

/// Overlap from which a box has found a face.
const FOUND: f32 = 0.5;

/// Lower limits of the classes of tightness: height of the picture over that of the face.
pub const TIGHTNESS_CLASSES: [f32; 5] = [0.0, 1.5, 2.0, 2.5, 4.0];

/// What was found in photos of one face each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Singles {
    /// Photos.
    pub photos: usize,
    /// Those with exactly one box, in its place.
    pub exact: usize,
    /// Those with the face found, whatever else there is.
    pub found: usize,
    /// Those with boxes beside the face's.
    pub surplus: usize,
}

/// What was found in photos that were turned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turned {
    /// Degrees by which the photos were turned clockwise.
    pub degrees: f32,
    /// Photos with the face found, and what else.
    pub singles: Singles,
    /// For each face that was found, by how many degrees its roll was off, the least first.
    pub off: Vec<f32>,
}

impl Turned {
    /// The error of the roll that so large a share of the faces found stays below; `None` where none was found.
    pub fn off_at(&self, share: f64) -> Option<f32> {
        let at = (share * self.off.len() as f64).ceil() as usize;
        self.off.get(at.saturating_sub(1)).copied()
    }
}

/// The one face of a photo; `None` where there are several or doubtful ones.
pub fn only_face(photo: &Photo) -> Option<&LabelledBox> {
    match photo.boxes.as_slice() {
        [face] if !face.ignore && photo.complete => Some(face),
        _ => None,
    }
}

/// What is found in photos of one face, by [`TIGHTNESS_CLASSES`]; other photos are passed over. Boxes of a score below
/// `threshold` do not count.
///
/// # Errors
/// Those of the detector.
pub fn by_tightness(
    detector: &mut dyn Detector,
    photos: &[Photo],
    threshold: f32,
) -> Result<Vec<(f32, Singles)>, Error> {
    let mut classes = TIGHTNESS_CLASSES.map(|from| (from, Singles::default()));
    for photo in photos {
        let Some(face) = only_face(photo) else { continue };
        let tightness = photo.picture.height() as f32 / face.height;
        let found = detector.detect(&photo.picture.to_picture())?;
        let wanted =
            Detection { x: face.x, y: face.y, width: face.width, height: face.height, score: 1.0, roll: 0.0 };
        if let Some((_, class)) = classes.iter_mut().rfind(|(from, _)| tightness >= *from) {
            class.take(&found, &wanted, threshold);
        }
    }
    Ok(classes.to_vec())
}

/// What is found in photos of one face turned clockwise by so many degrees about their middle; what the turned photo leaves of
/// the picture is black.
///
/// # Errors
/// Those of the detector.
pub fn turned(
    detector: &mut dyn Detector,
    photos: &[Photo],
    degrees: f32,
    threshold: f32,
) -> Result<Turned, Error> {
    let mut all = Turned { degrees, ..Turned::default() };
    for photo in photos {
        let Some(face) = only_face(photo) else { continue };
        let (picture, wanted) = turn(&photo.picture, face, degrees);
        let found = detector.detect(&picture)?;
        if let Some(best) = all.singles.take(&found, &wanted, threshold) {
            all.off.push(wrapped(best.roll - degrees).abs());
        }
    }
    all.off.sort_by(f32::total_cmp);
    Ok(all)
}

impl Singles {
    /// Takes in what was found in one photo; gives the box that found the face.
    fn take(&mut self, found: &[Detection], wanted: &Detection, threshold: f32) -> Option<Detection> {
        let counted: Vec<&Detection> = found.iter().filter(|d| d.score >= threshold).collect();
        let best = counted.iter().copied().find(|d| turned_overlap(d, wanted) >= FOUND).copied();
        self.photos += 1;
        self.found += usize::from(best.is_some());
        self.exact += usize::from(best.is_some() && counted.len() == 1);
        self.surplus += usize::from(counted.len() > usize::from(best.is_some()));
        best
    }
}

/// A photo turned clockwise about its middle, in a picture that holds all of it, and where its face is then.
fn turn(photo: &Grey, face: &LabelledBox, degrees: f32) -> (Picture, Detection) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (width, height) = (photo.width() as f32, photo.height() as f32);
    let across = (width * cos).abs() + (height * sin).abs();
    let down = (width * sin).abs() + (height * cos).abs();
    let (wide, high) = (across.round().max(1.0) as u32, down.round().max(1.0) as u32);
    let mut picture = Picture::filled(wide, high, [0; 3]);
    let (from, to) = ([width / 2.0, height / 2.0], [wide as f32 / 2.0, high as f32 / 2.0]);
    for (i, pixel) in picture.pixels_mut().chunks_exact_mut(3).enumerate() {
        let (dx, dy) = ((i % wide as usize) as f32 + 0.5 - to[0], (i / wide as usize) as f32 + 0.5 - to[1]);
        let (x, y) = (from[0] + dx * cos + dy * sin, from[1] + dy * cos - dx * sin);
        if x >= 0.5 && y >= 0.5 && x <= width - 0.5 && y <= height - 0.5 {
            pixel.fill(photo.between(x, y).round() as u8);
        }
    }
    let (dx, dy) = (face.x + face.width / 2.0 - from[0], face.y + face.height / 2.0 - from[1]);
    let centre = [to[0] + dx * cos - dy * sin, to[1] + dx * sin + dy * cos];
    let wanted = Detection {
        x: centre[0] - face.width / 2.0,
        y: centre[1] - face.height / 2.0,
        width: face.width,
        height: face.height,
        score: 1.0,
        roll: wrapped(degrees),
    };
    (picture, wanted)
}

/// Intersection over union of two turned boxes, to about a hundredth: points of a grid on one are counted in the other.
pub fn turned_overlap(a: &Detection, b: &Detection) -> f32 {
    const POINTS: usize = 40;
    let (sin, cos) = a.roll.to_radians().sin_cos();
    let (other_sin, other_cos) = b.roll.to_radians().sin_cos();
    let (from, to) = (a.centre(), b.centre());
    let at = |i: usize| (i as f32 + 0.5) / POINTS as f32 - 0.5;
    let inside = (0..POINTS * POINTS).filter(|i| {
        let (across, down) = (at(i % POINTS) * a.width, at(i / POINTS) * a.height);
        let x = from[0] + across * cos - down * sin - to[0];
        let y = from[1] + across * sin + down * cos - to[1];
        let (u, v) = (x * other_cos + y * other_sin, y * other_cos - x * other_sin);
        u.abs() <= b.width / 2.0 && v.abs() <= b.height / 2.0
    });
    let (own, theirs) = (a.width * a.height, b.width * b.height);
    let shared = own * inside.count() as f32 / (POINTS * POINTS) as f32;
    shared / (own + theirs - shared).max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, y: f32, width: f32, height: f32, roll: f32) -> Detection {
        Detection { x, y, width, height, score: 0.9, roll }
    }

    #[test]
    fn overlap_follows_the_roll() {
        let upright = face(10.0, 10.0, 40.0, 80.0, 0.0);
        assert!((turned_overlap(&upright, &upright) - 1.0).abs() < 0.01);
        assert!((turned_overlap(&upright, &face(10.0, 10.0, 40.0, 80.0, 180.0)) - 1.0).abs() < 0.01);
        // Crossed: a square of 40 of two boxes of 3200.
        assert!((turned_overlap(&upright, &face(10.0, 10.0, 40.0, 80.0, 90.0)) - 1.0 / 3.0).abs() < 0.02);
        assert_eq!(turned_overlap(&upright, &face(200.0, 10.0, 40.0, 80.0, 0.0)), 0.0);
    }

    /// Finds the bright box of a turned picture, being told its size and roll.
    struct Told(Detection);

    impl Detector for Told {
        fn detect(&mut self, picture: &Picture) -> Result<Vec<Detection>, Error> {
            let width = picture.width() as usize;
            let lit = picture.pixels().chunks_exact(3).enumerate().filter(|(_, p)| p[0] > 128);
            let (mut sum, mut count) = ([0.0; 2], 0.0_f32);
            for (i, _) in lit {
                sum = [sum[0] + (i % width) as f32 + 0.5, sum[1] + (i / width) as f32 + 0.5];
                count += 1.0;
            }
            let [x, y] = sum.map(|v| v / count.max(1.0));
            let Detection { width, height, .. } = self.0;
            Ok(vec![Detection { x: x - width / 2.0, y: y - height / 2.0, ..self.0 }])
        }
    }

    #[test]
    fn a_turned_photo_has_its_face_where_it_is_said_to_be() {
        let mut pixels = vec![0_u8; 90 * 60];
        for y in 10..40 {
            pixels[y * 90 + 50..y * 90 + 70].fill(255);
        }
        let labelled = LabelledBox { x: 50.0, y: 10.0, width: 20.0, height: 30.0, ignore: false };
        let photo = Photo {
            name: String::new(),
            hash: 0,
            picture: Grey::from_raw(90, 60, pixels).unwrap(),
            boxes: vec![labelled],
            complete: true,
        };
        for degrees in [0.0, 30.0, 90.0, 135.0, -75.0] {
            let mut detector = Told(face(0.0, 0.0, 20.0, 30.0, degrees + 5.0));
            let result = turned(&mut detector, std::slice::from_ref(&photo), degrees, 0.5).unwrap();
            assert_eq!((result.singles.exact, result.singles.photos), (1, 1), "{degrees}");
            assert!((result.off_at(0.9).unwrap() - 5.0).abs() < 1e-3);
        }
        let mut detector = Told(face(0.0, 0.0, 20.0, 30.0, 0.0));
        let classes = by_tightness(&mut detector, &[photo], 0.5).unwrap();
        assert_eq!(classes[2], (2.0, Singles { photos: 1, exact: 1, found: 1, surplus: 0 }));
    }
}
