//! What the second network learns from: faces cut out about as the first network finds them, and what it took for faces.

use super::super::pyramid::Pyramid;
use super::super::refine::{AROUND, SIDE, VALUES};
use super::canvas::{Canvas, Mask, Placement};
use super::loss::Role;
use super::random::Random;
use super::scenes::{Album, Labelled, Painter};
use crate::{Detector, Error};

/// Side of the box in the middle of a cutout, in its pixels.
const BOX: f32 = SIDE as f32 / AROUND;

/// How far a box that the first network gives lies beside the face, in sides, and how much larger or smaller it is, at most.
const SHIFT: f32 = 0.3;
const SCALE: f32 = 1.5;

/// Overlap with a face below which a box is none.
const APART: f32 = 0.3;

/// Which list of an album a false face is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// Photos without faces.
    Backgrounds,
    /// Everyday photos.
    Everyday,
    /// Street photos.
    Streets,
}

/// A place that the first network took for a face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FalseFace {
    /// The list of photos.
    pub shelf: Shelf,
    /// Index in it.
    pub photo: usize,
    /// Centre across and down, and root of the area, in pixels of the photo.
    pub place: [f32; 3],
}

/// What is taught of one cutout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CloseLesson {
    /// No face, or none of this size in this place.
    Nothing,
    /// A face.
    Face {
        /// Offset of its centre across and down, and logarithms of width and height, in sides of the box that was cut out.
        place: [f32; 4],
        /// Radians by which it is turned clockwise.
        roll: f32,
        /// How well that is known, 0 to 1.
        roll_weight: f32,
    },
}

const WHOLE: Mask = Mask { reach: [1e4; 3], power: 20.0, feather: 0.0 };

impl Album {
    /// One cutout to learn from, `SIDE` x `SIDE` grey levels 0..255: half of them are faces.
    pub(super) fn cutout(
        &self,
        seed: u64,
        step: u64,
        index: u64,
        false_faces: &[FalseFace],
    ) -> Result<(Vec<f32>, CloseLesson), Error> {
        // A stream of its own beside that of scenes.
        let random = Random::new(seed ^ 0xC105E, step, index);
        let mut painter = Painter::new(self, random, Canvas::new(SIDE));
        let lesson = match painter.random.unit() {
            kind if kind < 0.5 => painter.close_face(),
            kind if kind < 0.72 && !false_faces.is_empty() => painter.false_face(false_faces),
            kind if kind < 0.80 => painter.nothing(),
            _ => painter.beside_face(),
        };
        // Small faces were enlarged before.
        if painter.random.chance(0.4) {
            let factor = painter.random.log_between(1.1, 2.6);
            painter.canvas.soften(factor)?;
        }
        painter.light();
        Ok((painter.canvas.pixels, lesson))
    }

    fn shelf(&self, shelf: Shelf, photo: usize) -> Option<&Pyramid> {
        match shelf {
            Shelf::Backgrounds => self.backgrounds.get(photo),
            Shelf::Everyday => self.everyday.get(photo).map(|l| &l.pyramid),
            Shelf::Streets => self.streets.get(photo).map(|l| &l.pyramid),
        }
    }
}

