//! A training run as a text file: everything that decides the result stands here.

mod load;
mod parts;

use std::path::PathBuf;

use moue_graph::engine::Optimizer;
use moue_graph::{Head, Preprocessing};
use serde::{Deserialize, Serialize};

use crate::augment::Augmentation;
use crate::mixing::Mixing;
use crate::schedule::Schedule;
use crate::teaching::Teaching;
use crate::{Error, Result};

pub use parts::{Averaging, Backbone, ClassWeights, DataSelection, EarlyStopping, Freeze, Metric};

/// How a model is trained. Read from TOML; unknown keys are errors, missing ones take the values of
/// [`Recipe::default`], which is the plain reference of the project's mission.
///
/// Two runs of the same recipe, data and engine give the same weights, whatever the threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// What the run is called: 1 to 64 letters, digits, `-`, `_` or `.`.
    pub name: String,
    /// Seed of the new layers' values, the order of pictures, augmentation and dropout.
    pub seed: u64,
    /// Passes over the training pictures, 1..=10000.
    pub epochs: usize,
    /// Pictures a step, 1..=4096. The last step of an epoch takes what is left.
    pub batch: usize,
    /// Share of each target spread evenly over all classes, in 0..1 (Szegedy et al. 2016).
    pub label_smoothing: f32,
    /// Share of the target taken from the votes of FER+ (Barsoum et al. 2016) where the data has
    /// them, in 0..=1; the rest is the FER2013 label. Above 0, rows without a face by these votes
    /// are left out of training.
    pub ferplus_weight: f32,
    /// Weight of a second task, 0..=10: eight more outputs learn the votes of FER+ (with contempt) while the network
    /// trains, and are cut off in the model that is saved. Unlike `ferplus_weight` it leaves the classes' own
    /// targets alone. Above 0, rows without a face by these votes are left out of training.
    pub ferplus_task: f32,
    /// Brings the mean of the targets to the classes' shares among the labels of the training rows, which votes and
    /// teachers shift, and then that of the model's answers to the validation pictures (their labels are not used), by
    /// the last layer's biases.
    pub match_shares: bool,
    /// How far up the gradient a step looks before it goes down, 0..=10; 0: not at all. Minima that stay low there
    /// are flat, and generalise better (Foret et al.: "Sharpness-Aware Minimization", ICLR 2021; they use 0.05). Doubles
    /// the cost of a step.
    pub sharpness: f32,
    /// Which epoch's model is kept: the best one by this figure. Accuracy is what is asked for in the end, but differs from
    /// one epoch to the next by chance more than the log loss does.
    pub keep: Metric,
    /// Weights of the classes in the loss.
    pub class_weights: ClassWeights,
    /// Inputs that black and white pixels become; `[0, 1]` by default, `[-1, 1]` for weights of
    /// `keras.applications`.
    pub input_range: [f32; 2],
    /// Written to the model card: share of a face box's side added on each side of a detected box.
    pub crop_margin: f32,
    /// Written to the model card: licence of the trained weights.
    pub licence: String,
    /// The network up to its features.
    pub backbone: Backbone,
    /// The layers put on top.
    pub head: Head,
    /// Layers that keep their values.
    pub freeze: Freeze,
    /// How weights follow gradients.
    pub optimizer: Optimizer,
    /// The learning rate.
    pub schedule: Schedule,
    /// Random changes of the training pictures.
    pub augmentation: Augmentation,
    /// Pictures mixed with each other; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixing: Option<Mixing>,
    /// Other networks to learn from; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teaching: Option<Teaching>,
    /// When to stop before the last epoch; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Averaging of the weights over the training; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub averaging: Option<Averaging>,
    /// Which rows are trained and validated on.
    pub data: DataSelection,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            name: "moue".into(),
            seed: 1,
            epochs: 25,
            batch: 24,
            label_smoothing: 0.0,
            ferplus_weight: 0.0,
            ferplus_task: 0.0,
            match_shares: false,
            sharpness: 0.0,
            keep: Metric::default(),
            class_weights: ClassWeights::None,
            input_range: [0.0, 1.0],
            crop_margin: 0.0,
            licence: "MIT OR Apache-2.0".into(),
            backbone: Backbone::default(),
            head: Head::default(),
            freeze: Freeze::default(),
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
            augmentation: Augmentation::default(),
            mixing: None,
            teaching: None,
            early_stopping: None,
            averaging: None,
            data: DataSelection::default(),
        }
    }
}

/// A field that is out of range: its keys from the root, and why.
#[derive(Debug)]
struct Fault {
    keys: Vec<&'static str>,
    reason: String,
}

impl Recipe {
    /// An error that names the first value out of range.
    pub fn check(&self) -> Result<()> {
        self.faults().map_err(|f| Error::Parameter(format!("{}: {}", f.keys.join("."), f.reason)))
    }

    /// Whether the data needs the votes of FER+ beside it.
    pub fn needs_votes(&self) -> bool {
        self.ferplus_weight > 0.0 || self.ferplus_task > 0.0
    }

