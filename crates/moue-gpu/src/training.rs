//! Training sessions: forward and backward by burn, the loss on the processor, updates on the device.
//!
//! A step waits for the device once, for the logits; backward and update are only queued. The next step's forward
//! pass is queued behind them while they run.

mod parameters;

use burn_tensor::{Device, Tensor};
use moue_graph::engine::rendering::{Rendering, Stored};
use moue_graph::engine::{Loss, Optimizer, TrainingOptions, TrainingSession, TrainingState};
use moue_graph::lowering::lower;
use moue_graph::{Error, Graph, Result, Weights};

use crate::Compute;
use crate::network::{Mode, Network};
use crate::rendering::Kept;
use crate::transfer::{check, check_count, check_logits, check_max_batch, download, upload};
use parameters::Parameters;

pub(crate) struct Session {
    network: Network,
    parameters: Parameters,
    device: Device,
    max_batch: usize,
    optimizer: Optimizer,
    seed: u64,
    step: u64,
    /// Where the caller handed its pictures over.
    kept: Option<Kept>,
}

impl Session {
    pub fn new(
        device: &Device,
        compute: Compute,
        graph: &Graph,
        weights: &Weights,
        options: &TrainingOptions,
    ) -> Result<Self> {
        check_max_batch(options.max_batch)?;
        weights.check_real()?;
        weights.check(graph)?;
        let network = Network::new(lower(graph)?, compute);
        let parameters = Parameters::new(graph, &network, weights, &options.optimizer, device)?;
        Ok(Self {
            network,
            parameters,
            device: device.clone(),
            max_batch: options.max_batch,
            optimizer: options.optimizer.clone(),
            seed: options.seed,
            step: 0,
            kept: None,
        })
    }

    /// One step on pictures `[count, values]`.
    fn learn(&mut self, pictures: Tensor<2>, learning_rate: f32, loss: &mut Loss<'_>) -> Result<f32> {
        let count = pictures.dims()[0];
        let mode = Mode::Training { seed: self.seed, step: self.step };
        let tensors = self.parameters.tracked();
        let (logits, statistics) = self.network.forward(&tensors, pictures, mode, &self.device)?;
        self.parameters.move_statistics(statistics);
        let outputs = download(logits.clone().inner())?;
        let mut gradient = vec![0.0; outputs.len()];
        let loss = loss(&outputs, &mut gradient)?;
        // The gradient of this sum by the logits is the caller's.
        let gradient = upload(&gradient, [count, self.network.outputs()], &self.device);
        let mut gradients = (logits * gradient).sum().backward();
        self.step += 1;
        self.parameters.learn(&tensors, &mut gradients, &self.optimizer, learning_rate, self.step);
        Ok(loss)
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
        let pictures = upload(pictures, [count, self.network.picture_len()], &self.device);
        self.learn(pictures, learning_rate, loss)
    }

    fn keep(&mut self, pictures: &Stored<'_>) -> Result<bool> {
        self.kept = Some(Kept::new(pictures, self.network.input_shape(), &self.device)?);
        Ok(true)
    }

    fn step_rendered(
        &mut self,
        renderings: &[Rendering],
        learning_rate: f32,
        loss: &mut Loss<'_>,
    ) -> Result<f32> {
        check_count(renderings.len(), self.max_batch)?;
        let (Some(kept), [first, ..]) = (&self.kept, renderings) else {
            return Err(Error::Parameter("no pictures are kept to make inputs of".into()));
        };
        let pictures = kept.inputs(renderings, first)?;
        self.learn(pictures, learning_rate, loss)
    }

    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()> {
        check(count, self.max_batch, self.network.picture_len(), pictures)?;
        check_logits(count, self.network.outputs(), logits)?;
        let tensors: Vec<Tensor<1>> = self.parameters.plain();
        let pictures = upload(pictures, [count, self.network.picture_len()], &self.device);
        let (out, _) = self.network.forward(&tensors, pictures, Mode::Inference, &self.device)?;
        logits.copy_from_slice(&download(out)?);
        Ok(())
    }

    fn weights(&self) -> Weights {
        self.parameters.weights()
    }

    fn state(&self) -> TrainingState {
        TrainingState { weights: self.parameters.weights(), slots: self.parameters.slots(), step: self.step }
    }

    fn restore(&mut self, state: &TrainingState) -> Result<()> {
        self.parameters.restore(state)?;
        self.step = state.step;
        Ok(())
    }
}