impl<'a> Painter<'a> {
    fn some_photo(&mut self) -> &'a Labelled {
        let album = self.album;
        let list = match self.random.unit() {
            kind if kind < 0.2 && !album.streets.is_empty() => &album.streets,
            kind if kind < 0.7 && !album.everyday.is_empty() => &album.everyday,
            _ => &album.portraits,
        };
        &list[self.random.below(list.len())]
    }

    /// Lays a photo down so that `place` (centre and side) comes to lie in the middle, turned by any angle.
    fn around(&mut self, source: &Pyramid, [x, y, side]: [f32; 3]) -> Placement {
        let middle = SIDE as f32 / 2.0;
        let placement = Placement {
            from: [x, y, side, side],
            to: [middle, middle],
            scale: BOX / side,
            stretch: self.random.between(0.94, 1.06),
            angle: self.roll(),
            mirror: self.random.chance(0.5),
            tone: [1.0, 0.0],
            mask: WHOLE,
        };
        self.canvas.paste(source, &placement);
        placement
    }

    fn close_face(&mut self) -> CloseLesson {
        let photo = self.some_photo();
        let face = photo.faces[self.random.below(photo.faces.len())];
        let side = (face[2] * face[3]).sqrt();
        let (down, across) = (SHIFT * self.random.bell(), SHIFT * self.random.bell());
        let scale = SCALE.powf(self.random.bell());
        let placement =
            self.around(&photo.pyramid, [face[0] + across * side, face[1] + down * side, side * scale]);
        let target = placement.place(face, Role::Face { roll_weight: photo.roll_weight });
        if self.random.chance(0.1) {
            self.occlude(&target);
        } else {
            self.cover(&placement_frame(&target));
        }
        let middle = SIDE as f32 / 2.0;
        CloseLesson::Face {
            place: [
                (target.x + target.width / 2.0 - middle) / BOX,
                (target.y + target.height / 2.0 - middle) / BOX,
                (target.width / BOX).ln(),
                (target.height / BOX).ln(),
            ],
            roll: target.roll,
            roll_weight: photo.roll_weight,
        }
    }

    fn false_face(&mut self, all: &[FalseFace]) -> CloseLesson {
        let FalseFace { shelf, photo, place } = all[self.random.below(all.len())];
        if let Some(source) = self.album.shelf(shelf, photo) {
            let shift = |random: &mut Random| 0.12 * place[2] * random.bell();
            let (x, y) = (place[0] + shift(&mut self.random), place[1] + shift(&mut self.random));
            let side = place[2] * 1.15_f32.powf(self.random.bell());
            self.around(source, [x, y, side]);
        }
        CloseLesson::Nothing
    }

    /// A part of a photo without faces.
    fn nothing(&mut self) -> CloseLesson {
        let album = self.album;
        let source = &album.backgrounds[self.random.below(album.backgrounds.len())];
        let side = self.random.log_between(16.0, source.width().min(source.height()).max(20.0));
        let place = [self.random.unit() * source.width(), self.random.unit() * source.height(), side];
        self.around(source, place);
        CloseLesson::Nothing
    }

    /// A box that has a part of a face in it, a face and much around it, or something beside a face.
    fn beside_face(&mut self) -> CloseLesson {
        for _ in 0..10 {
            let photo = self.some_photo();
            if !photo.complete {
                continue;
            }
            let face = photo.faces[self.random.below(photo.faces.len())];
            let side = (face[2] * face[3]).sqrt();
            let r = &mut self.random;
            let (scale, reach) = match r.unit() {
                kind if kind < 0.4 => (r.log_between(0.18, 0.52), 0.55),
                kind if kind < 0.7 => (r.log_between(1.85, 3.2), 0.6),
                _ => (r.log_between(0.6, 1.5), 1.5),
            };
            let place = [face[0] + reach * r.bell() * side, face[1] + reach * r.bell() * side, side * scale];
            if photo.faces.iter().chain(&photo.ignored).all(|other| overlap(other, place) < APART) {
                self.around(&photo.pyramid, place);
                return CloseLesson::Nothing;
            }
        }
        self.nothing()
    }
}

/// The face as a box in which shapes are drawn.
fn placement_frame(t: &super::loss::Target) -> super::canvas::Frame {
    super::canvas::Frame {
        at: [t.x + t.width / 2.0, t.y + t.height / 2.0],
        half: [t.width / 2.0, t.height / 2.0],
        angle: t.roll,
    }
}

/// Intersection over union of a face (centre, width, height) and a box that is as much taller than wide.
fn overlap(face: &[f32; 4], [x, y, side]: [f32; 3]) -> f32 {
    let shape = (face[2] / face[3]).sqrt();
    let (width, height) = (side * shape, side / shape);
    let shared = |a: f32, la: f32, b: f32, lb: f32| {
        ((a + la / 2.0).min(b + lb / 2.0) - (a - la / 2.0).max(b - lb / 2.0)).max(0.0)
    };
    let area = shared(face[0], face[2], x, width) * shared(face[1], face[3], y, height);
    area / (face[2] * face[3] + width * height - area)
}

