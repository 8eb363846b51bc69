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
    let least = (logit(threshold) - shift) / slope;
    let mut found = Vec::new();
    for (value, (stride, column, row)) in values.chunks_exact(VALUES).zip(cells(height, width)) {
        if value[0] >= least {
            let [x, y, w, h] = geometry(value, stride, column, row);
            let score = 1.0 / (1.0 + (-(slope * value[0] + shift)).exp());
            found.push(Detection { x: x - w / 2.0, y: y - h / 2.0, width: w, height: h, score, turn: 0 });
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

fn logit(p: f32) -> f32 {
    (p / (1.0 - p)).ln()
}

/// Intersection over union of two boxes.
pub(crate) fn overlap(a: &Detection, b: &Detection) -> f32 {
    let across = (a.x + a.width).min(b.x + b.width) - a.x.max(b.x);
    let down = (a.y + a.height).min(b.y + b.height) - a.y.max(b.y);
    if across <= 0.0 || down <= 0.0 {
        return 0.0;
    }
    let shared = across * down;
    shared / (a.width * a.height + b.width * b.height - shared)
}

/// One box a face: the best-scored box takes in all that overlap it much, and becomes their mean weighted by
/// score (Bazarevsky et al. 2019), which is steadier than the best box alone. Best first.
pub(crate) fn merge(mut found: Vec<Detection>) -> Vec<Detection> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.y.total_cmp(&b.y)).then(a.x.total_cmp(&b.x)));
    let mut faces: Vec<Detection> = Vec::new();
    let mut taken = vec![false; found.len()];
    for i in 0..found.len() {
        if taken[i] {
            continue;
        }
        let best = found[i];
        let mut sum = [0.0; 5];
        for j in i..found.len() {
            let other = &found[j];
            if taken[j] || overlap(&best, other) < SAME_FACE {
                continue;
            }
            taken[j] = true;
            let weight = other.score;
            for (s, v) in sum.iter_mut().zip([1.0, other.x, other.y, other.width, other.height]) {
                *s += weight * v;
            }
        }
        let [weight, x, y, width, height] = sum;
        let mean = |v: f32| v / weight;
        let face = Detection { x: mean(x), y: mean(y), width: mean(width), height: mean(height), ..best };
        // The mean may have come to lie on a face that stands already.
        if faces.iter().all(|other| overlap(other, &face) < SAME_FACE) {
            faces.push(face);
        }
    }
    faces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, y: f32, side: f32, score: f32) -> Detection {
        Detection { x, y, width: side, height: side, score, turn: 0 }
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
    fn a_cell_gives_the_box_it_was_made_from() {
        // Stride 16, column 3, row 2: centre 56, 40.
        let value = [2.0, 0.25, -0.5, (2.0f32).ln(), 0.0];
        assert_eq!(geometry(&value, 16, 3, 2)[..2], [60.0, 32.0]);
        let [_, _, w, h] = geometry(&value, 16, 3, 2);
        assert!((w - 96.0).abs() < 1e-3 && (h - 48.0).abs() < 1e-4);
        let mut values = vec![-20.0; cells(32, 64).count() * VALUES];
        values[..VALUES].copy_from_slice(&[0.0, 0.0, 0.0, 0.0, 0.0]);
        let found = decode(&values, 32, 64, [1.0, 0.0], 0.4);
        assert_eq!(found, [Detection { x: -8.0, y: -8.0, width: 24.0, height: 24.0, score: 0.5, turn: 0 }]);
    }
}
