//! How good a detector is: recall, precision and average precision on photos with boxes.
//!
//! As in the PASCAL VOC challenge (Everingham et al. 2010): boxes are taken best first; each finds the face that it
//! overlaps most, if intersection over union reaches a half and no better box had that face. Boxes on faces that are to
//! be ignored, or too small to be asked for, count neither way.

pub mod single;

use moue_media::Picture;

use crate::labelled::{LabelledBox, Photo};
use crate::{Detection, Detector, Error};

/// Overlap from which a box has found a face.
const FOUND: f32 = 0.5;

/// Share of a box inside an ignored one from which it counts neither way.
const PASSED_OVER: f32 = 0.5;

/// Lower limits of the size classes, in pixels (root of the area of a face).
pub const SIZE_CLASSES: [f32; 4] = [20.0, 32.0, 64.0, 128.0];

/// Lower limits of the classes of [`Sought::share`].
pub const SHARE_CLASSES: [f32; 7] = [0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8];

/// Upper limits of the classes of scores in a [reliability](Evaluation::reliability) table.
pub const SCORE_CLASSES: [f32; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 0.97, 1.0];

/// A face that is to be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sought {
    /// Root of its area, in pixels.
    pub side: f32,
    /// Its height over that of the picture.
    pub share: f32,
}

/// One box of the detector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Its score.
    pub score: f32,
    /// The face it found; `None` where there is none.
    pub found: Option<Sought>,
}

/// One line of a table: of so many faces, which share was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Class {
    /// Lower limit of the class.
    pub from: f32,
    /// Faces there are.
    pub faces: usize,
    /// Share of them that is found, 0 to 1.
    pub recall: f64,
}

/// One line of a reliability table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reliability {
    /// Scores of the class: above the first, up to the second.
    pub scores: [f32; 2],
    /// Boxes with such a score.
    pub boxes: usize,
    /// Their mean score.
    pub mean: f64,
    /// Share of them that are faces.
    pub right: f64,
}

/// All boxes of a detector over some photos, and what there was to find.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Every box, best first.
    pub judged: Vec<Judged>,
    /// Each face that was to be found.
    pub faces: Vec<Sought>,
    /// Photos looked at.
    pub photos: usize,
}

/// What a threshold brings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operating {
    /// Smallest score that counts.
    pub threshold: f32,
    /// Share of the faces that are found, 0 to 1.
    pub recall: f64,
    /// Share of the boxes that are faces, 0 to 1; 1 where there are no boxes.
    pub precision: f64,
    /// Boxes without a face, a photo.
    pub false_faces: f64,
}

impl Evaluation {
    /// Looks for faces in every photo. Faces whose side (root of the area) is below `smallest` pixels are not asked for.
    ///
    /// # Errors
    /// Those of the detector.
    pub fn of(detector: &mut dyn Detector, photos: &[Photo], smallest: f32) -> Result<Self, Error> {
        let mut all = Self { photos: photos.len(), ..Self::default() };
        for photo in photos {
            let picture: Picture = photo.picture.to_picture();
            all.judge(detector.detect(&picture)?, &photo.boxes, smallest, photo.picture.height() as f32);
        }
        all.judged.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(all)
    }

    /// Takes in what another detection of the same detector over other photos gave.
    pub fn extend(&mut self, other: Self) {
        self.judged.extend(other.judged);
        self.judged.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.faces.extend(other.faces);
        self.photos += other.photos;
    }

