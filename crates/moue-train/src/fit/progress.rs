//! Where a training stands, and the checkpoint that holds it.

use std::path::Path;

use moue_graph::engine::TrainingState;
use moue_graph::{Weights, checkpoint};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::history::EpochRow;
use crate::fingerprint::Fingerprint;
use crate::recipe::{EarlyStopping, Metric, Recipe};
use crate::{Error, Result};

/// Version of the header; another one is refused.
const FORMAT: u32 = 1;

/// Everything but tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    format: u32,
    pub(super) recipe: Recipe,
    pub(super) data: Fingerprint,
    /// Rows trained and validated on.
    pub(super) selected: [usize; 2],
    /// Epoch under way, counted from 1.
    pub(super) epoch: usize,
    /// Steps of it done.
    pub(super) step: usize,
    /// Steps done over all epochs.
    pub(super) global_step: u64,
    /// Epoch whose frozen layers the session has.
    pub(super) stage: usize,
    /// The session's own step counter.
    optimizer_step: u64,
    /// Sum of loss times rows over the epoch so far.
    pub(super) loss_sum: f64,
    /// Right answers of the epoch so far.
    pub(super) correct: usize,
    /// Rows of the epoch so far.
    pub(super) seen: usize,
    /// Time spent in the epoch so far.
    pub(super) epoch_seconds: f64,
    /// Time spent in all epochs before.
    pub(super) seconds: f64,
    pub(super) history: Vec<EpochRow>,
    pub(super) best: Option<Best>,
    /// Best value of the figure that early stopping watches.
    watched: Option<f64>,
    /// Epochs since.
    waited: usize,
}

/// The best epoch so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Best {
    pub(super) epoch: usize,
    /// What the recipe's `keep` asks for; larger is better.
    #[serde(alias = "accuracy")]
    value: f64,
    loss: f64,
}

/// A checkpoint read back.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) progress: Progress,
    pub(super) state: TrainingState,
    pub(super) average: Option<Weights>,
}

impl Metric {
    /// Its value in an epoch; larger is better.
    fn value(self, row: &EpochRow) -> f64 {
        match self {
            Self::ValAccuracy => row.val_accuracy_deduplicated,
            Self::ValMacroF1 => row.val_macro_f1,
            Self::ValLoss => -row.val_loss,
        }
    }
}

const PARTS: [&str; 3] = ["weights:", "slots:", "average:"];

impl Progress {
    pub(super) fn new(recipe: &Recipe, data: Fingerprint, selected: [usize; 2]) -> Self {
        Self {
            format: FORMAT,
            recipe: recipe.clone(),
            data,
            selected,
            epoch: 1,
            step: 0,
            global_step: 0,
            stage: 1,
            optimizer_step: 0,
            loss_sum: 0.0,
            correct: 0,
            seen: 0,
            epoch_seconds: 0.0,
            seconds: 0.0,
            history: Vec::new(),
            best: None,
            watched: None,
            waited: 0,
        }
    }

    /// Closes the epoch; gives whether it is the best so far.
    pub(super) fn finish_epoch(&mut self, row: EpochRow) -> bool {
        let value = self.recipe.keep.value(&row);
        let candidate = Best { epoch: row.epoch, value, loss: row.val_loss };
        let better = self.best.is_none_or(|best| {
            candidate.value > best.value || (candidate.value == best.value && candidate.loss < best.loss)
        });
        if better {
            self.best = Some(candidate);
        }
        if let Some(EarlyStopping { metric, min_delta, .. }) = &self.recipe.early_stopping {
            let value = metric.value(&row);
            if self.watched.is_none_or(|best| value > best + min_delta) {
                self.watched = Some(value);
                self.waited = 0;
            } else {
                self.waited += 1;
            }
        }
        self.seconds += row.seconds;
        self.history.push(row);
        self.epoch += 1;
        self.step = 0;
        self.loss_sum = 0.0;
        self.correct = 0;
        self.seen = 0;
        self.epoch_seconds = 0.0;
        better
    }

