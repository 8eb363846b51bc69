//! Weight updates, one pass over value, gradient and moments.

use moue_graph::engine::{AdamStep, Optimizer};

use crate::simd::{Level, at_level};

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
    let keep = if decayed { optimizer.kept_share(rate) } else { 1.0 };
    match *optimizer {
        Optimizer::Adam { beta_1, beta_2, epsilon, .. } => {
            let parts = AdamStep::new(rate, step, beta_1, beta_2);
            adam(level, values, gradient, first, second, parts, epsilon, keep);
        }
        Optimizer::Sgd { momentum, nesterov, .. } => {
            for ((v, g), m) in values.iter_mut().zip(gradient).zip(first) {
                *m = momentum * *m - rate * g;
                *v = *v * keep + if nesterov { momentum * *m - rate * g } else { *m };
            }
        }
    }
}

#[inline(always)]
fn adam_body<const FMA: bool>(
    values: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    step: AdamStep,
    epsilon: f32,
    keep: f32,
) {
    for (((v, g), m), s) in values.iter_mut().zip(gradient).zip(first).zip(second) {
        *m += (g - *m) * step.share_1;
        *s += (g * g - *s) * step.share_2;
        *v = *v * keep - *m * step.rate / (s.sqrt() + epsilon);
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
        epsilon: f32,
        keep: f32,
    )
}
