//! Softmax cross-entropy on logits, with soft targets and a weight an example: the loss of every engine's
//! `step`. Logits are few, so engines compute it on the processor, in f64, and agree to the bit.

use super::{Batch, StepOutcome};
use crate::{Error, Result};

impl Batch<'_> {
    /// An error where targets or weights are not those of `count` examples of so many classes.
    pub fn check(&self, classes: usize) -> Result<()> {
        let (count, targets, weights) = (self.count, self.targets.len(), self.weights.len());
        if targets == count * classes && (weights == 0 || weights == count) {
            return Ok(());
        }
        Err(Error::Parameter(format!(
            "{count} examples need {} targets and {count} or no weights, not {targets} and {weights}",
            count * classes,
        )))
    }

    /// The loss of a batch that [`Batch::check`] accepts, and in `gradients` its gradient by each of the `count` rows of
    /// logits.
    pub fn cross_entropy(&self, logits: &[f32], gradients: &mut [f32]) -> StepOutcome {
        let count = self.count.max(1);
        let classes = (logits.len() / count).max(1);
        let (mut loss, mut correct) = (0.0, 0);
        let rows = logits
            .chunks_exact(classes)
            .zip(self.targets.chunks_exact(classes))
            .zip(gradients.chunks_exact_mut(classes));
        for (i, ((logits, targets), gradients)) in rows.enumerate() {
            let weight = self.weights.get(i).copied().unwrap_or(1.0);
            let (own, right) = cross_entropy(logits, targets, weight / count as f32, gradients);
            loss += own * f64::from(weight);
            correct += usize::from(right);
        }
        StepOutcome { loss: (loss / count as f64) as f32, correct }
    }
}

/// Loss of one example, and its gradient by the logits times `scale`.
///
/// Gives the cross-entropy in nats and whether the largest logit stands at the largest target.
fn cross_entropy(logits: &[f32], target: &[f32], scale: f32, gradient: &mut [f32]) -> (f64, bool) {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&l| f64::from(l - top).exp()).sum();
    let log_sum = sum.ln() + f64::from(top);
    let mass: f64 = target.iter().map(|&t| f64::from(t)).sum();
    let mut loss = 0.0;
    for ((&l, &t), g) in logits.iter().zip(target).zip(gradient) {
        let log_probability = f64::from(l) - log_sum;
        if t != 0.0 {
            loss -= f64::from(t) * log_probability;
        }
        *g = ((log_probability.exp() * mass - f64::from(t)) * f64::from(scale)) as f32;
    }
    (loss, largest(logits) == largest(target))
}

/// Index of the largest value, the first of equals.
fn largest(values: &[f32]) -> usize {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v > values[best] {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_gradient_follow_their_formulas() {
        let mut state = 6u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        for case in 0..50 {
            let classes = 2 + case % 9;
            // Large logits too: the largest is subtracted before any exponential.
            let logits: Vec<f32> = (0..classes).map(|_| random() * 200.0).collect();
            let mut target: Vec<f32> = (0..classes).map(|_| random().abs()).collect();
            let mass: f32 = target.iter().sum();
            target.iter_mut().for_each(|t| *t /= mass);
            let mut gradient = vec![f32::NAN; classes];
            let (got, _) = cross_entropy(&logits, &target, 0.5, &mut gradient);
            let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = logits.iter().map(|&l| (f64::from(l) - f64::from(top)).exp()).sum();
            let log = |l: f32| f64::from(l) - f64::from(top) - sum.ln();
            let want: f64 = logits.iter().zip(&target).map(|(&l, &t)| -f64::from(t) * log(l)).sum();
            assert!((got - want).abs() < 1e-9 * (1.0 + want.abs()), "{got} {want}");
            for ((&l, &t), &g) in logits.iter().zip(&target).zip(&gradient) {
                let want = 0.5 * (log(l).exp() - f64::from(t));
                assert!((f64::from(g) - want).abs() < 1e-6, "{g} {want}");
            }
        }
    }

    #[test]
    fn a_batch_weighs_its_examples_and_counts_the_right_ones() {
        let logits = [1.0, 3.0, 2.0, 1.0, 3.0, 2.0];
        let targets = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let batch = |weights| Batch { count: 2, pictures: &[], targets: &targets, weights };
        let mut gradients = [0.0; 6];
        let log_sum = (1f64.exp() + 3f64.exp() + 2f64.exp()).ln();
        let plain = batch(&[]).cross_entropy(&logits, &mut gradients);
        assert_eq!(plain.correct, 1);
        assert!((f64::from(plain.loss) - (log_sum - 2.5)).abs() < 1e-6, "{}", plain.loss);
        let weighed = batch(&[2.0, 0.5]).cross_entropy(&logits, &mut gradients);
        let want = (2.0 * (log_sum - 3.0) + 0.5 * (log_sum - 2.0)) / 2.0;
        assert!((f64::from(weighed.loss) - want).abs() < 1e-6, "{}", weighed.loss);
        assert!((f64::from(gradients[0]) - (1.0 - log_sum).exp()).abs() < 1e-6, "{gradients:?}");
        assert!(
            batch(&[]).check(3).is_ok() && batch(&[1.0]).check(3).is_err() && batch(&[]).check(2).is_err()
        );
    }
}
