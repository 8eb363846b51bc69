//! Who watches a training.

use std::path::Path;

use super::EpochRow;
use crate::selection::Dropped;

/// What a training is about to do.
#[derive(Clone, Debug, PartialEq)]
pub struct RunInfo {
    /// Rows trained on.
    pub training: usize,
    /// Rows validated on after each epoch.
    pub validation: usize,
    /// Where those come from, for instance `PublicTest`.
    pub validation_source: String,
    /// Validation rows whose pictures are not in Training.
    pub validation_deduplicated: usize,
    /// Rows left out, by reason.
    pub dropped: Dropped,
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
    /// Epochs planned.
    pub epochs: usize,
    /// All parameters, and those training changes in its first epoch.
    pub parameters: (usize, usize),
    /// Epoch (counted from 1) and step at which an interrupted run goes on; `None` for a new one.
    pub resumed: Option<(usize, usize)>,
}

/// Where an epoch stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Epoch, counted from 1.
    pub epoch: usize,
    /// Steps of this epoch done.
    pub step: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// Mean loss of the epoch so far.
    pub loss: f64,
    /// Accuracy of the epoch so far, on the augmented pictures and with dropout.
    pub accuracy: f64,
    /// The learning rate of this step.
    pub learning_rate: f32,
    /// Pictures a second since the epoch began.
    pub images_per_second: f64,
    /// Seconds left of this epoch, without the validation.
    pub eta_seconds: f64,
}

/// What a training does after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Goes on.
    Continue,
    /// Writes a checkpoint and ends.
    Stop,
}

/// Watches a training. Every method may be left out.
pub trait Observer {
    /// Before the first step.
    fn on_start(&mut self, _info: &RunInfo) {}

    /// Before the first step of an epoch (counted from 1), or of what is left of it.
    fn on_epoch_start(&mut self, _epoch: usize, _epochs: usize) {}

    /// After each step.
    fn on_step(&mut self, _report: &StepReport) -> Control {
        Control::Continue
    }

    /// After the last step of an epoch, before its validation.
    fn on_validation_start(&mut self, _epoch: usize) {}

    /// After the validation; `best` says whether this is the best epoch so far.
    fn on_epoch_end(&mut self, _row: &EpochRow, _best: bool) {}

    /// After `last.safetensors` was written.
    fn on_checkpoint(&mut self, _path: &Path) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
