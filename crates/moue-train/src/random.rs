//! Random numbers addressed by what they are for, not by how many were drawn before.

use moue_graph::random::{STEP, mix};

/// Counter-based stream: the values of one picture in one epoch depend on nothing else, so threads,
/// batch order and the point of a resume cannot change them.
///
/// The key is mixed through the same function as the states.
#[derive(Clone, Debug)]
pub(crate) struct Stream(u64);

impl Stream {
    /// The stream of one sample in one epoch.
    pub(crate) fn new(seed: u64, epoch: u64, sample: u64) -> Self {
        let key = mix(mix(mix(seed.wrapping_add(STEP)) ^ epoch).wrapping_add(STEP) ^ sample);
        Self(key)
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// Uniform in [0, 1), 24 bits fine: exact in f32.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in [-1, 1).
    pub(crate) fn signed(&mut self) -> f32 {
        self.unit() * 2.0 - 1.0
    }

    /// Uniform in `low..high`.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_keys_give_unrelated_streams() {
        let mut seen = std::collections::HashSet::new();
        for seed in 0..8 {
            for epoch in 0..8 {
                for sample in 0..64 {
                    assert!(seen.insert(Stream::new(seed, epoch, sample).bits()));
                }
            }
        }
    }

    #[test]
    fn values_are_uniform() {
        let n = 100_000;
        let values: Vec<f64> = (0..n).map(|i| f64::from(Stream::new(7, 3, i).unit())).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        // Four standard errors of the mean and of the variance of a uniform variable.
        assert!((mean - 0.5).abs() < 4.0 * (1.0f64 / 12.0 / n as f64).sqrt(), "{mean}");
        assert!((variance - 1.0 / 12.0).abs() < 4.0 * (1.0f64 / 180.0 / n as f64).sqrt(), "{variance}");
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
    }
}