    fn judge(&mut self, mut found: Vec<Detection>, boxes: &[LabelledBox], smallest: f32, height: f32) {
        let sought = |b: &LabelledBox| Sought { side: (b.width * b.height).sqrt(), share: b.height / height };
        let side = |b: &LabelledBox| (b.width * b.height).sqrt();
        let wanted = |b: &LabelledBox| !b.ignore && side(b) >= smallest;
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut taken = vec![false; boxes.len()];
        for detection in &found {
            let best = (0..boxes.len())
                .filter(|&i| wanted(&boxes[i]) && !taken[i])
                .map(|i| (i, shared(detection, &boxes[i]).0))
                .filter(|&(_, overlap)| overlap >= FOUND)
                .max_by(|a, b| a.1.total_cmp(&b.1));
            let found = match best {
                Some((i, _)) => {
                    taken[i] = true;
                    Some(sought(&boxes[i]))
                }
                None => {
                    let passed_over = boxes.iter().filter(|b| !wanted(b)).any(|b| {
                        let (overlap, inside) = shared(detection, b);
                        overlap >= FOUND || inside >= PASSED_OVER
                    });
                    if passed_over {
                        continue;
                    }
                    None
                }
            };
            self.judged.push(Judged { score: detection.score, found });
        }
        self.faces.extend(boxes.iter().filter(|b| wanted(b)).map(sought));
    }

    /// What this threshold brings.
    pub fn at(&self, threshold: f32) -> Operating {
        let boxes = self.judged.iter().filter(|j| j.score >= threshold);
        let (right, wrong) = boxes.fold((0, 0), |(right, wrong), j| match j.found {
            Some(_) => (right + 1, wrong),
            None => (right, wrong + 1),
        });
        Operating {
            threshold,
            recall: share(right, self.faces.len()),
            precision: if right + wrong == 0 { 1.0 } else { share(right, right + wrong) },
            false_faces: share(wrong, self.photos),
        }
    }

    /// Every threshold that a box of the detector makes, highest first.
    pub fn curve(&self) -> Vec<Operating> {
        let (mut right, mut points) = (0, Vec::new());
        for (i, judged) in self.judged.iter().enumerate() {
            right += usize::from(judged.found.is_some());
            if self.judged.get(i + 1).is_none_or(|next| next.score < judged.score) {
                points.push(Operating {
                    threshold: judged.score,
                    recall: share(right, self.faces.len()),
                    precision: share(right, i + 1),
                    false_faces: share(i + 1 - right, self.photos),
                });
            }
        }
        points
    }

    /// The threshold that finds most faces while at least this share of the boxes is right; `None` where none does.
    pub fn most_at(&self, precision: f64) -> Option<Operating> {
        let fit = self.curve().into_iter().filter(|point| point.precision >= precision);
        fit.max_by(|a, b| a.recall.total_cmp(&b.recall))
    }

    /// Area under precision over recall, precision taken as the best at this recall or beyond.
    pub fn average_precision(&self) -> f64 {
        let curve = self.curve();
        let (mut best, mut area) = (0.0_f64, 0.0);
        for (i, point) in curve.iter().enumerate().rev() {
            best = best.max(point.precision);
            let before = if i == 0 { 0.0 } else { curve[i - 1].recall };
            area += best * (point.recall - before);
        }
        area
    }

    /// For each class of [`SIZE_CLASSES`], what this threshold finds.
    pub fn by_size(&self, threshold: f32) -> Vec<Class> {
        self.by(&SIZE_CLASSES, threshold, |face| face.side)
    }

    /// For each class of [`SHARE_CLASSES`], what this threshold finds.
    pub fn by_share(&self, threshold: f32) -> Vec<Class> {
        self.by(&SHARE_CLASSES, threshold, |face| face.share)
    }

    fn by(&self, classes: &[f32], threshold: f32, measure: impl Fn(&Sought) -> f32) -> Vec<Class> {
        let class = |face: &Sought| classes.iter().rposition(|&low| measure(face) >= low);
        (0..classes.len())
            .map(|k| {
                let faces = self.faces.iter().filter(|face| class(face) == Some(k)).count();
                let counted = self.judged.iter().filter(|j| j.score >= threshold);
                let found =
                    counted.filter(|j| j.found.as_ref().is_some_and(|face| class(face) == Some(k))).count();
                Class { from: classes[k], faces, recall: share(found, faces) }
            })
            .collect()
    }

