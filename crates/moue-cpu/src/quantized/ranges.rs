//! Which range of real values the 256 steps of an activation cover.

use moue_graph::Scaling;

/// Bins on each side of zero.
const BINS: usize = 2048;

/// How often values occur.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    /// Values in `[-limit, limit)`, in bins of equal width; the limit doubles as values come that
    /// exceed it.
    bins: Vec<u64>,
    limit: f32,
    low: f32,
    high: f32,
}

impl Histogram {
    pub fn new() -> Self {
        Self { bins: vec![0; 2 * BINS], limit: 1.0 / 1024.0, low: 0.0, high: 0.0 }
    }

    /// Counts values; those that are not finite are left out.
    pub fn add(&mut self, values: &[f32]) {
        let (low, high) = values
            .iter()
            .filter(|v| v.is_finite())
            .fold((self.low, self.high), |(low, high), &v| (low.min(v), high.max(v)));
        (self.low, self.high) = (low, high);
        while high.max(-low) >= self.limit && self.limit < f32::MAX / 4.0 {
            self.widen();
        }
        let factor = BINS as f32 / self.limit;
        for &v in values {
            if v.is_finite() {
                let bin = (v * factor + BINS as f32) as usize;
                self.bins[bin.min(2 * BINS - 1)] += 1;
            }
        }
    }

    /// Doubles the limit; pairs of bins become one.
    fn widen(&mut self) {
        let old = std::mem::replace(&mut self.bins, vec![0; 2 * BINS]);
        for (i, count) in old.into_iter().enumerate() {
            self.bins[BINS / 2 + i / 2] += count;
        }
        self.limit *= 2.0;
    }

    /// The range whose steps and clipped ends together cause the smallest mean squared error.
    ///
    /// It includes 0 and, of the values that occur, at most all and at least a third on either side;
    /// a range that `bounds` ends at zero begins exactly there.
    pub fn best(&self, bounds: (f32, f32)) -> Scaling {
        let (low, high) = (self.low.max(bounds.0), self.high.min(bounds.1));
        let mut best = scaling(low, high);
        let mut least = self.error(best);
        // One end after the other, twice: what one clips changes the steps of the other.
        let (mut a, mut b) = (1.0, 1.0);
        for _ in 0..2 {
            for end in [1, 0] {
                for step in 1..=66 {
                    let share = 1.0 - step as f32 / 100.0;
                    let (x, y) = if end == 0 { (share, b) } else { (a, share) };
                    let candidate = scaling(low * x, high * y);
                    let error = self.error(candidate);
                    if error < least {
                        (best, least, a, b) = (candidate, error, x, y);
                    }
                }
            }
        }
        best
    }

    /// Squared error, summed over all values, of storing them so.
    fn error(&self, s: Scaling) -> f64 {
        let (scale, zero) = (f64::from(s.scale), f64::from(s.zero_point));
        let (low, high) = (-zero * scale, (255.0 - zero) * scale);
        let width = f64::from(self.limit) / BINS as f64;
        // Rounding errors are spread evenly over a step.
        let rounding = scale * scale / 12.0;
        let mut sum = 0.0;
        for (i, &count) in self.bins.iter().enumerate() {
            // Exact zeros, of which a ReLU gives many, are stored exactly; they lie in the bin that
            // begins at 0, where little else does.
            if count == 0 || (i == BINS && self.low >= 0.0) {
                continue;
            }
            let centre = (i as f64 + 0.5 - BINS as f64) * width;
            let clipped = (centre - centre.clamp(low, high)).powi(2);
            sum += count as f64 * (clipped + rounding);
        }
        sum
    }
}

/// 255 steps over a range that includes 0, which is stored exactly.
pub(super) fn scaling(low: f32, high: f32) -> Scaling {
    let (low, high) = (low.min(0.0), high.max(0.0));
    // A network that answers 0 whatever it sees has a range as well.
    let scale = ((high - low) / 255.0).max(1e-9);
    let zero_point = (-low / scale).round_ties_even().clamp(0.0, 255.0) as u8;
    Scaling { scale, zero_point }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(values: &[f32], s: Scaling) -> f64 {
        values
            .iter()
            .map(|&v| {
                let q = (v / s.scale + f32::from(s.zero_point)).round().clamp(0.0, 255.0);
                f64::from((q - f32::from(s.zero_point)) * s.scale - v).powi(2)
            })
            .sum()
    }

    /// Sums of uniform values: bell-shaped.
    fn bell(n: usize, scale: f32) -> Vec<f32> {
        let mut state = 1u32;
        let mut unit = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        (0..n).map(|_| ((0..6).map(|_| unit()).sum::<f32>() - 3.0) * scale).collect()
    }

    #[test]
    fn one_outlier_does_not_widen_the_steps() {
        let mut values = bell(400_000, 1.0);
        values.push(20.0);
        let mut histogram = Histogram::new();
        values.chunks(999).for_each(|v| histogram.add(v));
        let best = histogram.best((f32::NEG_INFINITY, f32::INFINITY));
        let full = scaling(histogram.low, histogram.high);
        assert!(best.scale < 0.7 * full.scale, "{best:?} {full:?}");
        assert!(error(&values, best) < 0.8 * error(&values, full));
    }

    #[test]
    fn even_values_are_not_clipped() {
        let values: Vec<f32> = (0..10_000).map(|i| i as f32 / 9_999.0 * 6.0).collect();
        let mut histogram = Histogram::new();
        histogram.add(&values);
        let best = histogram.best((0.0, 6.0));
        assert_eq!(best.zero_point, 0);
        assert!((best.scale * 255.0 - 6.0).abs() < 0.07, "{best:?}");
    }

    #[test]
    fn zero_is_a_step_whatever_comes() {
        for values in
            [vec![], vec![0.0], vec![5.0, 6.0], vec![-7.0, -6.0], vec![f32::NAN, f32::INFINITY, 1.0]]
        {
            let mut histogram = Histogram::new();
            histogram.add(&values);
            let s = histogram.best((f32::NEG_INFINITY, f32::INFINITY));
            assert!(s.scale > 0.0 && s.scale.is_finite(), "{values:?}: {s:?}");
        }
    }
}
