//! The learning rate as a function of the step.

use serde::{Deserialize, Serialize};

/// How the learning rate runs over the training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Highest learning rate, positive.
    pub rate: f64,
    /// Epochs (fractions allowed) over which the rate climbs linearly from nearly 0 to `rate`
    /// (Goyal et al.: "Accurate, Large Minibatch SGD", 2017). The decay starts after them.
    pub warmup_epochs: f64,
    /// The decay never goes below this rate.
    pub minimum: f64,
    /// What happens after the warm-up.
    pub decay: Decay,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { rate: 1e-3, warmup_epochs: 0.0, minimum: 0.0, decay: Decay::Constant }
    }
}

/// Course of the learning rate after the warm-up; epochs are counted from the end of the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decay {
    /// No change.
    #[default]
    Constant,
    /// Times `factor` after every `every` epochs.
    Step {
        /// Epochs between two changes, at least 1.
        every: usize,
        /// Factor of each change, in 0..=1.
        factor: f64,
    },
    /// Times `factor` per epoch, a little at each step.
    Exponential {
        /// Factor of a whole epoch, in 0..=1.
        factor: f64,
    },
    /// Half a cosine from `rate` down to `minimum` at the last step (Loshchilov and Hutter: "SGDR",
    /// ICLR 2017, without restarts).
    Cosine,
}

impl Schedule {
    /// The learning rate of step `step` (counted from 0 over the whole training) when an epoch has
    /// `steps_per_epoch` steps and the training `epochs` epochs.
    pub fn rate_at(&self, step: u64, steps_per_epoch: usize, epochs: usize) -> f32 {
        let per_epoch = steps_per_epoch.max(1) as f64;
        let warmup = (self.warmup_epochs * per_epoch).round();
        let step = step as f64;
        if step < warmup {
            return (self.rate * (step + 1.0) / warmup) as f32;
        }
        let after = step - warmup;
        let rate = match self.decay {
            Decay::Constant => self.rate,
            Decay::Step { every, factor } => {
                let changes = (after / (per_epoch * every.max(1) as f64)).floor();
                self.rate * factor.powf(changes)
            }
            Decay::Exponential { factor } => self.rate * factor.powf(after / per_epoch),
            Decay::Cosine => {
                let last = (per_epoch * epochs as f64 - warmup - 1.0).max(1.0);
                let share = (after / last).min(1.0);
                self.minimum + (self.rate - self.minimum) * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
            }
        };
        rate.max(self.minimum) as f32
    }

    /// The first field out of range, as its name and what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let Self { rate, warmup_epochs, minimum, decay } = self;
        if !(*rate > 0.0 && *rate <= 10.0) {
            return Err(("rate", format!("{rate} must lie in 0..=10 and above 0")));
        }
        if !(0.0..=1e4).contains(warmup_epochs) {
            return Err(("warmup_epochs", format!("{warmup_epochs} must lie in 0..=10000")));
        }
        if !(0.0..=*rate).contains(minimum) {
            return Err(("minimum", format!("{minimum} must lie in 0..={rate}, the rate")));
        }
        match *decay {
            Decay::Step { every: 0, .. } => Err(("decay", "every must be at least 1 epoch".into())),
            Decay::Step { factor, .. } | Decay::Exponential { factor } if !(0.0..=1.0).contains(&factor) => {
                Err(("decay", format!("factor {factor} must lie in 0..=1")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(decay: Decay) -> Schedule {
        Schedule { rate: 0.1, warmup_epochs: 0.0, minimum: 0.0, decay }
    }

    fn close(a: f32, b: f64) {
        assert!((f64::from(a) - b).abs() < 1e-7, "{a} is not {b}");
    }

    #[test]
    fn warm_up_climbs_and_ends_at_the_rate() {
        let s = Schedule { warmup_epochs: 0.5, ..schedule(Decay::Constant) };
        close(s.rate_at(0, 10, 4), 0.02);
        close(s.rate_at(4, 10, 4), 0.1);
        close(s.rate_at(39, 10, 4), 0.1);
    }

    #[test]
    fn step_and_exponential_decay_per_epoch() {
        let s = schedule(Decay::Step { every: 2, factor: 0.5 });
        close(s.rate_at(19, 10, 9), 0.1);
        close(s.rate_at(20, 10, 9), 0.05);
        close(s.rate_at(40, 10, 9), 0.025);
        let s = schedule(Decay::Exponential { factor: 0.25 });
        close(s.rate_at(5, 10, 9), 0.05);
        close(s.rate_at(10, 10, 9), 0.025);
    }

    #[test]
    fn cosine_ends_at_the_minimum() {
        let s = Schedule { minimum: 0.01, warmup_epochs: 1.0, ..schedule(Decay::Cosine) };
        close(s.rate_at(10, 10, 3), 0.1);
        close(s.rate_at(29, 10, 3), 0.01);
        // Past the planned end (a resumed run with more epochs has another plan, but be safe).
        close(s.rate_at(60, 10, 3), 0.01);
        let middle = s.rate_at(19, 10, 3) + s.rate_at(20, 10, 3);
        close(middle / 2.0, 0.055);
    }

    #[test]
    fn the_minimum_holds_for_every_shape() {
        for decay in [Decay::Step { every: 1, factor: 0.0 }, Decay::Exponential { factor: 0.0 }] {
            let s = Schedule { minimum: 0.03, ..schedule(decay) };
            close(s.rate_at(25, 10, 3), 0.03);
        }
    }

    #[test]
    fn refuses_values_out_of_range() {
        assert!(Schedule { rate: 0.0, ..Schedule::default() }.check().is_err());
        assert!(Schedule { rate: f64::NAN, ..Schedule::default() }.check().is_err());
        assert!(Schedule { minimum: 1.0, ..Schedule::default() }.check().is_err());
        assert!(schedule(Decay::Exponential { factor: 1.5 }).check().is_err());
        assert!(schedule(Decay::Step { every: 0, factor: 0.5 }).check().is_err());
        assert!(Schedule::default().check().is_ok());
    }
}
