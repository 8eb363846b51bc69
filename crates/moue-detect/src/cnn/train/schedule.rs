//! How fast weights move, their average, and the state of a training as a file.

use std::path::Path;

use moue_graph::engine::{TrainingSession, TrainingState};
use moue_graph::{Weights, checkpoint};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// Learning rate over the steps: a rise, a plateau, and a fall to a hundredth as a half cosine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Schedule {
    pub steps: u64,
    pub rate: f32,
    pub warm_up: u64,
    pub decay_steps: u64,
}

impl Schedule {
    /// Learning rate of a step, counted from 0.
    pub fn rate_at(&self, step: u64) -> f32 {
        let rise = ((step + 1) as f32 / self.warm_up.max(1) as f32).min(1.0);
        let left = (self.steps.saturating_sub(step)) as f32 / self.decay_steps.max(1) as f32;
        let fall =
            if left < 1.0 { 0.01 + 0.99 * 0.5 * (1.0 - (std::f32::consts::PI * left).cos()) } else { 1.0 };
        self.rate * rise * fall
    }

    /// # Errors
    /// [`Error::Parameter`] where a value has no meaning.
    pub fn check(&self) -> Result<(), Error> {
        let fault = |name, value: String, expected| Err(Error::Parameter { name, value, expected });
        if !(self.rate > 0.0 && self.rate <= 1.0) {
            return fault("rate", self.rate.to_string(), "above 0 and at most 1");
        }
        if self.steps == 0 || self.decay_steps > self.steps {
            return fault(
                "decay_steps",
                self.decay_steps.to_string(),
                "at most the number of steps, which is above 0",
            );
        }
        Ok(())
    }
}

/// Moves an average of weights towards those after `step` steps, keeping the share `keep` of it, or less at the beginning, when it
/// follows at the same pace however few steps there were.
pub(super) fn follow(average: &mut Weights, current: &Weights, keep: f32, step: u64) {
    let keep = keep.min((step as f32 - 1.0) / (step as f32 + 9.0));
    let mut new = Weights::new();
    for (name, tensor) in current.iter() {
        let mut tensor = tensor.clone();
        if let Some(old) = average.get(name) {
            for (value, old) in tensor.data_mut().iter_mut().zip(old.data()) {
                *value += keep * (old - *value);
            }
        }
        new.insert(name, tensor);
    }
    *average = new;
}

/// Writes what a training needs to go on.
pub(super) fn save(
    path: &Path,
    header: &impl Serialize,
    session: &dyn TrainingSession,
    average: &Weights,
) -> Result<(), Error> {
    let state = session.state();
    let mut tensors = Weights::new();
    for (prefix, part) in [("weights", &state.weights), ("slots", &state.slots), ("average", average)] {
        for (name, tensor) in part.iter() {
            tensors.insert(format!("{prefix}/{name}"), tensor.clone());
        }
    }
    let header = serde_json::to_value(header).map_err(|e| Error::Training(e.to_string()))?;
    Ok(checkpoint::save(path, &header, &tensors)?)
}

/// What [`save`] wrote: the header, the state of the session after `step(header)` steps, and the average.
pub(super) fn load<H: DeserializeOwned>(
    path: &Path,
    step: impl Fn(&H) -> u64,
) -> Result<(H, TrainingState, Weights), Error> {
    let (header, tensors) = checkpoint::load(path)?;
    let header: H = serde_json::from_value(header)
        .map_err(|e| Error::Training(format!("the checkpoint is of another kind: {e}")))?;
    let part = |prefix: &str| {
        let mut part = Weights::new();
        for (name, tensor) in tensors.iter() {
            if let Some(name) = name.strip_prefix(prefix) {
                part.insert(name, tensor.clone());
            }
        }
        part
    };
    let state = TrainingState { weights: part("weights/"), slots: part("slots/"), step: step(&header) };
    Ok((header, state, part("average/")))
}
