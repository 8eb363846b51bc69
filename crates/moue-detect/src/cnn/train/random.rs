//! Random numbers addressed by what they are for: the scene of a step does not depend on those before it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The stream of one scene.
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub fn new(seed: u64, step: u64, scene: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(step.wrapping_mul(1 << 20).wrapping_add(scene));
        Self(rng)
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in `low..high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// In `low..high`, every factor as likely as every other.
    pub fn log_between(&mut self, low: f32, high: f32) -> f32 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// Around 0, at most 1: the sum of three uniform numbers, so that small values are likelier.
    pub fn bell(&mut self) -> f32 {
        (self.unit() + self.unit() + self.unit()) / 1.5 - 1.0
    }

    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// An index below `count`, which is at least 1.
    pub fn below(&mut self, count: usize) -> usize {
        ((u64::from(self.0.next_u32()) * count as u64) >> 32) as usize
    }
}
