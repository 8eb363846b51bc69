//! Whether confidences can be taken at their word.

use serde::{Deserialize, Serialize};

use super::Answer;

/// Bins of equal width over confidences, as in Guo et al. 2017.
pub const RELIABILITY_BINS: usize = 15;

/// One bar of the reliability diagram: answers whose confidence lies above `lower` and up to `upper`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lower bound, exclusive (the first bin includes 0).
    pub lower: f64,
    /// Upper bound, inclusive.
    pub upper: f64,
    /// Answers in the bin.
    pub count: usize,
    /// Their mean confidence; 0 in an empty bin.
    pub confidence: f64,
    /// Share of right ones among them; 0 in an empty bin.
    pub accuracy: f64,
}

pub(super) fn reliability(answers: &[Answer]) -> Vec<ReliabilityBin> {
    let mut sums = [(0usize, 0.0f64, 0usize); RELIABILITY_BINS];
    for answer in answers {
        let place = (f64::from(answer.confidence) * RELIABILITY_BINS as f64).ceil() as usize;
        let (count, confidence, right) = &mut sums[place.clamp(1, RELIABILITY_BINS) - 1];
        *count += 1;
        *confidence += f64::from(answer.confidence);
        *right += usize::from(answer.right);
    }
    sums.iter()
        .enumerate()
        .map(|(i, &(count, confidence, right))| {
            let rows = count.max(1) as f64;
            ReliabilityBin {
                lower: i as f64 / RELIABILITY_BINS as f64,
                upper: (i + 1) as f64 / RELIABILITY_BINS as f64,
                count,
                confidence: confidence / rows,
                accuracy: right as f64 / rows,
            }
        })
        .collect()
}

pub(super) fn expected_error(bins: &[ReliabilityBin]) -> f64 {
    let rows: usize = bins.iter().map(|b| b.count).sum();
    bins.iter().map(|b| b.count as f64 * (b.accuracy - b.confidence).abs()).sum::<f64>() / rows.max(1) as f64
}
