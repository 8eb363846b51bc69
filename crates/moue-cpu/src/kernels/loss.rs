//! Softmax cross-entropy on logits, with soft targets and a weight an example.

/// Loss of one example, and its gradient by the logits times `scale`.
///
/// Gives the cross-entropy in nats and whether the largest logit stands at the largest target.
pub(crate) fn cross_entropy(logits: &[f32], target: &[f32], scale: f32, gradient: &mut [f32]) -> (f64, bool) {
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
