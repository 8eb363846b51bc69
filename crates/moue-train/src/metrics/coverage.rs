//! What leaving uncertain answers away would bring.

use serde::{Deserialize, Serialize};

use super::Answer;

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
