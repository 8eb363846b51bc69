//! What the network is taught: which cells stand for a face, and what their values cost.

use rayon::prelude::*;

use super::super::boxes::geometry;
use super::super::network::{STRIDES, VALUES, cells};

/// A face in pixels of the network's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// Left edge of the upright box.
    pub x: f32,
    /// Upper edge of the upright box.
    pub y: f32,
    /// Width of the face held upright.
    pub width: f32,
    /// Height of the face held upright.
    pub height: f32,
    /// By how much the face is turned clockwise about the centre of the box, in radians.
    pub roll: f32,
    /// What the cells inside learn.
    pub role: Role,
}

/// What a [`Target`] is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// A face to find. `roll_weight`, 0 to 1, tells how well its roll is known, for the network that learns it.
    Face {
        /// Weight of the roll in the loss.
        roll_weight: f32,
    },
    /// Neither face nor background, at any level.
    Ignored,
    /// A face of which too little is seen: neither face nor background for levels that learn faces of its size, background
    /// for the others, since an eye is no face.
    CutOff,
}

impl Target {
    /// A face whose roll is not known.
    pub fn face(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self { x, y, width, height, roll: 0.0, role: Role::Face { roll_weight: 0.0 } }
    }

    /// Root of the area.
    pub fn side(&self) -> f32 {
        (self.width * self.height).sqrt()
    }

    pub(super) fn is_face(&self) -> bool {
        matches!(self.role, Role::Face { .. })
    }
}

/// What one scene teaches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lesson {
    /// The faces.
    pub targets: Vec<Target>,
    /// Whether every face is among the targets. Where small ones may be missing, the finest level learns no background.
    pub complete: bool,
}

/// Sides (root of the area) that each level learns; neighbours share some.
const SIDES: [(f32, f32); 4] = [(0.0, 42.0), (32.0, 100.0), (76.0, 240.0), (180.0, f32::INFINITY)];

/// A level that does not learn a face of about its sides does not unlearn it either, within this factor.
const TOLERANCE: f32 = 1.5;

/// Weight of faces against background in the score's loss, and its power (Lin et al. 2017: focal loss).
const ALPHA: f32 = 0.4;
const GAMMA: i32 = 2;

/// Weight of the box loss.
const BOX_WEIGHT: f32 = 1.5;

/// What a cell is taught.
#[derive(Clone, Copy, Debug, PartialEq)]
enum CellTarget {
    Background,
    Ignore,
    Face(Target),
}

/// A place as the face sees it: from its centre across and down, the face held upright.
fn in_frame(t: &Target, x: f32, y: f32) -> [f32; 2] {
    let (dx, dy) = (x - t.x - t.width / 2.0, y - t.y - t.height / 2.0);
    let (sin, cos) = t.roll.sin_cos();
    [dx * cos + dy * sin, dy * cos - dx * sin]
}

/// What each cell of one picture is taught, in the order of the network's output.
fn assign(lesson: &Lesson, height: usize, width: usize) -> Vec<CellTarget> {
    cells(height, width)
        .map(|(stride, column, row)| {
            let step = stride as f32;
            let (x, y) = ((column as f32 + 0.5) * step, (row as f32 + 0.5) * step);
            let level = STRIDES.iter().position(|&s| s == stride).unwrap_or(0);
            let (low, high) = SIDES[level];
            let near = low / TOLERANCE..=high * TOLERANCE;
            let nothing =
                if level == 0 && !lesson.complete { CellTarget::Ignore } else { CellTarget::Background };
            let mut taught = nothing;
            let mut smallest = f32::INFINITY;
            for t in &lesson.targets {
                let [across, down] = in_frame(t, x, y).map(f32::abs);
                let side = t.side();
                if !t.is_face() {
                    let counts = t.role == Role::Ignored || near.contains(&side);
                    if counts
                        && across <= t.width / 2.0
                        && down <= t.height / 2.0
                        && taught == CellTarget::Background
                    {
                        taught = CellTarget::Ignore;
                    }
                    continue;
                }
                // Centre sampling (Tian et al. 2019): the middle of the box, at least the nearest cells.
                let central =
                    across <= (0.25 * t.width).max(0.7 * step) && down <= (0.22 * t.height).max(0.7 * step);
                if !central {
                    continue;
                }
                if (low..=high).contains(&side) {
                    if side < smallest {
                        smallest = side;
                        taught = CellTarget::Face(*t);
                    }
                } else if near.contains(&side) && taught == CellTarget::Background {
                    taught = CellTarget::Ignore;
                }
            }
            taught
        })
        .collect()
}