    /// Every path in the recipe.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let teachers = self.teaching.iter_mut().flat_map(|teaching| &mut teaching.models);
        self.backbone.weights.iter_mut().chain(&mut self.data.exclude).chain(teachers)
    }

    /// How pixels become inputs.
    pub fn preprocessing(&self) -> Preprocessing {
        let [black, white] = self.input_range;
        Preprocessing { grey: true, scale: (white - black) / 255.0, offset: black }
    }

    fn faults(&self) -> std::result::Result<(), Fault> {
        let name_fits = (1..=64).contains(&self.name.len())
            && self.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !self.name.starts_with('.');
        require(name_fits, &["name"], || {
            "1 to 64 letters, digits, '-', '_' or '.', not starting with '.'".into()
        })?;
        within(&["epochs"], self.epochs as f64, 1.0, 10_000.0)?;
        within(&["batch"], self.batch as f64, 1.0, 4096.0)?;
        below_one(&["label_smoothing"], self.label_smoothing)?;
        within(&["ferplus_weight"], self.ferplus_weight.into(), 0.0, 1.0)?;
        within(&["ferplus_task"], self.ferplus_task.into(), 0.0, 10.0)?;
        within(&["sharpness"], self.sharpness.into(), 0.0, 10.0)?;
        let [black, white] = self.input_range;
        require(black.is_finite() && white.is_finite() && black < white, &["input_range"], || {
            format!("[{black}, {white}] must be two finite numbers, the first below the second")
        })?;
        within(&["crop_margin"], self.crop_margin.into(), -0.4, 2.0)?;
        within(&["backbone", "alpha"], self.backbone.alpha.into(), 0.1, 4.0)?;
        within(&["backbone", "input"], self.backbone.input as f64, 8.0, 1024.0)?;
        require(matches!(self.backbone.channels, 1 | 3), &["backbone", "channels"], || {
            format!("{} must be 1 or 3", self.backbone.channels)
        })?;
        if let Some([black, white]) = self.backbone.weights_range {
            require(
                black.is_finite() && white.is_finite() && black < white,
                &["backbone", "weights_range"],
                || format!("[{black}, {white}] must be two finite numbers, the first below the second"),
            )?;
        }
        below_one(&["head", "dropout"], self.head.dropout)?;
        self.optimizer_faults()?;
        self.schedule.check().map_err(|(key, reason)| Fault { keys: vec!["schedule", key], reason })?;
        self.augmentation
            .check()
            .map_err(|(key, reason)| Fault { keys: vec!["augmentation", key], reason })?;
        self.class_weights.check().map_err(|reason| Fault { keys: vec!["class_weights"], reason })?;
        if let Some(mixing) = &self.mixing {
            mixing.check().map_err(|(key, reason)| Fault { keys: vec!["mixing", key], reason })?;
        }
        if let Some(teaching) = &self.teaching {
            teaching.check().map_err(|(key, reason)| Fault { keys: vec!["teaching", key], reason })?;
        }
        if let Some(stopping) = &self.early_stopping {
            within(&["early_stopping", "patience"], stopping.patience as f64, 1.0, 10_000.0)?;
            within(&["early_stopping", "min_delta"], stopping.min_delta, 0.0, 1.0)?;
        }
        if let Some(averaging) = &self.averaging {
            below_one(&["averaging", "decay"], averaging.decay)?;
            within(&["averaging", "every"], averaging.every as f64, 1.0, 1e6)?;
            within(&["averaging", "start_epoch"], averaging.start_epoch as f64, 1.0, 10_000.0)?;
        }
        let holdout = self.data.holdout;
        require(holdout > 0.0 && holdout < 0.9, &["data", "holdout"], || {
            format!("{holdout} must lie between 0 and 0.9")
        })
    }

    fn optimizer_faults(&self) -> std::result::Result<(), Fault> {
        let weight_decay = match self.optimizer {
            Optimizer::Adam { beta_1, beta_2, epsilon, weight_decay } => {
                below_one(&["optimizer", "beta_1"], beta_1)?;
                below_one(&["optimizer", "beta_2"], beta_2)?;
                require(epsilon > 0.0 && epsilon.is_finite(), &["optimizer", "epsilon"], || {
                    format!("{epsilon} must be positive")
                })?;
                weight_decay
            }
            Optimizer::Sgd { momentum, weight_decay, .. } => {
                below_one(&["optimizer", "momentum"], momentum)?;
                weight_decay
            }
        };
        within(&["optimizer", "weight_decay"], weight_decay.into(), 0.0, 1.0)
    }
}

fn require(
    holds: bool,
    keys: &[&'static str],
    reason: impl FnOnce() -> String,
) -> std::result::Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault { keys: keys.to_vec(), reason: reason() }) }
}

fn within(keys: &[&'static str], value: f64, low: f64, high: f64) -> std::result::Result<(), Fault> {
    require((low..=high).contains(&value), keys, || format!("{value} must lie in {low}..={high}"))
}

fn below_one(keys: &[&'static str], value: f32) -> std::result::Result<(), Fault> {
    require((0.0..1.0).contains(&value), keys, || format!("{value} must be at least 0 and below 1"))
}
