//! From the network's values to boxes, and one box a face.

use super::network::{UNIT, VALUES, cells};
use crate::Detection;

/// Largest logarithm of a width or height: beyond it a box would be larger than any picture.
const MAX_LOG: f32 = 4.0;

/// Overlap (intersection over union) from which two boxes are the same face.
const SAME_FACE: f32 = 0.4;

/// The boxes of cells whose score reaches `threshold`, in pixels of the network's input. `calibration` is slope and shift
/// from a cell's logit to that of its score.
pub(super) fn decode(
    values: &[f32],
    height: usize,
    width: usize,
    calibration: [f32; 2],
    threshold: f32,
) -> Vec<Detection> {
    let [slope, shift] = calibration;
    let least = (logit_of(threshold) - shift) / slope;
    let mut found = Vec::new();
    for (value, (stride, column, row)) in values.chunks_exact(VALUES).zip(cells(height, width)) {
        if value[0] >= least {
            let [x, y, w, h] = geometry(value, stride, column, row);
            let score = sigmoid(slope * value[0] + shift);
            found.push(Detection { x: x - w / 2.0, y: y - h / 2.0, width: w, height: h, score, roll: 0.0 });
        }
    }
    found
}

/// Centre, width and height that a cell gives.
pub(super) fn geometry(value: &[f32], stride: usize, column: usize, row: usize) -> [f32; 4] {
    let step = stride as f32;
    [
        (column as f32 + 0.5 + value[1]) * step,
        (row as f32 + 0.5 + value[2]) * step,
        value[3].clamp(-MAX_LOG, MAX_LOG).exp() * UNIT * step,
        value[4].clamp(-MAX_LOG, MAX_LOG).exp() * UNIT * step,
    ]
}

/// The logit of a probability, kept finite.
pub(super) fn logit_of(p: f32) -> f32 {
    let p = p.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

/// The probability of a logit.
pub(super) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// Intersection over union of two boxes.
pub(crate) fn overlap(a: &Detection, b: &Detection) -> f32 {
    let (a, b) = (Shape::of(a), Shape::of(b));
    let shared = a.shared(&b);
    if shared > 0.0 { shared / (a.area() + b.area() - shared) } else { 0.0 }
}

/// Share of the smaller of two boxes inside the larger from which only one of them is a face: what lies inside a face is an eye, a
/// mouth or a chin. A child's face before a parent's covers the edge of it, and stays below.
const INSIDE: f32 = 0.66;

/// Whether two boxes cannot both be faces.
fn exclude(a: &Detection, b: &Detection) -> bool {
    let (a, b) = (Shape::of(a), Shape::of(b));
    let shared = a.shared(&b);
    shared >= SAME_FACE * (a.area() + b.area() - shared) || shared >= INSIDE * a.area().min(b.area())
}

/// Drops what cannot be a face beside one that is found more surely; best first.
pub(crate) fn suppressed(mut found: Vec<Detection>) -> Vec<Detection> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.y.total_cmp(&b.y)).then(a.x.total_cmp(&b.x)));
    let mut faces: Vec<Detection> = Vec::new();
    for face in found {
        if faces.iter().all(|other| !exclude(other, &face)) {
            faces.push(face);
        }
    }
    faces
}

/// The upright box that a turned one is taken for where boxes are compared: its own, with width and height mixed as far as it
/// is turned.
struct Shape {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl Shape {
    fn of(face: &Detection) -> Self {
        let [x, y] = face.centre();
        let side_on = face.roll.to_radians().sin().powi(2);
        let width = face.width + (face.height - face.width) * side_on;
        let height = face.height + (face.width - face.height) * side_on;
        Self {
            left: x - width / 2.0,
            top: y - height / 2.0,
            right: x + width / 2.0,
            bottom: y + height / 2.0,
        }
    }

    fn area(&self) -> f32 {
        (self.right - self.left) * (self.bottom - self.top)
    }

