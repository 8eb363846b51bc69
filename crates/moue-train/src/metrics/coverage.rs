//! What leaving uncertain answers away would bring.

use serde::{Deserialize, Serialize};

use super::{Answer, ratio, wilson};

/// Accuracy when only the most confident answers are given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoveragePoint {
    /// Share of rows answered.
    pub coverage: f64,
    /// Smallest confidence among them.
    pub confidence: f64,
    /// Share of right ones among them.
    pub accuracy: f64,
}

/// What is left when answers below a confidence are not given.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Abstaining {
    /// Smallest confidence with which an answer is given.
    pub min_confidence: f32,
    /// Rows answered.
    pub count: usize,
    /// Their share of all rows.
    pub coverage: f64,
    /// Share of right ones among the answers given; 0 where none is.
    pub accuracy: f64,
    /// 95 % interval by Wilson's score.
    pub accuracy_ci95: [f64; 2],
}

impl Abstaining {
    /// Judges the rows of probabilities `rows` of `classes` values each against their labels.
    pub(crate) fn of(rows: &[f32], labels: &[usize], classes: usize, min_confidence: f32) -> Self {
        let given = rows.chunks_exact(classes.max(1)).zip(labels).filter_map(|(row, &label)| {
            let (class, confidence) = super::top(row);
            (confidence >= min_confidence).then_some(class == label)
        });
        let (count, right) = given.fold((0, 0), |(n, right), hit| (n + 1, right + usize::from(hit)));
        Self {
            min_confidence,
            count,
            coverage: ratio(count, labels.len()),
            accuracy: ratio(right, count),
            accuracy_ci95: wilson(right, count),
        }
    }
}

/// Points of the curve: coverage 5 %, 10 %, … 100 %.
const POINTS: usize = 20;

pub(super) fn curve(answers: &[Answer]) -> Vec<CoveragePoint> {
    let mut sorted: Vec<&Answer> = answers.iter().collect();
    // Stable, so that equal confidences keep the order of rows.
    sorted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let mut right = 0;
    let mut taken = 0;
    let mut points = Vec::with_capacity(POINTS);
    for point in 1..=POINTS {
        let end = (sorted.len() * point).div_ceil(POINTS);
        right += sorted[taken..end].iter().filter(|a| a.right).count();
        taken = end;
        let Some(last) = sorted[..end].last() else { continue };
        points.push(CoveragePoint {
            coverage: end as f64 / sorted.len() as f64,
            confidence: last.confidence.into(),
            accuracy: right as f64 / end as f64,
        });
    }
    points
}