    /// Whether scores are the share of boxes that are faces, by classes of the score.
    pub fn reliability(&self) -> Vec<Reliability> {
        let mut low = 0.0;
        SCORE_CLASSES
            .into_iter()
            .map(|high| {
                let inside: Vec<&Judged> =
                    self.judged.iter().filter(|j| j.score > low && j.score <= high).collect();
                let right = inside.iter().filter(|j| j.found.is_some()).count();
                let sum: f64 = inside.iter().map(|j| f64::from(j.score)).sum();
                let row = Reliability {
                    scores: [low, high],
                    boxes: inside.len(),
                    mean: sum / inside.len().max(1) as f64,
                    right: share(right, inside.len()),
                };
                low = high;
                row
            })
            .collect()
    }

    /// Slope and shift of a logistic curve over the logit of the score that gives the share of right boxes (Platt 1999),
    /// by Newton's method. `None` where all boxes are right, or none.
    pub fn calibration(&self) -> Option<(f64, f64)> {
        let points: Vec<(f64, f64)> = self
            .judged
            .iter()
            .map(|j| {
                let p = f64::from(j.score).clamp(1e-6, 1.0 - 1e-6);
                ((p / (1.0 - p)).ln(), f64::from(u8::from(j.found.is_some())))
            })
            .collect();
        let right = points.iter().filter(|p| p.1 > 0.5).count();
        if right == 0 || right == points.len() {
            return None;
        }
        // A weak pull to slope 1 keeps the answer finite where the scores separate the boxes.
        let cost = |slope: f64, shift: f64| -> f64 {
            let pull = 0.5 * (slope - 1.0) * (slope - 1.0);
            pull + points
                .iter()
                .map(|&(x, y)| {
                    let z = slope * x + shift;
                    z.max(0.0) - z * y + (-z.abs()).exp().ln_1p()
                })
                .sum::<f64>()
        };
        let (mut slope, mut shift) = (1.0_f64, 0.0_f64);
        let mut least = cost(slope, shift);
        for _ in 0..100 {
            let (mut g, mut h) = ([slope - 1.0, 0.0], [1.0, 0.0, 1e-6]);
            for &(x, y) in &points {
                let p = 1.0 / (1.0 + (-(slope * x + shift)).exp());
                let w = p * (1.0 - p);
                g[0] += (p - y) * x;
                g[1] += p - y;
                h[0] += w * x * x;
                h[1] += w * x;
                h[2] += w;
            }
            let determinant = h[0] * h[2] - h[1] * h[1];
            let step = [(h[2] * g[0] - h[1] * g[1]) / determinant, (h[0] * g[1] - h[1] * g[0]) / determinant];
            // Far from the answer a whole step may lead away from it.
            let halves = (0..40).map(|k| 0.5_f64.powi(k));
            let better = halves
                .map(|k| (slope - k * step[0], shift - k * step[1]))
                .map(|(slope, shift)| (slope, shift, cost(slope, shift)))
                .find(|&(.., cost)| cost < least);
            let Some((a, b, cost)) = better else { break };
            (slope, shift, least) = (a, b, cost);
        }
        (slope.is_finite() && shift.is_finite()).then_some((slope, shift))
    }
}

