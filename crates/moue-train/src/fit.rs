//! The training loop.

mod averaging;
mod history;
mod observer;
mod progress;
mod run;
mod validation;

use std::path::{Path, PathBuf};
use std::time::Duration;

use moue_data::Dataset;
use moue_graph::engine::Engine;
use moue_graph::{Graph, Model, Weights};

use crate::Result;
use crate::recipe::Recipe;

pub use history::{EpochRow, history_csv, read_history};
pub use observer::{Control, Observer, RunInfo, Silent, StepReport};

/// What does not change the result of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct FitOptions {
    /// The run folder: `last.safetensors`, `best.safetensors`, `history.csv` and `recipe.toml` are
    /// written here. Made if it is not there.
    pub folder: PathBuf,
    /// Goes on from the folder's `last.safetensors`; from the beginning if the folder has none yet.
    /// Otherwise a folder that already holds a run is refused.
    pub resume: bool,
    /// Where relative paths of the recipe start: the recipe's folder.
    pub base: PathBuf,
    /// Threads of the engine; 0 lets it choose.
    pub threads: usize,
    /// A checkpoint is also written within an epoch when this much time has passed since the last.
    pub checkpoint_every: Option<Duration>,
    /// A checkpoint is also written within an epoch after so many steps; 0: not by steps.
    pub checkpoint_steps: usize,
}

impl FitOptions {
    /// Starts a run in a folder, with a checkpoint every two minutes and after each epoch.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            resume: false,
            base: PathBuf::from("."),
            threads: 0,
            checkpoint_every: Some(Duration::from_secs(120)),
            checkpoint_steps: 0,
        }
    }

    /// Everything needed to go on.
    pub fn last(&self) -> PathBuf {
        self.folder.join("last.safetensors")
    }

    /// The model of the best epoch so far.
    pub fn best(&self) -> PathBuf {
        self.folder.join("best.safetensors")
    }

    /// One line an epoch.
    pub fn history(&self) -> PathBuf {
        self.folder.join("history.csv")
    }

    /// The recipe as it was used.
    pub fn recipe(&self) -> PathBuf {
        self.folder.join("recipe.toml")
    }
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All epochs are done.
    Complete,
    /// The watched figure had not got better for long enough.
    EarlyStopping,
    /// The observer asked for it; a checkpoint was written.
    Stopped,
}

/// What a training gave.
#[derive(Clone, Debug, PartialEq)]
pub struct FitOutcome {
    /// The best epoch's model, calibrated, as in `best.safetensors`; `None` where a stop came before
    /// the first epoch was through.
    pub model: Option<Model>,
    /// Its epoch, counted from 1.
    pub best_epoch: Option<usize>,
    /// All epochs.
    pub history: Vec<EpochRow>,
    /// Why it ended.
    pub ended: Ended,
    /// Time spent, over all interruptions.
    pub seconds: f64,
}

/// Trains `graph` (with its head) from `weights` on `dataset` as `recipe` says.
///
/// Each epoch ends with a validation on PublicTest, or on rows held out of Training where there is
/// none. The model kept is that of the epoch with the highest accuracy on validation rows whose
/// pictures are not in Training, of equal ones that with the lower loss; its temperature is fitted
/// on the validation rows.
///
/// Killed at any moment, a call with [`FitOptions::resume`] goes on to the same weights and history
/// (but for times) as an uninterrupted run, provided recipe, data and engine are the same.
///
/// # Errors
/// [`Parameter`](crate::Error::Parameter) for a recipe that does not fit the graph,
/// [`Data`](crate::Error::Data) where no row is left to train or validate on,
/// [`Diverged`](crate::Error::Diverged) when the loss stops being a number,
/// [`Resume`](crate::Error::Resume) where the folder holds another run, and whatever engine and file
/// system report.
pub fn fit(
    engine: &dyn Engine,
    graph: &Graph,
    weights: &Weights,
    dataset: &Dataset,
    recipe: &Recipe,
    options: &FitOptions,
    observer: &mut dyn Observer,
) -> Result<FitOutcome> {
    run::Run::open(engine, graph, weights, dataset, recipe, options)?.go(observer)
}

/// As [`moue_files::whole::write`].
fn write_text(path: &Path, text: &str) -> Result<()> {
    moue_files::whole::write(path, text.as_bytes()).map_err(|e| crate::Error::io(path, e))
}
