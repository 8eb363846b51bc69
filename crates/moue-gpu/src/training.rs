//! Training sessions: forward and backward by burn, the loss on the processor, updates on the device.
//!
//! A step waits for the device once, for the logits; backward and update are only queued. The next step's forward
//! pass is queued behind them while they run.

mod parameters;

use burn_tensor::{Device, Tensor};
use moue_graph::engine::{
    Batch, Loss, Optimizer, StepOutcome, TrainingOptions, TrainingSession, TrainingState,
};
use moue_graph::lowering::lower;
use moue_graph::{Error, Graph, Result, Weights};

use crate::Compute;
use crate::network::{Mode, Network};
use crate::transfer::{check, check_logits, download, upload};
use parameters::Parameters;

pub(crate) struct Session {
    network: Network,
    parameters: Parameters,
    device: Device,
    max_batch: usize,
    optimizer: Optimizer,
    seed: u64,
    step: u64,
}

impl Session {
    pub fn new(
        device: &Device,
        compute: Compute,
        graph: &Graph,
        weights: &Weights,
        options: &TrainingOptions,
    ) -> Result<Self> {
        if options.max_batch == 0 {
            return Err(Error::Parameter("a batch holds at least one picture".into()));
        }
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
        })
    }
}

impl TrainingSession for Session {
    fn step(&mut self, batch: &Batch<'_>, learning_rate: f32) -> Result<StepOutcome> {
        batch.check(self.network.outputs())?;
        let mut outcome = StepOutcome { loss: 0.0, correct: 0 };
        self.step_with(batch.pictures, batch.count, learning_rate, &mut |logits, gradient| {
            outcome = batch.cross_entropy(logits, gradient);
            Ok(outcome.loss)
        })?;
        Ok(outcome)
    }

    fn step_with(
        &mut self,
        pictures: &[f32],
        count: usize,
        learning_rate: f32,
        loss: &mut Loss<'_>,
    ) -> Result<f32> {
        check(count, self.max_batch, self.network.picture_len(), pictures)?;
        let mode = Mode::Training { seed: self.seed, step: self.step };
        let tensors = self.parameters.tracked();
        let (logits, statistics) = self.network.forward(&tensors, pictures, count, mode, &self.device)?;
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

    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()> {
        check(count, self.max_batch, self.network.picture_len(), pictures)?;
        check_logits(count, self.network.outputs(), logits)?;
        let tensors: Vec<Tensor<1>> = self.parameters.plain();
        let (out, _) = self.network.forward(&tensors, pictures, count, Mode::Inference, &self.device)?;
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