    /// Whether early stopping has waited long enough.
    pub(super) fn is_stopped_early(&self) -> bool {
        self.recipe.early_stopping.as_ref().is_some_and(|s| self.waited >= s.patience)
    }

    /// Writes a checkpoint: the old one stays until the new one is on the disk.
    pub(super) fn save(
        &mut self,
        path: &Path,
        state: TrainingState,
        average: Option<&Weights>,
    ) -> Result<()> {
        self.optimizer_step = state.step;
        let header = serde_json::to_value(&*self).map_err(|e| Error::Resume {
            path: path.to_owned(),
            reason: format!("cannot be written: {e}"),
        })?;
        let mut tensors = Weights::new();
        for (prefix, part) in PARTS.iter().zip([Some(&state.weights), Some(&state.slots), average]) {
            for (name, tensor) in part.into_iter().flat_map(Weights::iter) {
                tensors.insert(format!("{prefix}{name}"), tensor.clone());
            }
        }
        Ok(checkpoint::save(path, &header, &tensors)?)
    }

    /// Reads a checkpoint.
    pub(super) fn load(path: &Path) -> Result<Saved> {
        let fault = |reason: String| Error::Resume { path: path.to_owned(), reason };
        let (header, tensors) = checkpoint::load(path)?;
        let format = header.get("format").and_then(Value::as_u64);
        if format != Some(FORMAT.into()) {
            return Err(fault(format!("is no training checkpoint of format {FORMAT}, but of {format:?}")));
        }
        let progress: Self = serde_json::from_value(header)
            .map_err(|e| fault(format!("does not hold a training's progress: {e}")))?;
        let [mut weights, mut slots, mut average] = [Weights::new(), Weights::new(), Weights::new()];
        for (name, tensor) in tensors.iter() {
            let parts = [&mut weights, &mut slots, &mut average];
            let place = PARTS.iter().zip(parts).find_map(|(p, part)| Some((name.strip_prefix(p)?, part)));
            let (name, part) = place.ok_or_else(|| fault(format!("holds the unknown tensor {name}")))?;
            part.insert(name, tensor.clone());
        }
        let state = TrainingState { weights, slots, step: progress.optimizer_step };
        Ok(Saved { progress, state, average: (!average.is_empty()).then_some(average) })
    }

    /// An error that says in what this run differs from the one asked for.
    pub(super) fn check_same(&self, other: &Self, path: &Path) -> Result<()> {
        let mut differences = Vec::new();
        let recipes = [&self.recipe, &other.recipe].map(|r| serde_json::to_value(r).unwrap_or_default());
        compare("", &recipes[0], &recipes[1], &mut differences);
        let of_data = [&self.data, &other.data].map(|d| serde_json::to_value(d).unwrap_or_default());
        compare("dataset ", &of_data[0], &of_data[1], &mut differences);
        for (what, a, b) in [
            ("training", self.selected[0], other.selected[0]),
            ("validation", self.selected[1], other.selected[1]),
        ] {
            if a != b {
                differences.push(format!("selected {what} rows: {a} then, {b} now"));
            }
        }
        if differences.is_empty() {
            return Ok(());
        }
        let reason =
            format!("the run was started with another recipe or dataset: {}", differences.join("; "));
        Err(Error::Resume { path: path.to_owned(), reason })
    }
}

/// Names every leaf in which two JSON values differ.
fn compare(place: &str, then: &Value, now: &Value, differences: &mut Vec<String>) {
    if let (Value::Object(a), Value::Object(b)) = (then, now) {
        let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for key in keys {
            let dot = if place.is_empty() || place.ends_with(' ') { "" } else { "." };
            let absent = Value::Null;
            let (x, y) = (a.get(key).unwrap_or(&absent), b.get(key).unwrap_or(&absent));
            compare(&format!("{place}{dot}{key}"), x, y, differences);
        }
    } else if then != now {
        differences.push(format!("{place}: {then} then, {now} now"));
    }
}
