//! Weight updates, one pass over value, gradient and moments.

use moue_graph::engine::Optimizer;

use crate::simd::{Level, at_level};

/// Moment buffers an optimizer keeps for each parameter value.
pub(crate) fn slot_names(optimizer: &Optimizer) -> &'static [&'static str] {
    match optimizer {
        Optimizer::Adam { .. } => &["m", "v"],
        Optimizer::Sgd { .. } => &["m"],
    }
}

#[allow(clippy::too_many_arguments, reason = "plain buffers in, plain buffers out")]
/// Applies one step to a part of a parameter.
///
/// `step` counts from 1; `decayed` says whether weight decay applies to this parameter.
pub(crate) fn update(
    level: Level,
    optimizer: &Optimizer,
    rate: f32,
    step: u64,
    decayed: bool,
    values: &mut [f32],
    gradient: &[f32],
    slots: [&mut [f32]; 2],
) {
    let [first, second] = slots;
    match *optimizer {
        Optimizer::Adam { beta_1, beta_2, epsilon, weight_decay } => {
            let t = step as i32;
            let (beta_1, beta_2) = (as_written(beta_1), as_written(beta_2));
            let correction = (1.0 - beta_2.powi(t)).sqrt() / (1.0 - beta_1.powi(t));
            let parts = AdamStep {
                rate: (f64::from(rate) * correction) as f32,
                share_1: (1.0 - beta_1) as f32,
                share_2: (1.0 - beta_2) as f32,
                epsilon,
                keep: if decayed { 1.0 - rate * weight_decay } else { 1.0 },
            };
            adam(level, values, gradient, first, second, parts);
        }
        Optimizer::Sgd { momentum, nesterov, weight_decay } => {
            let keep = if decayed { 1.0 - rate * weight_decay } else { 1.0 };
            for ((v, g), m) in values.iter_mut().zip(gradient).zip(first) {
                *m = momentum * *m - rate * g;
                *v = *v * keep + if nesterov { momentum * *m - rate * g } else { *m };
            }
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct AdamStep {
    rate: f32,
    /// 1 - beta_1, the share of the new gradient in its mean.
    share_1: f32,
    /// 1 - beta_2.
    share_2: f32,
    epsilon: f32,
    keep: f32,
}

/// The f64 that is written like this f32: 0.999 instead of 0.99900001, whose distance to 1 is off by
/// 5e-5 of itself.
fn as_written(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

#[inline(always)]
fn adam_body<const FMA: bool>(
    values: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    step: AdamStep,
) {
    for (((v, g), m), s) in values.iter_mut().zip(gradient).zip(first).zip(second) {
        *m += (g - *m) * step.share_1;
        *s += (g * g - *s) * step.share_2;
        *v = *v * step.keep - *m * step.rate / (s.sqrt() + step.epsilon);
    }
}

at_level! {
    /// One step of Adam.
    fn adam = adam_body(
        values: &mut [f32],
        gradient: &[f32],
        first: &mut [f32],
        second: &mut [f32],
        step: AdamStep,
    )
}
