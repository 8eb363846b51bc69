//! Training sessions: forward and backward by burn, the loss on the processor, updates on the device.
//!
//! A step waits for the device once, for the logits; backward and update are only queued. The next step's forward
//! pass is queued behind them while they run. On several devices a step waits for sums among them too, unless the
//! devices make these themselves.

mod parameters;
mod reduction;
mod replicas;

use burn_tensor::Tensor;
use moue_graph::engine::rendering::{Rendering, Stored};
use moue_graph::engine::{Loss, Optimizer, TrainingOptions, TrainingSession, TrainingState};
use moue_graph::lowering::lower;
use moue_graph::{Graph, Result, Weights};

use crate::Compute;
use crate::network::Network;
use crate::rendering::fits;
use crate::transfer::{check, check_count, check_logits, check_max_batch};
pub(crate) use reduction::Reduction;
pub(crate) use replicas::Devices;
use replicas::{Pictures, Replicas};

pub(crate) struct Session {
    network: Network,
    replicas: Replicas,
    max_batch: usize,
    optimizer: Optimizer,
    sharpness: f32,
    seed: u64,
    step: u64,
}

impl Session {
    pub fn new(
        devices: &Devices<'_>,
        compute: Compute,
        graph: &Graph,
        weights: &Weights,
        options: &TrainingOptions,
    ) -> Result<Self> {
        check_max_batch(options.max_batch)?;
        weights.check_real()?;
        weights.check(graph)?;
        let network = Network::new(lower(graph)?, compute);
        let replicas = Replicas::new(graph, &network, weights, &options.optimizer, devices)?;
        Ok(Self {
            network,
            replicas,
            max_batch: options.max_batch,
            optimizer: options.optimizer.clone(),
            sharpness: options.sharpness,
            seed: options.seed,
            step: 0,
        })
    }

    fn learn(&mut self, pictures: Pictures<'_>, learning_rate: f32, loss: &mut Loss<'_>) -> Result<f32> {
        let (before, mut gradients) = self.gradients(pictures, true, loss)?;
        if self.sharpness > 0.0 {
            let values = self.replicas.climb(&gradients, self.sharpness);
            let uphill = self.gradients(pictures, false, loss);
            self.replicas.return_to(values);
            gradients = uphill?.1;
        }
        self.step += 1;
        self.replicas.learn(gradients, &self.optimizer, learning_rate, self.step);
        Ok(before)
    }

    /// The loss, and its gradient by all that learns on each replica.
    fn gradients(
        &mut self,
        pictures: Pictures<'_>,
        moves: bool,
        loss: &mut Loss<'_>,
    ) -> Result<(f32, Vec<Tensor<1>>)> {
        let passes = self.replicas.forward(&self.network, pictures, self.seed, self.step, moves)?;
        let outputs = passes.logits()?;
        let mut gradient = vec![0.0; outputs.len()];
        let loss = loss(&outputs, &mut gradient)?;
        Ok((loss, self.replicas.backward(passes, &gradient)?))
    }
}

impl TrainingSession for Session {
    fn outputs(&self) -> usize {
        self.network.outputs()
    }

    fn step_with(
        &mut self,
        pictures: &[f32],
        count: usize,
        learning_rate: f32,
        loss: &mut Loss<'_>,
    ) -> Result<f32> {
        check(count, self.max_batch, self.network.picture_len(), pictures)?;
        self.learn(Pictures::Given { values: pictures, count }, learning_rate, loss)
    }

    fn keep(&mut self, pictures: &Stored<'_>) -> Result<bool> {
        let fits = fits(pictures);
        if fits {
            self.replicas.keep(pictures, self.network.input_shape())?;
        }
        Ok(fits)
    }

    fn step_rendered(
        &mut self,
        renderings: &[Rendering],
        learning_rate: f32,
        loss: &mut Loss<'_>,
    ) -> Result<f32> {
        check_count(renderings.len(), self.max_batch)?;
        self.learn(Pictures::Rendered(renderings), learning_rate, loss)
    }

    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()> {
        check(count, self.max_batch, self.network.picture_len(), pictures)?;
        check_logits(count, self.network.outputs(), logits)?;
        logits.copy_from_slice(&self.replicas.answer(&self.network, pictures, count)?);
        Ok(())
    }

    fn weights(&self) -> Weights {
        self.replicas.weights()
    }

    fn state(&self) -> TrainingState {
        TrainingState { weights: self.replicas.weights(), slots: self.replicas.slots(), step: self.step }
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        self.replicas.restore(state)?;
        self.step = state.step;
        Ok(())
    }
}
