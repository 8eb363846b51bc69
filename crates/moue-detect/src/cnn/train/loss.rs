//! What the network is taught: which cells stand for a face, and what their values cost.

use super::super::boxes::geometry;
use super::super::network::{STRIDES, VALUES, cells};

/// A box in pixels of the network's input. One to ignore is neither face nor background.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// Whether cells inside are left out of the loss.
    pub ignore: bool,
}

/// Sides (root of the area) that each level learns; neighbours share some.
const SIDES: [(f32, f32); 3] = [(0.0, 42.0), (32.0, 100.0), (76.0, f32::INFINITY)];

/// A level that does not learn a face of about its sides does not unlearn it either, within this factor.
const TOLERANCE: f32 = 1.5;

/// Weight of faces against background in the score's loss, and its power (Lin et al. 2017: focal loss).
const ALPHA: f32 = 0.4;
const GAMMA: i32 = 2;

/// Weight of the box loss.
const BOX_WEIGHT: f32 = 1.5;

/// What a cell is taught.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lesson {
    Background,
    Ignore,
    Face([f32; 4]),
}

/// The lesson of each cell of one picture, in the order of the network's output.
fn lessons(targets: &[Target], height: usize, width: usize) -> Vec<Lesson> {
    cells(height, width)
        .map(|(stride, column, row)| {
            let step = stride as f32;
            let (x, y) = ((column as f32 + 0.5) * step, (row as f32 + 0.5) * step);
            let level = STRIDES.iter().position(|&s| s == stride).unwrap_or(0);
            let (low, high) = SIDES[level];
            let mut lesson = Lesson::Background;
            let mut smallest = f32::INFINITY;
            for t in targets {
                let (cx, cy) = (t.x + t.width / 2.0, t.y + t.height / 2.0);
                let (across, down) = ((x - cx).abs(), (y - cy).abs());
                if t.ignore {
                    if across <= t.width / 2.0 && down <= t.height / 2.0 && lesson == Lesson::Background {
                        lesson = Lesson::Ignore;
                    }
                    continue;
                }
                // Centre sampling (Tian et al. 2019): the middle of the box, at least the nearest cells.
                let central =
                    across <= (0.25 * t.width).max(0.7 * step) && down <= (0.22 * t.height).max(0.7 * step);
                let side = (t.width * t.height).sqrt();
                if !central {
                    continue;
                }
                if (low..=high).contains(&side) {
                    if side < smallest {
                        smallest = side;
                        lesson = Lesson::Face([cx, cy, t.width, t.height]);
                    }
                } else if (low / TOLERANCE..=high * TOLERANCE).contains(&side) && lesson == Lesson::Background
                {
                    lesson = Lesson::Ignore;
                }
            }
            lesson
        })
        .collect()
}

/// Loss of a batch, its gradient by every value written to `gradients`. `targets` has the boxes of each picture.
///
/// Scores: focal loss, divided by the number of cells that stand for a face. Boxes: distance-IoU loss (Zheng et al.
/// 2020), their mean.
pub(crate) fn loss(
    outputs: &[f32],
    gradients: &mut [f32],
    targets: &[Vec<Target>],
    height: usize,
    width: usize,
) -> f32 {
    let one = outputs.len() / targets.len().max(1);
    let lessons: Vec<Vec<Lesson>> = targets.iter().map(|t| lessons(t, height, width)).collect();
    let faces = lessons.iter().flatten().filter(|l| matches!(l, Lesson::Face(_))).count().max(1) as f32;
    gradients.fill(0.0);
    let mut sum = 0.0_f64;
    for ((outputs, gradients), lessons) in
        outputs.chunks_exact(one).zip(gradients.chunks_exact_mut(one)).zip(&lessons)
    {
        let values = outputs.chunks_exact(VALUES).zip(gradients.chunks_exact_mut(VALUES));
        for (((value, gradient), lesson), (stride, column, row)) in
            values.zip(lessons).zip(cells(height, width))
        {
            match lesson {
                Lesson::Ignore => {}
                Lesson::Background => {
                    let (own, slope) = focal(-value[0], 1.0 - ALPHA);
                    sum += f64::from(own / faces);
                    gradient[0] = -slope / faces;
                }
                Lesson::Face(wanted) => {
                    let (own, slope) = focal(value[0], ALPHA);
                    gradient[0] = slope / faces;
                    let (distance, by) = distance_iou(geometry(value, stride, column, row), *wanted);
                    let weight = BOX_WEIGHT / faces;
                    sum += f64::from(own / faces + weight * distance);
                    let step = stride as f32;
                    let box_gradient = [by[0] * step, by[1] * step, by[2], by[3]];
                    for (g, b) in gradient[1..].iter_mut().zip(box_gradient) {
                        *g = weight * b;
                    }
                }
            }
        }
    }
    sum as f32
}

