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
            let correction = (1.0 - f64::from(beta_2).powi(t)).sqrt() / (1.0 - f64::from(beta_1).powi(t));
            let parts = AdamStep {
                rate: (f64::from(rate) * correction) as f32,
                beta_1,
                beta_2,
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
    beta_1: f32,
    beta_2: f32,
    epsilon: f32,
    keep: f32,
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
        *m += (g - *m) * (1.0 - step.beta_1);
        *s += (g * g - *s) * (1.0 - step.beta_2);
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
