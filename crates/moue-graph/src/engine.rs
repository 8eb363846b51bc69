//! What an engine must offer. Training and analysis know engines only through these traits, so that
//! the CPU, a GPU or another library can stand behind them.

mod dropout;
mod loss;
pub mod rendering;
mod update;

use serde::{Deserialize, Serialize};

pub use dropout::DropoutStream;
pub use update::AdamStep;

use crate::{Error, Graph, Result, Weights};
use rendering::{Rendering, Stored};

/// Runs graphs.
pub trait Engine: Send + Sync {
    /// Short name, for instance `cpu`.
    fn name(&self) -> &str;

    /// Prepares a graph for answers only.
    fn inference(
        &self,
        graph: &Graph,
        weights: &Weights,
        options: &InferenceOptions,
    ) -> Result<Box<dyn InferenceSession>>;

    /// Prepares a graph for training.
    fn training(
        &self,
        graph: &Graph,
        weights: &Weights,
        options: &TrainingOptions,
    ) -> Result<Box<dyn TrainingSession>>;
}

/// How an inference session is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InferenceOptions {
    /// Most pictures a call may hold; memory is planned for it.
    pub max_batch: usize,
    /// Threads to use; 0 lets the engine choose.
    pub threads: usize,
}

/// A network ready to answer.
pub trait InferenceSession: Send {
    /// Logits (the values before a closing softmax) of `count` pictures.
    ///
    /// `pictures` holds `count` NHWC pictures of the graph's input shape, preprocessed;
    /// `logits` has room for `count` times the number of outputs. An error where a length differs or
    /// `count` exceeds the planned batch.
    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()>;
}

/// How weights follow gradients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimizer {
    /// Adam (Kingma and Ba 2015) as Keras computes it; with `weight_decay` it is AdamW
    /// (Loshchilov and Hutter 2019), the decay applied to kernels only.
    Adam {
        /// Decay of the first moment.
        #[serde(default = "defaults::beta_1")]
        beta_1: f32,
        /// Decay of the second moment.
        #[serde(default = "defaults::beta_2")]
        beta_2: f32,
        /// Added to the root of the second moment.
        #[serde(default = "defaults::epsilon")]
        epsilon: f32,
        /// Share of each kernel value taken away per step, times the learning rate.
        #[serde(default)]
        weight_decay: f32,
    },
    /// Stochastic gradient descent with momentum as Keras computes it.
    Sgd {
        /// Share of the last step kept, in 0..1.
        #[serde(default)]
        momentum: f32,
        /// Nesterov's look-ahead.
        #[serde(default)]
        nesterov: bool,
        /// Share of each kernel value taken away per step, times the learning rate.
        #[serde(default)]
        weight_decay: f32,
    },
}

mod defaults {
    pub(super) fn beta_1() -> f32 {
        0.9
    }
    pub(super) fn beta_2() -> f32 {
        0.999
    }
    pub(super) fn epsilon() -> f32 {
        1e-7
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.0 }
    }
}

/// How a training session is set up.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingOptions {
    /// Most pictures a step may hold; memory is planned for it.
    pub max_batch: usize,
    /// Threads to use; 0 lets the engine choose. The result does not depend on it.
    pub threads: usize,
    /// How weights follow gradients.
    pub optimizer: Optimizer,
    /// Above 0, a step first moves the weights this far up the batch's gradient (the length of the move over all
    /// that learns), takes the gradient there, and goes down by it from where it was: sharpness-aware minimisation
    /// (Foret et al., ICLR 2021). A step costs twice as much. Dropout drops the same both times; moving statistics
    /// and the reported loss are those before the move.
    pub sharpness: f32,
    /// Seed of dropout.
    pub seed: u64,
}