/// Focal loss of a logit that should be large, and its slope.
fn focal(logit: f32, alpha: f32) -> (f32, f32) {
    let p = 1.0 / (1.0 + (-logit).exp());
    // -ln p, safe where p is 0.
    let cost = if logit > 0.0 { (-logit).exp().ln_1p() } else { logit.exp().ln_1p() - logit };
    let miss = 1.0 - p;
    let weight = miss.powi(GAMMA);
    let slope = -weight * (GAMMA as f32 * p * cost + miss);
    (alpha * weight * cost, alpha * slope)
}

/// `1 - IoU + (distance of centres / diagonal of the hull)^2` of a box (centre, width, height), and its gradient by
/// centre and by the logarithms of width and height.
fn distance_iou(a: [f32; 4], b: [f32; 4]) -> (f32, [f32; 4]) {
    let edges = |[x, y, w, h]: [f32; 4]| [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0];
    let (p, q) = (edges(a), edges(b));
    let side = |axis: usize| (p[axis + 2].min(q[axis + 2]) - p[axis].max(q[axis])).max(0.0);
    let (across, down) = (side(0), side(1));
    let shared = across * down;
    let union = a[2] * a[3] + b[2] * b[3] - shared;
    let iou = shared / union;
    let hull = [0, 1].map(|axis| p[axis + 2].max(q[axis + 2]) - p[axis].min(q[axis]));
    let diagonal = hull[0] * hull[0] + hull[1] * hull[1];
    let apart = (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
    // By the four edges: shared part, area and hull; then by centre and side.
    let mut by = [0.0; 4];
    for axis in 0..2 {
        let other = if axis == 0 { down } else { across };
        let other_side = if axis == 0 { a[3] } else { a[2] };
        let meet = shared > 0.0;
        let shared_by = [
            if meet && p[axis] > q[axis] { -other } else { 0.0 },
            if meet && p[axis + 2] < q[axis + 2] { other } else { 0.0 },
        ];
        let area_by = [-other_side, other_side];
        let hull_by =
            [if p[axis] < q[axis] { -1.0 } else { 0.0 }, if p[axis + 2] > q[axis + 2] { 1.0 } else { 0.0 }];
        let edge = [0, 1].map(|e| {
            let iou_by = (shared_by[e] * (union + shared) - shared * area_by[e]) / (union * union);
            let diagonal_by = 2.0 * hull[axis] * hull_by[e];
            -iou_by - apart * diagonal_by / (diagonal * diagonal)
        });
        by[axis] = edge[0] + edge[1] + 2.0 * (a[axis] - b[axis]) / diagonal;
        by[axis + 2] = (edge[1] - edge[0]) * a[axis + 2] / 2.0;
    }
    (1.0 - iou + apart / diagonal, by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let (height, width) = (64, 96);
        let targets = vec![
            vec![
                Target { x: 10.0, y: 12.0, width: 20.0, height: 26.0, ignore: false },
                Target { x: 40.0, y: 2.0, width: 30.0, height: 48.0, ignore: false },
                Target { x: 70.0, y: 40.0, width: 20.0, height: 20.0, ignore: true },
            ],
            vec![Target { x: -8.0, y: -4.0, width: 70.0, height: 84.0, ignore: false }],
        ];
        let n = cells(height, width).count() * VALUES * 2;
        let outputs: Vec<f32> = (0..n).map(|i| ((i * 7919 % 1013) as f32 / 1013.0 - 0.5) * 1.6).collect();
        let mut gradients = vec![0.0; n];
        loss(&outputs, &mut gradients, &targets, height, width);
        let mut checked = 0;
        for i in 0..n {
            let at = |offset: f32| {
                let mut moved = outputs.clone();
                moved[i] += offset;
                f64::from(loss(&moved, &mut vec![0.0; n], &targets, height, width))
            };
            let slope = (at(2e-3) - at(-2e-3)) / 4e-3;
            let gradient = f64::from(gradients[i]);
            assert!((slope - gradient).abs() < 4e-3 + 0.02 * slope.abs(), "{i}: {slope} and {gradient}");
            checked += usize::from(gradient.abs() > 0.01);
        }
        assert!(checked > 40, "{checked} gradients of some size");
    }

    #[test]
    fn each_face_has_a_cell_whatever_its_size() {
        for side in [8.0, 12.0, 20.0, 40.0, 75.0, 120.0, 250.0] {
            for shift in 0..16 {
                let x = 120.0 + shift as f32;
                let target =
                    Target { x, y: 130.0 - x / 3.0, width: side * 0.85, height: side, ignore: false };
                let lessons = lessons(&[target], 288, 288);
                let faces = lessons.iter().filter(|l| matches!(l, Lesson::Face(_))).count();
                assert!(faces > 0, "{side} at {x}");
            }
        }
    }

    #[test]
    fn ignored_boxes_teach_nothing() {
        let target = Target { x: 0.0, y: 0.0, width: 64.0, height: 64.0, ignore: true };
        let n = cells(64, 64).count() * VALUES;
        let mut gradients = vec![1.0; n];
        assert_eq!(loss(&vec![0.3; n], &mut gradients, &[vec![target]], 64, 64), 0.0);
        assert!(gradients.iter().all(|&g| g == 0.0));
    }
}
