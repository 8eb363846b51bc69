//! Learning a second question beside the first (Caruana: "Multitask Learning", 1997): while it trains, the
//! network's last layer has outputs for both; the model that is kept has those of the first.

use moue_graph::engine::StepOutcome;
use moue_graph::{Graph, Op, Tensor, Weights};

use crate::{Error, Result};

/// The groups of outputs a network is trained with. The first are the model's classes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tasks {
    /// Outputs of each group.
    sizes: Vec<usize>,
    /// What each group's cross-entropy counts.
    weights: Vec<f32>,
}

impl Tasks {
    /// The model's classes alone, or with a second group of `(outputs, weight)`.
    pub(crate) fn new(classes: usize, second: Option<(usize, f32)>) -> Self {
        let (more, weight) = second.unzip();
        Self {
            sizes: [classes].into_iter().chain(more).collect(),
            weights: [1.0].into_iter().chain(weight).collect(),
        }
    }

    /// Outputs of all groups.
    pub(crate) fn outputs(&self) -> usize {
        self.sizes.iter().sum()
    }

    /// Outputs of the first group.
    pub(crate) fn classes(&self) -> usize {
        self.sizes[0]
    }

    /// Whether there is but one group.
    pub(crate) fn is_single(&self) -> bool {
        self.sizes.len() == 1
    }

    /// The graph with outputs for all groups, and its values: those of `weights`, new ones from `seed` for the
    /// further groups.
    ///
    /// An error where the graph does not end in a dense layer with one output a class.
    pub(crate) fn widen(&self, graph: &Graph, weights: &Weights, seed: u64) -> Result<(Graph, Weights)> {
        let wide = self.widened(graph)?;
        let mut values = Weights::initialise(&wide, seed);
        values.take_matching(&wide, weights);
        self.paste(&wide, weights, &mut values)?;
        Ok((wide, values))
    }

    /// [`Tasks::widen`] without values.
    pub(crate) fn widened(&self, graph: &Graph) -> Result<Graph> {
        let last = graph.layers().len().saturating_sub(1);
        let mut b = Graph::builder(graph.name());
        for (id, layer) in graph.layers().iter().enumerate() {
            let op = match &layer.op {
                Op::Dense { units, use_bias, activation } if id == last && *units == self.sizes[0] => {
                    Op::Dense { units: self.outputs(), use_bias: *use_bias, activation: *activation }
                }
                other if id == last => {
                    return Err(Error::Parameter(format!(
                        "{} ends in {}, not in a dense layer of {} classes: a second task has no place",
                        graph.name(),
                        other.class_name(),
                        self.sizes[0]
                    )));
                }
                other => other.clone(),
            };
            b.add(layer.name.clone(), op, &layer.inputs)?;
        }
        let mut wide = b.finish()?;
        wide.set_trainable(false, |id, _| !graph.layers()[id].trainable);
        Ok(wide)
    }

    /// Lays the first group's values of the last layer into the wide one.
    fn paste(&self, wide: &Graph, from: &Weights, to: &mut Weights) -> Result<()> {
        for name in last_parameters(wide) {
            let (Some(narrow), Some(values)) = (from.get(&name), to.get(&name)) else { continue };
            let mut values = values.clone();
            let rows = values.data_mut().chunks_exact_mut(self.outputs());
            for (row, first) in rows.zip(narrow.data().chunks_exact(self.sizes[0])) {
                row[..self.sizes[0]].copy_from_slice(first);
            }
            to.insert(name, values);
        }
        Ok(())
    }

    /// The values of the model that is kept, out of those of the wide graph.
    pub(crate) fn cut(&self, wide: &Graph, mut weights: Weights) -> Result<Weights> {
        if self.is_single() {
            return Ok(weights);
        }
        for name in last_parameters(wide) {
            let Some(values) = weights.get(&name) else { continue };
            let mut shape = values.shape().to_vec();
            if let Some(units) = shape.last_mut() {
                *units = self.sizes[0];
            }
            let rows = values.data().chunks_exact(self.outputs());
            let kept = rows.flat_map(|row| row[..self.sizes[0]].iter().copied()).collect();
            let kept = Tensor::new(shape, kept)?;
            weights.insert(name, kept);
        }
        Ok(weights)
    }

    /// Loss and gradient of a batch: for each group its weight times the cross-entropy of its softmax, summed; the
    /// mean over the batch. `rows` weighs examples; empty: 1 each. A group whose targets are all 0 counts nothing.
    ///
    /// `logits`, `targets` and `gradients` hold a row of [`Tasks::outputs`] values for each example.
    pub(crate) fn loss(
        &self,
        logits: &[f32],
        targets: &[f32],
        rows: &[f32],
        gradients: &mut [f32],
    ) -> StepOutcome {
        let width = self.outputs();
        let count = logits.len() / width;
        let (mut sum, mut correct) = (0.0f64, 0);
        let examples = logits
            .chunks_exact(width)
            .zip(targets.chunks_exact(width))
            .zip(gradients.chunks_exact_mut(width));
        for (index, ((logits, targets), gradients)) in examples.enumerate() {
            let share = rows.get(index).copied().unwrap_or(1.0) / count as f32;
            let mut start = 0;
            for (&size, &weight) in self.sizes.iter().zip(&self.weights) {
                let part = start..start + size;
                start += size;
                let (logits, targets) = (&logits[part.clone()], &targets[part.clone()]);
                let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let total: f32 = logits.iter().map(|l| (l - highest).exp()).sum();
                let mass: f32 = targets.iter().sum();
                let (scale, log_total) = (share * weight, total.ln() + highest);
                for ((&logit, &target), gradient) in logits.iter().zip(targets).zip(&mut gradients[part]) {
                    let probability = (logit - highest).exp() / total;
                    *gradient = scale * (mass * probability - target);
                    sum += f64::from(scale * target * (log_total - logit));
                }
            }
            let first = self.sizes[0];
            correct += usize::from(largest(&logits[..first]) == largest(&targets[..first]));
        }
        StepOutcome { loss: sum as f32, correct }
    }
}

/// Names of the last layer's parameters.
pub(crate) fn last_parameters(graph: &Graph) -> Vec<String> {
    let last = graph.layers().len().saturating_sub(1);
    graph.parameters().into_iter().filter(|p| p.layer == last).map(|p| p.name).collect()
}

/// Place of the largest value, the first of equal ones.
fn largest(values: &[f32]) -> usize {
    values.iter().enumerate().fold(0, |best, (i, v)| if *v > values[best] { i } else { best })
}

#[cfg(test)]
mod tests;
