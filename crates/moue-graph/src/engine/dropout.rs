//! Which values a dropout keeps: the same on every engine, whatever order it computes them in.

use crate::random::{STEP, mix};

/// The random stream of one dropout in one step.
#[derive(Clone, Copy, Debug)]
pub struct DropoutStream(u64);

impl DropoutStream {
    /// `seed` is the session's, `step` counts the steps done before this one, `node` is the dropout's number in the
    /// [lowered](crate::lowering) graph.
    pub fn new(seed: u64, step: u64, node: usize) -> Self {
        Self(seed ^ step.wrapping_mul(STEP) ^ ((node as u64) << 48))
    }

    /// What the value number `index` of the batch is multiplied by: 0 for a share of `rate`, else `1 / (1 - rate)`.
    pub fn factor(self, index: u64, rate: f32) -> f32 {
        if unit(self.0, index) < rate { 0.0 } else { 1.0 / (1.0 - rate) }
    }
}

/// The `index`-th value of a random stream, uniform in [0, 1).
fn unit(stream: u64, index: u64) -> f32 {
    (mixed(stream, index) >> 40) as f32 / (1u32 << 24) as f32
}

/// The `index`-th 64 bits of a random stream.
pub(super) fn mixed(stream: u64, index: u64) -> u64 {
    mix(stream.wrapping_add(index.wrapping_add(1).wrapping_mul(STEP)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_dropped_is_the_rate_and_the_mean_stays() {
        let stream = DropoutStream::new(3, 7, 11);
        let factors: Vec<f32> = (0..20_000).map(|i| stream.factor(i, 0.3)).collect();
        let dropped = factors.iter().filter(|f| **f == 0.0).count() as f64 / 20_000.0;
        assert!((dropped - 0.3).abs() < 0.015, "{dropped}");
        let mean = factors.iter().map(|&f| f64::from(f)).sum::<f64>() / 20_000.0;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        for other in
            [DropoutStream::new(4, 7, 11), DropoutStream::new(3, 8, 11), DropoutStream::new(3, 7, 12)]
        {
            let same = factors.iter().zip(0..).filter(|(f, i)| **f == other.factor(*i, 0.3)).count();
            assert!(same < 13_000, "streams of another seed, step or layer agree in {same} of 20000");
        }
    }
}