/// Loss of a batch, its gradient by every value written to `gradients`. `lessons` has what each picture teaches.
///
/// Scores: focal loss, divided by the number of cells that stand for a face. Boxes: distance-IoU loss (Zheng et al.
/// 2020) in the frame of the face, as if it were upright; their mean.
pub(crate) fn loss(
    outputs: &[f32],
    gradients: &mut [f32],
    lessons: &[Lesson],
    height: usize,
    width: usize,
) -> f32 {
    let one = outputs.len() / lessons.len().max(1);
    let taught: Vec<Vec<CellTarget>> = lessons.par_iter().map(|l| assign(l, height, width)).collect();
    let faces = taught.iter().flatten().filter(|l| matches!(l, CellTarget::Face(_))).count().max(1) as f32;
    gradients.fill(0.0);
    let mut sum = 0.0_f64;
    for ((outputs, gradients), taught) in
        outputs.chunks_exact(one).zip(gradients.chunks_exact_mut(one)).zip(&taught)
    {
        let values = outputs.chunks_exact(VALUES).zip(gradients.chunks_exact_mut(VALUES));
        for (((value, gradient), taught), (stride, column, row)) in
            values.zip(taught).zip(cells(height, width))
        {
            match taught {
                CellTarget::Ignore => {}
                CellTarget::Background => {
                    let (own, slope) = focal(-value[0], 1.0 - ALPHA);
                    sum += f64::from(own / faces);
                    gradient[0] = -slope / faces;
                }
                CellTarget::Face(wanted) => {
                    let (own, slope) = focal(value[0], ALPHA);
                    gradient[0] = slope / faces;
                    sum += f64::from(own / faces);
                    sum += f64::from(box_loss(value, gradient, wanted, [stride, column, row], faces));
                }
            }
        }
    }
    sum as f32
}

/// What the box of a cell costs, its gradient written behind the score's.
fn box_loss(
    value: &[f32],
    gradient: &mut [f32],
    wanted: &Target,
    [stride, column, row]: [usize; 3],
    faces: f32,
) -> f32 {
    let [x, y, w, h] = geometry(value, stride, column, row);
    let [across, down] = in_frame(wanted, x, y);
    let (distance, by) = distance_iou([across, down, w, h], [0.0, 0.0, wanted.width, wanted.height]);
    let weight = BOX_WEIGHT / faces;
    let step = stride as f32;
    let (sin, cos) = wanted.roll.sin_cos();
    // From the frame of the face back to that of the picture.
    let by_place = [by[0] * cos - by[1] * sin, by[0] * sin + by[1] * cos];
    gradient[1] = weight * by_place[0] * step;
    gradient[2] = weight * by_place[1] * step;
    gradient[3] = weight * by[2];
    gradient[4] = weight * by[3];
    weight * distance
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

    fn turned(target: Target, roll: f32, roll_weight: f32) -> Target {
        Target { roll, role: Role::Face { roll_weight }, ..target }
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let (height, width) = (64, 96);
        let all = |targets| Lesson { targets, complete: true };
        let lessons = vec![
            all(vec![
                turned(Target::face(10.0, 12.0, 20.0, 26.0), 0.4, 1.0),
                turned(Target::face(40.0, 2.0, 30.0, 48.0), -2.5, 0.5),
                Target { role: Role::Ignored, ..Target::face(70.0, 40.0, 20.0, 20.0) },
            ]),
            all(vec![Target::face(-8.0, -4.0, 70.0, 84.0)]),
            all(vec![turned(Target::face(-80.0, -90.0, 200.0, 250.0), 1.6, 1.0)]),
        ];
        let n = cells(height, width).count() * VALUES * 3;
        let outputs: Vec<f32> = (0..n).map(|i| ((i * 7919 % 1013) as f32 / 1013.0 - 0.5) * 1.6).collect();
        let mut gradients = vec![0.0; n];
        loss(&outputs, &mut gradients, &lessons, height, width);
        let mut checked = 0;
        for i in 0..n {
            let at = |offset: f32| {
                let mut moved = outputs.clone();
                moved[i] += offset;
                f64::from(loss(&moved, &mut vec![0.0; n], &lessons, height, width))
            };
            let slope = (at(2e-3) - at(-2e-3)) / 4e-3;
            let gradient = f64::from(gradients[i]);
            assert!((slope - gradient).abs() < 4e-3 + 0.02 * slope.abs(), "{i}: {slope} and {gradient}");
            checked += usize::from(gradient.abs() > 0.01);
        }
        assert!(checked > 40, "{checked} gradients of some size");
    }

    #[test]
    fn each_face_has_a_cell_whatever_its_size_and_roll() {
        for side in [8.0, 12.0, 20.0, 40.0, 75.0, 120.0, 250.0, 500.0] {
            for shift in 0..16 {
                let x = 120.0 + shift as f32;
                let roll = shift as f32 * 0.4;
                let target = turned(Target::face(x, 130.0 - x / 3.0, side * 0.85, side), roll, 1.0);
                let lesson = Lesson { targets: vec![target], complete: true };
                let taught = assign(&lesson, 288, 288);
                let faces = taught.iter().filter(|l| matches!(l, CellTarget::Face(_))).count();
                assert!(faces > 0, "{side} at {x}");
            }
        }
    }

    #[test]
    fn ignored_boxes_teach_nothing_and_cut_off_faces_only_that_their_parts_are_none() {
        let n = cells(64, 64).count() * VALUES;
        let values = vec![0.3; n];
        let taught = |role, complete| {
            let target = Target { role, ..Target::face(-200.0, -200.0, 464.0, 464.0) };
            let mut gradients = vec![1.0; n];
            loss(&values, &mut gradients, &[Lesson { targets: vec![target], complete }], 64, 64);
            cells(64, 64)
                .zip(gradients.chunks_exact(VALUES))
                .filter(|(_, gradient)| gradient.iter().any(|&g| g != 0.0))
                .map(|((stride, ..), _)| stride)
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert!(taught(Role::Ignored, true).is_empty());
        assert_eq!(taught(Role::CutOff, true).into_iter().collect::<Vec<_>>(), [8, 16, 32]);
        assert_eq!(taught(Role::CutOff, false).into_iter().collect::<Vec<_>>(), [16, 32]);
    }
}