fn share(part: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

/// Intersection over union, and the share of the box that lies inside the labelled one.
fn shared(a: &Detection, b: &LabelledBox) -> (f32, f32) {
    let across = ((a.x + a.width).min(b.x + b.width) - a.x.max(b.x)).max(0.0);
    let down = ((a.y + a.height).min(b.y + b.height) - a.y.max(b.y)).max(0.0);
    let (area, own) = (across * down, a.width * a.height);
    (area / (own + b.width * b.height - area), area / own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(x: f32, side: f32, ignore: bool) -> LabelledBox {
        LabelledBox { x, y: 0.0, width: side, height: side, ignore }
    }

    fn detection(x: f32, side: f32, score: f32) -> Detection {
        Detection { x, y: 0.0, width: side, height: side, score, roll: 0.0 }
    }

    #[test]
    fn boxes_are_judged_best_first_and_ignored_ones_count_neither_way() {
        let mut all = Evaluation { photos: 2, ..Evaluation::default() };
        let boxes = [
            labelled(0.0, 40.0, false),
            labelled(100.0, 50.0, true),
            labelled(200.0, 10.0, false),
            labelled(300.0, 90.0, false),
        ];
        let found = vec![
            detection(2.0, 40.0, 0.7),   // the same face again, with a lower score than the next
            detection(0.0, 40.0, 0.9),   // found
            detection(101.0, 50.0, 0.8), // ignored
            detection(200.0, 10.0, 0.6), // too small to be asked for
            detection(500.0, 40.0, 0.5), // nothing there
        ];
        all.judge(found, &boxes, 20.0, 300.0);
        all.judged.sort_by(|a, b| b.score.total_cmp(&a.score));
        assert_eq!(
            all.faces,
            [Sought { side: 40.0, share: 40.0 / 300.0 }, Sought { side: 90.0, share: 0.3 }]
        );
        let outcome: Vec<(f32, bool)> = all.judged.iter().map(|j| (j.score, j.found.is_some())).collect();
        assert_eq!(outcome, [(0.9, true), (0.7, false), (0.5, false)]);
        let at = all.at(0.6);
        assert_eq!((at.recall, at.precision, at.false_faces), (0.5, 0.5, 0.5));
        assert_eq!(all.average_precision(), 0.5);
        let rows = |classes: Vec<Class>| -> Vec<_> { classes.iter().map(|c| (c.faces, c.recall)).collect() };
        assert_eq!(rows(all.by_size(0.5)), [(0, 0.0), (1, 1.0), (1, 0.0), (0, 0.0)]);
        assert_eq!(rows(all.by_share(0.5))[2..4], [(1, 1.0), (1, 0.0)]);
        let scores: Vec<_> = all.reliability().iter().map(|r| (r.boxes, r.right)).collect();
        assert_eq!(scores[4..8], [(1, 0.0), (1, 0.0), (1, 1.0), (0, 0.0)]);
        assert_eq!(all.curve().len(), 3);
        let best = all.most_at(0.6);
        assert_eq!(best.map(|at| (at.threshold, at.recall)), Some((0.9, 0.5)));
        assert_eq!(all.most_at(0.3).map(|at| at.recall), Some(0.5));
        assert_eq!(Evaluation::default().most_at(0.0), None);
    }

    #[test]
    fn calibration_finds_the_curve_that_the_outcomes_follow() {
        let mut all = Evaluation::default();
        // Of 100 boxes of each score, as many are right as 2 * logit - 1 says.
        for k in 1..20 {
            let score = k as f32 / 20.0;
            let logit = f64::from(score / (1.0 - score)).ln();
            let right = (100.0 / (1.0 + (-(2.0 * logit - 1.0)).exp())).round() as usize;
            all.judged.extend(
                (0..100).map(|i| Judged {
                    score,
                    found: (i < right).then_some(Sought { side: 50.0, share: 0.5 }),
                }),
            );
        }
        let (slope, shift) = all.calibration().unwrap();
        assert!((slope - 2.0).abs() < 0.05 && (shift + 1.0).abs() < 0.05, "{slope} {shift}");
        // Scores that are far too sure, as those of a network after training: most are near 1, right or wrong.
        let mut sure = Evaluation::default();
        for k in 0..1000 {
            let logit = 2.0 + 10.0 * k as f32 / 1000.0;
            let right = (k * 7919 % 1000) as f64 / 1000.0 < 1.0 / (1.0 + (-(f64::from(logit) - 6.0)).exp());
            let found = right.then_some(Sought { side: 50.0, share: 0.5 });
            sure.judged.push(Judged { score: 1.0 / (1.0 + (-logit).exp()), found });
        }
        let (slope, shift) = sure.calibration().unwrap();
        assert!((slope - 1.0).abs() < 0.2 && (shift + 6.0).abs() < 1.0, "{slope} {shift}");
    }
}