/// What a detector takes for faces in the photos of an album where there are none, or only parts of some.
///
/// # Errors
/// Those of the detector.
pub fn false_faces(album: &Album, detector: &mut dyn Detector) -> Result<Vec<FalseFace>, Error> {
    let mut all = Vec::new();
    let mut look = |shelf, photo, pyramid: &Pyramid, faces: &[&[f32; 4]]| -> Result<(), Error> {
        for found in detector.detect(&pyramid.full().to_picture())? {
            let [x, y] = found.centre();
            let place = [x, y, found.side()];
            if faces.iter().all(|face| overlap(face, place) < APART) {
                all.push(FalseFace { shelf, photo, place });
            }
        }
        Ok(())
    };
    for (i, pyramid) in album.backgrounds.iter().enumerate() {
        look(Shelf::Backgrounds, i, pyramid, &[])?;
    }
    for (shelf, photos) in [(Shelf::Everyday, &album.everyday), (Shelf::Streets, &album.streets)] {
        for (i, photo) in photos.iter().enumerate().filter(|(_, photo)| photo.complete) {
            let faces: Vec<&[f32; 4]> = photo.faces.iter().chain(&photo.ignored).collect();
            look(shelf, i, &photo.pyramid, &faces)?;
        }
    }
    Ok(all)
}

/// Weight of box and roll beside that of the score.
const BOX_WEIGHT: f32 = 2.0;
const ROLL_WEIGHT: f32 = 1.0;

/// Loss of a batch, its gradient by every value written to `gradients`: cross-entropy of the score; of faces, too, the absolute
/// error of the box, smooth near 0 (Huber 1964, at a tenth), and the squared error of sine and cosine of the roll.
pub(super) fn loss(outputs: &[f32], gradients: &mut [f32], lessons: &[CloseLesson]) -> f32 {
    let count = lessons.len().max(1) as f32;
    let mut sum = 0.0_f64;
    gradients.fill(0.0);
    let rows = outputs.chunks_exact(VALUES).zip(gradients.chunks_exact_mut(VALUES));
    for ((value, gradient), lesson) in rows.zip(lessons) {
        let wanted = f32::from(u8::from(*lesson != CloseLesson::Nothing));
        let p = 1.0 / (1.0 + (-value[0]).exp());
        // Stable where the logit is large.
        let entropy = value[0].max(0.0) - value[0] * wanted + (-value[0].abs()).exp().ln_1p();
        sum += f64::from(entropy / count);
        gradient[0] = (p - wanted) / count;
        let CloseLesson::Face { place, roll, roll_weight } = lesson else { continue };
        for k in 0..4 {
            let off = value[1 + k] - place[k];
            let (cost, slope) = huber(off);
            sum += f64::from(BOX_WEIGHT * cost / count);
            gradient[1 + k] = BOX_WEIGHT * slope / count;
        }
        let (sin, cos) = roll.sin_cos();
        let weight = ROLL_WEIGHT * roll_weight / count;
        for (k, wanted) in [(5, sin), (6, cos)] {
            let off = value[k] - wanted;
            sum += f64::from(weight * off * off);
            gradient[k] = 2.0 * weight * off;
        }
    }
    sum as f32
}

fn huber(off: f32) -> (f32, f32) {
    const NEAR: f32 = 0.1;
    if off.abs() < NEAR {
        (off * off / (2.0 * NEAR), off / NEAR)
    } else {
        (off.abs() - NEAR / 2.0, off.signum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let face = |roll: f32| CloseLesson::Face { place: [0.1, -0.2, -0.15, 0.12], roll, roll_weight: 0.7 };
        let lessons = [face(0.4), CloseLesson::Nothing, face(-2.8)];
        let outputs: Vec<f32> =
            (0..VALUES * 3).map(|i| ((i * 7919 % 1013) as f32 / 1013.0 - 0.5) * 2.0).collect();
        let mut gradients = vec![0.0; outputs.len()];
        loss(&outputs, &mut gradients, &lessons);
        for i in 0..outputs.len() {
            let at = |offset: f32| {
                let mut moved = outputs.clone();
                moved[i] += offset;
                f64::from(loss(&moved, &mut vec![0.0; outputs.len()], &lessons))
            };
            let slope = (at(1e-3) - at(-1e-3)) / 2e-3;
            assert!((slope - f64::from(gradients[i])).abs() < 2e-3, "{i}: {slope} and {}", gradients[i]);
        }
    }
}