/// One batch of examples.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Number of examples.
    pub count: usize,
    /// `count` NHWC pictures, preprocessed; empty where the engine makes them itself.
    pub pictures: &'a [f32],
    /// `count` rows of class probabilities, each summing to 1 (one-hot for plain labels).
    pub targets: &'a [f32],
    /// Weight of each example in the loss, `count` values; empty means 1 for all.
    pub weights: &'a [f32],
}

/// What one training step saw, before it changed the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOutcome {
    /// Mean over the batch of weight times cross-entropy, in nats.
    pub loss: f32,
    /// Examples whose largest logit stands at the target's largest class.
    pub correct: usize,
}

/// Everything needed to go on training to the same bits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingState {
    /// Parameters and moving statistics.
    pub weights: Weights,
    /// The optimizer's moments, named `m/layer/parameter` and so on.
    pub slots: Weights,
    /// Steps done.
    pub step: u64,
}

/// A loss of the caller's own: from outputs to the loss, writing its gradient by each of them.
pub type Loss<'a> = dyn FnMut(&[f32], &mut [f32]) -> Result<f32> + 'a;

/// A network that learns.
pub trait TrainingSession: Send {
    /// Outputs of one picture.
    fn outputs(&self) -> usize;

    /// Forward, backward and one update with this learning rate; the loss is the cross-entropy.
    ///
    /// # Errors
    /// Where lengths are wrong.
    fn step(&mut self, batch: &Batch<'_>, learning_rate: f32) -> Result<StepOutcome> {
        batch.check(self.outputs())?;
        let mut first = None;
        let loss = self.step_with(batch.pictures, batch.count, learning_rate, &mut |logits, gradients| {
            let outcome = batch.cross_entropy(logits, gradients);
            first.get_or_insert(outcome);
            Ok(outcome.loss)
        })?;
        Ok(StepOutcome { loss, correct: first.map_or(0, |f| f.correct) })
    }

    /// Forward, backward and one update with a loss of the caller's own; gives that loss.
    ///
    /// `loss(outputs, gradients)` is called once, or twice with [`TrainingOptions::sharpness`], with `count` rows of
    /// outputs (those before a closing softmax) and writes the gradient of the loss by each of them; `gradients` has
    /// the same length and holds leftovers. Where it fails, the weights stay as they are (moving statistics have moved).
    ///
    /// # Errors
    /// Those of `loss`; where lengths are wrong.
    fn step_with(
        &mut self,
        pictures: &[f32],
        count: usize,
        learning_rate: f32,
        loss: &mut Loss<'_>,
    ) -> Result<f32>;

    /// Keeps pictures for [`step_rendered`](Self::step_rendered) and says whether it did: an engine that shares the
    /// caller's memory gains nothing by it, and another may find them too many.
    ///
    /// # Errors
    /// Where the pictures or the graph's input are not square.
    fn keep(&mut self, pictures: &Stored<'_>) -> Result<bool> {
        let _ = pictures;
        Ok(false)
    }

    /// [`step_with`](Self::step_with) on pictures that the engine makes of those it keeps.
    ///
    /// # Errors
    /// As there; where none are kept, or a picture is asked for that is not.
    fn step_rendered(
        &mut self,
        renderings: &[Rendering],
        learning_rate: f32,
        loss: &mut Loss<'_>,
    ) -> Result<f32> {
        let _ = (renderings, learning_rate, loss);
        Err(Error::Parameter("this engine keeps no pictures".into()))
    }

    /// Logits with the weights as they are now, in inference mode (moving statistics, no dropout).
    /// Lengths as in [`InferenceSession::logits`].
    fn logits(&mut self, pictures: &[f32], count: usize, logits: &mut [f32]) -> Result<()>;

    /// The weights as they are now.
    fn weights(&self) -> Weights;

    /// All that a checkpoint must hold.
    fn state(&self) -> TrainingState;

    /// Goes on from a checkpoint. An error where a tensor is missing or of another shape.
    fn restore(&mut self, state: &TrainingState) -> Result<()>;
}
