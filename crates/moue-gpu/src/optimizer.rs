//! Weight updates, by the formulas of `moue-cpu`, on all learnt values at once.

use burn_tensor::Tensor;
use moue_graph::engine::{AdamStep, Optimizer};

/// One step. `values`, `gradient` and each of `slots` have one length; `kept` multiplies the old values, or is `None`
/// where nothing decays. `step` counts from 1.
pub(crate) fn update(
    optimizer: &Optimizer,
    rate: f32,
    step: u64,
    values: Tensor<1>,
    kept: Option<Tensor<1>>,
    gradient: Tensor<1>,
    slots: &mut [Tensor<1>],
) -> Tensor<1> {
    let values = match kept {
        Some(kept) => values * kept,
        None => values,
    };
    match (optimizer, slots) {
        (Optimizer::Adam { beta_1, beta_2, epsilon, .. }, [first, second]) => {
            let parts = AdamStep::new(rate, step, *beta_1, *beta_2);
            let m = first.clone();
            *first = m.clone() + (gradient.clone() - m).mul_scalar(parts.share_1);
            let v = second.clone();
            *second = v.clone() + (gradient.clone() * gradient - v).mul_scalar(parts.share_2);
            let root = second.clone().sqrt().add_scalar(*epsilon);
            values - first.clone().mul_scalar(parts.rate) / root
        }
        (Optimizer::Sgd { momentum, nesterov, .. }, [first]) => {
            let scaled = gradient.mul_scalar(rate);
            *first = first.clone().mul_scalar(*momentum) - scaled.clone();
            if *nesterov {
                values + (first.clone().mul_scalar(*momentum) - scaled)
            } else {
                values + first.clone()
            }
        }
        // A session makes as many slots as the optimizer names.
        _ => values,
    }
}
