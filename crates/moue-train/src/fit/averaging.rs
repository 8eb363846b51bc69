//! The running average of the weights.

use moue_graph::Weights;

use crate::recipe::Averaging;

/// Takes the weights as they are now into the average; the first ones become it.
pub(super) fn update(average: &mut Option<Weights>, current: Weights, averaging: &Averaging) {
    let Some(old) = average.as_ref() else {
        *average = Some(current);
        return;
    };
    let share = 1.0 - averaging.decay;
    let mut new = Weights::new();
    for (name, tensor) in current.iter() {
        let mut tensor = tensor.clone();
        if let Some(old) = old.get(name).filter(|o| o.shape() == tensor.shape()) {
            for (value, &kept) in tensor.data_mut().iter_mut().zip(old.data()) {
                *value = kept + share * (*value - kept);
            }
        }
        new.insert(name, tensor);
    }
    *average = Some(new);
}

#[cfg(test)]
mod tests {
    use super::*;
    use moue_graph::Tensor;

    #[test]
    fn moves_towards_the_current_weights() {
        let weights = |v| {
            let mut w = Weights::new();
            w.insert("a/kernel", Tensor::filled(vec![2], v));
            w
        };
        let averaging = Averaging { decay: 0.75, every: 1, start_epoch: 1 };
        let mut average = None;
        for (value, expected) in [(4.0, 4.0), (8.0, 5.0), (5.0, 5.0), (1.0, 4.0)] {
            update(&mut average, weights(value), &averaging);
            assert_eq!(average.as_ref().unwrap().get("a/kernel").unwrap().data(), [expected; 2]);
        }
    }
}