    fn shared(&self, other: &Self) -> f32 {
        let across = self.right.min(other.right) - self.left.max(other.left);
        let down = self.bottom.min(other.bottom) - self.top.max(other.top);
        across.max(0.0) * down.max(0.0)
    }
}

/// One box a face: the best-scored box takes in all that overlap it much, and becomes their mean weighted by
/// score (Bazarevsky et al. 2019), which is steadier than the best box alone; the mean of rolls is that of directions. Then
/// what lies inside a face found more surely is dropped. Best first.
pub(crate) fn merge(mut found: Vec<Detection>) -> Vec<Detection> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.y.total_cmp(&b.y)).then(a.x.total_cmp(&b.x)));
    let mut faces: Vec<Detection> = Vec::new();
    let mut taken = vec![false; found.len()];
    for i in 0..found.len() {
        if taken[i] {
            continue;
        }
        let best = found[i];
        let mut sum = [0.0; 7];
        for j in i..found.len() {
            let other = &found[j];
            if taken[j] || overlap(&best, other) < SAME_FACE {
                continue;
            }
            taken[j] = true;
            let weight = other.score;
            let [x, y] = other.centre();
            let (sin, cos) = other.roll.to_radians().sin_cos();
            for (s, v) in sum.iter_mut().zip([1.0, x, y, other.width, other.height, sin, cos]) {
                *s += weight * v;
            }
        }
        let [weight, x, y, width, height, sin, cos] = sum;
        let [x, y, width, height] = [x, y, width, height].map(|v| v / weight);
        let roll = sin.atan2(cos).to_degrees();
        faces.push(Detection { x: x - width / 2.0, y: y - height / 2.0, width, height, roll, ..best });
    }
    suppressed(faces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, y: f32, side: f32, score: f32) -> Detection {
        Detection { x, y, width: side, height: side, score, roll: 0.0 }
    }

    #[test]
    fn overlapping_boxes_become_one_at_their_weighted_mean() {
        let faces =
            merge(vec![face(0.0, 0.0, 10.0, 0.6), face(2.0, 0.0, 10.0, 0.2), face(50.0, 0.0, 10.0, 0.9)]);
        assert_eq!(faces.len(), 2);
        assert_eq!((faces[0].x, faces[0].score), (50.0, 0.9));
        assert!((faces[1].x - 0.5).abs() < 1e-6 && faces[1].score == 0.6, "{faces:?}");
    }

    #[test]
    fn what_lies_inside_a_face_is_none_and_a_child_before_a_parent_stays() {
        let parent = face(100.0, 100.0, 200.0, 0.9);
        for (x, y, side, stays) in [
            (130.0, 160.0, 50.0, false), // an eye
            (160.0, 230.0, 90.0, false), // mouth and chin
            (60.0, 60.0, 330.0, false),  // head and shoulders
            (240.0, 230.0, 110.0, true), // a child at the lower right corner
            (310.0, 150.0, 120.0, true), // somebody beside
        ] {
            let faces = merge(vec![parent, face(x, y, side, 0.8)]);
            assert_eq!(faces.len(), 1 + usize::from(stays), "{x}, {y}, {side}");
        }
    }

    #[test]
    fn rolls_are_averaged_as_directions_and_a_lying_face_overlaps_as_it_lies() {
        let turned = |roll| Detection { roll, ..face(0.0, 0.0, 40.0, 0.5) };
        let faces = merge(vec![turned(170.0), turned(-170.0)]);
        assert!(faces.len() == 1 && faces[0].roll.abs() > 179.9, "{faces:?}");
        let upright = Detection { height: 80.0, y: -20.0, ..turned(0.0) };
        assert!(overlap(&upright, &Detection { roll: 90.0, ..upright }) < 0.35);
        assert!(overlap(&upright, &Detection { roll: 180.0, ..upright }) > 0.999);
    }

    #[test]
    fn a_cell_gives_the_box_it_was_made_from() {
        // Stride 16, column 3, row 2: centre 56, 40.
        let value = [2.0, 0.25, -0.5, (2.0f32).ln(), 0.0];
        assert_eq!(geometry(&value, 16, 3, 2)[..2], [60.0, 32.0]);
        let [_, _, w, h] = geometry(&value, 16, 3, 2);
        assert!((w - 96.0).abs() < 1e-3 && (h - 48.0).abs() < 1e-4);
        let mut values = vec![-20.0; cells(32, 64).count() * VALUES];
        values[..VALUES].copy_from_slice(&[0.0, 0.0, 0.0, 0.0, 0.0]);
        let found = decode(&values, 32, 64, [1.0, 0.0], 0.4);
        assert_eq!(found, [Detection { x: -8.0, y: -8.0, width: 24.0, height: 24.0, score: 0.5, roll: 0.0 }]);
    }
}
