//! What every engine needs to know of the optimizers.

use super::Optimizer;

impl Optimizer {
    /// Names of the moments kept for each parameter value, as they stand before the parameter's name in
    /// [`TrainingState::slots`](super::TrainingState::slots).
    pub fn slot_names(&self) -> &'static [&'static str] {
        match self {
            Self::Adam { .. } => &["m", "v"],
            Self::Sgd { .. } => &["m"],
        }
    }

    /// Share of a decayed value that is left after a step at this learning rate. Kernels are decayed, other parameters
    /// are not.
    pub fn kept_share(&self, rate: f32) -> f32 {
        let (Self::Adam { weight_decay, .. } | Self::Sgd { weight_decay, .. }) = self;
        1.0 - rate * weight_decay
    }
}

/// The numbers of one step of Adam: `m += (g - m) share_1`, `v += (g g - v) share_2`,
/// `value -= m rate / (sqrt(v) + epsilon)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// The learning rate with the correction of both means.
    pub rate: f32,
    /// `1 - beta_1`, the share of the new gradient in its mean.
    pub share_1: f32,
    /// `1 - beta_2`.
    pub share_2: f32,
}

impl AdamStep {
    /// Step number `step`, counted from 1, at this learning rate.
    pub fn new(rate: f32, step: u64, beta_1: f32, beta_2: f32) -> Self {
        let t = i32::try_from(step).unwrap_or(i32::MAX);
        let (beta_1, beta_2) = (as_written(beta_1), as_written(beta_2));
        let correction = (1.0 - beta_2.powi(t)).sqrt() / (1.0 - beta_1.powi(t));
        Self {
            rate: (f64::from(rate) * correction) as f32,
            share_1: (1.0 - beta_1) as f32,
            share_2: (1.0 - beta_2) as f32,
        }
    }
}

/// The f64 that is written like this f32: 0.999 instead of 0.99900001, whose distance to 1 is off by
/// 5e-5 of itself.
fn as_written(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
