//! The tables of a recipe.

use std::path::PathBuf;

use moue_data::LabelSet;
use moue_graph::Graph;
use moue_graph::backbones::Stem;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The network up to its features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backbone {
    /// A family of [`moue_graph::backbones::NAMES`].
    pub name: String,
    /// Width multiplier, 0.1..=4.
    pub alpha: f32,
    /// Side of the square input in pixels, 8..=1024.
    pub input: usize,
    /// Channels of the input: 3 as published, or 1, which reads grey pictures without repeating them (kernels
    /// taken over from a network of three channels are summed, which answers the same).
    pub channels: usize,
    /// Step of the first convolution: `stride2` as published, `stride1` for small pictures.
    pub stem: Stem,
    /// Where the values come from: a moue `.safetensors` model, a folder (or `model.json`) in
    /// TensorFlow.js layers format, the `.json` of a TensorFlow.js graph model, or a PyTorch state dict (`.pth`,
    /// `.pt`) of EfficientNet-Lite. Tensors are taken by layer name and shape. A relative path starts at the recipe's
    /// folder. Absent: everything is learnt from scratch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// What black and white were for the network that `weights` come from, where that is not `input_range`: its first
    /// kernel is rescaled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights_range: Option<[f32; 2]>,
}

impl Default for Backbone {
    fn default() -> Self {
        Self {
            name: "mobilenet_v2".into(),
            alpha: 1.0,
            input: 224,
            channels: 3,
            stem: Stem::Stride2,
            weights: None,
            weights_range: None,
        }
    }
}

/// Layers that keep their values. A layer is frozen when any of the three rules names it. A frozen
/// batch normalisation uses its moving statistics, as in Keras.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Freeze {
    /// Names of layers; `*` stands for any characters (`block_1_*`).
    pub layers: Vec<String>,
    /// Freezes this layer and all before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Freezes the first so many layers, counted as in Keras' `model.layers[:depth]`.
    pub depth: usize,
    /// From this epoch (counted from 1) on, nothing is frozen; the optimizer starts afresh there, as
    /// it does in Keras after the second `compile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfreeze_epoch: Option<usize>,
}

impl Freeze {
    /// Sets `trainable` of every layer for the given epoch (counted from 1).
    ///
    /// An error where a name matches no layer or the depth exceeds the graph: a typing mistake would
    /// otherwise train what was meant to stay.
    pub fn apply(&self, graph: &mut Graph, epoch: usize) -> Result<()> {
        for pattern in self.layers.iter().chain(&self.until) {
            if !graph.layers().iter().any(|l| matches(pattern, &l.name)) {
                return Err(Error::Parameter(format!(
                    "freeze: no layer of {} is called {pattern}",
                    graph.name()
                )));
            }
        }
        let count = graph.layers().len();
        if self.depth > count {
            return Err(Error::Parameter(format!(
                "freeze.depth: {} exceeds the {count} layers of {}",
                self.depth,
                graph.name()
            )));
        }
        graph.set_trainable(true, |_, _| true);
        if self.unfreeze_epoch.is_some_and(|from| epoch >= from) {
            return Ok(());
        }
        let until = self.until.as_ref().and_then(|name| graph.layers().iter().rposition(|l| &l.name == name));
        graph.set_trainable(false, |id, layer| {
            id < self.depth
                || until.is_some_and(|last| id <= last)
                || self.layers.iter().any(|p| matches(p, &layer.name))
        });
        if graph.parameter_count().1 == 0 {
            return Err(Error::Parameter("freeze: nothing is left to train".into()));
        }
        Ok(())
    }

    /// Whether epoch `epoch` (counted from 1) trains other layers than the one before it.
    pub(crate) fn changes_at(&self, epoch: usize) -> bool {
        let freezes = !self.layers.is_empty() || self.until.is_some() || self.depth > 0;
        freezes && epoch > 1 && self.unfreeze_epoch == Some(epoch)
    }
}

/// Whether a name fits a pattern in which `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(tail) = name.strip_prefix(first) else { return false };
    (0..=tail.len()).filter(|&i| tail.is_char_boundary(i)).any(|i| matches(rest, &tail[i..]))
}

/// Weights of the classes in the loss. They are scaled so that the mean over the training rows is 1
/// and learning rates keep their meaning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClassWeights {
    /// Every row counts the same.
    #[default]
    None,
    /// `(1 / rows of the class) ^ power`; power 1 is scikit-learn's `balanced`.
    Balanced {
        /// Between 0 (no weights) and 1 (every class counts the same).
        #[serde(default = "one")]
        power: f64,
    },
    /// `(1 - beta) / (1 - beta ^ rows)` (Cui et al.: "Class-Balanced Loss Based on Effective Number of
    /// Samples", CVPR 2019).
    Effective {
        /// In 0..1, for instance 0.999.
        beta: f64,
    },
    /// As given.
    List {
        /// One positive weight a class, in the order of the labels.
        weights: Vec<f64>,
    },
}

fn one() -> f64 {
    1.0
}

impl ClassWeights {
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        match self {
            Self::Balanced { power } if !(0.0..=1.0).contains(power) => {
                Err(format!("power {power} must lie in 0..=1"))
            }
            Self::Effective { beta } if !(0.0..1.0).contains(beta) => {
                Err(format!("beta {beta} must be at least 0 and below 1"))
            }
            Self::List { weights } if weights.iter().any(|w| !(*w > 0.0 && w.is_finite())) => {
                Err("every weight must be positive".into())
            }
            _ => Ok(()),
        }
    }

    /// One weight a class for these numbers of training rows; `None` where all are 1. Classes
    /// without rows get 0.
    pub(crate) fn weights(&self, rows: &[usize]) -> Result<Option<Vec<f32>>> {
        let raw: Vec<f64> = match self {
            Self::None => return Ok(None),
            Self::Balanced { power } => rows.iter().map(|&n| (1.0 / n.max(1) as f64).powf(*power)).collect(),
            Self::Effective { beta } => {
                rows.iter().map(|&n| (1.0 - beta) / (1.0 - beta.powf(n.max(1) as f64))).collect()
            }
            Self::List { weights } if weights.len() != rows.len() => {
                let (given, wanted) = (weights.len(), rows.len());
                return Err(Error::Parameter(format!("class_weights: {given} weights for {wanted} classes")));
            }
            Self::List { weights } => weights.clone(),
        };
        let total: usize = rows.iter().sum();
        let sum: f64 = raw.iter().zip(rows).map(|(w, &n)| w * n as f64).sum();
        let scale = if sum > 0.0 { total as f64 / sum } else { 1.0 };
        Ok(Some(raw.iter().zip(rows).map(|(w, &n)| if n == 0 { 0.0 } else { (w * scale) as f32 }).collect()))
    }
}

/// A figure of the validation rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of right answers on rows whose pictures are not in Training; larger is better.
    #[default]
    ValAccuracy,
    /// Mean of the classes' F1; larger is better.
    ValMacroF1,
    /// Log loss; smaller is better.
    ValLoss,
}

/// When to stop before the last epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Stops after so many epochs in a row without a better value, at least 1.
    pub patience: usize,
    /// The value watched.
    #[serde(default)]
    pub metric: Metric,
    /// A value must be better by more than this to count.
    #[serde(default)]
    pub min_delta: f64,
}

/// Exponential moving average of the weights (Polyak and Juditsky 1992; as used by Tan and Le 2019).
/// The averaged weights are the ones validated and saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Averaging {
    /// Share of the average kept at each update, in 0..1.
    pub decay: f32,
    /// Steps between two updates: reading weights costs time, and neighbours differ little.
    #[serde(default = "every")]
    pub every: usize,
    /// Epoch (counted from 1) at whose start the average begins.
    #[serde(default = "first")]
    pub start_epoch: usize,
}

fn every() -> usize {
    16
}

fn first() -> usize {
    1
}

/// Which rows are trained and validated on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSelection {
    /// The classes to learn: `own`, or `ferplus` for the eight of FER+ by the majority of its votes. The caller reads the
    /// data that way ([`LabelSet::of`]); `ferplus_weight = 1` then makes the shares of the votes the targets.
    pub labels: LabelSet,
    /// Leaves out Training rows whose picture stands, pixel for pixel, in an evaluation set: with
    /// them, scores count answers learnt by heart.
    pub drop_leaked: bool,
    /// Keeps one of several equal Training pictures.
    pub drop_duplicates: bool,
    /// Leaves out equal Training pictures whose labels differ.
    pub drop_conflicts: bool,
    /// Text file whose first comma-separated column is a row of the data (counted from 0) to leave
    /// out everywhere; a header line is skipped. A relative path starts at the recipe's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude: Option<PathBuf>,
    /// Share of each class of Training held out for validation when the data has no PublicTest.
    pub holdout: f64,
}

impl Default for DataSelection {
    fn default() -> Self {
        Self {
            labels: LabelSet::Own,
            drop_leaked: true,
            drop_duplicates: false,
            drop_conflicts: false,
            exclude: None,
            holdout: 0.1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_any_characters() {
        assert!(matches("block_1_*", "block_1_expand"));
        assert!(!matches("block_1_*", "block_10_expand"));
        assert!(matches("*_BN", "block_3_project_BN"));
        assert!(matches("b*_*_add", "block_3_add"));
        assert!(!matches("Conv1", "Conv1_relu"));
        assert!(matches("*", ""));
    }

    #[test]
    fn balanced_weights_are_those_of_scikit_learn() {
        // sklearn.utils.class_weight.compute_class_weight('balanced', [0, 1], 3 x 0 and 1 x 1).
        let weights = ClassWeights::Balanced { power: 1.0 }.weights(&[3, 1]).unwrap().unwrap();
        assert_eq!(weights, [4.0 / 6.0, 2.0]);
        let all_equal = ClassWeights::Balanced { power: 0.0 }.weights(&[3, 1]).unwrap().unwrap();
        assert_eq!(all_equal, [1.0, 1.0]);
    }

    #[test]
    fn weights_have_mean_one_over_the_rows() {
        let rows = [3995, 436, 4097, 7215, 4830, 3171, 4965];
        for kind in [
            ClassWeights::Balanced { power: 0.5 },
            ClassWeights::Effective { beta: 0.999 },
            ClassWeights::List { weights: vec![1.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0] },
        ] {
            let weights = kind.weights(&rows).unwrap().unwrap();
            let sum: f64 = weights.iter().zip(rows).map(|(&w, n)| f64::from(w) * n as f64).sum();
            assert!((sum / rows.iter().sum::<usize>() as f64 - 1.0).abs() < 1e-6);
            assert!(weights[1] > weights[3]);
        }
        assert!(ClassWeights::List { weights: vec![1.0] }.weights(&rows).is_err());
    }

    #[test]
    fn freezing_by_name_depth_and_until() {
        let graph = moue_graph::backbones::by_name("mobilenet_v2", 0.35, 32).unwrap();
        let frozen = |freeze: &Freeze, epoch| {
            let mut g = graph.clone();
            freeze.apply(&mut g, epoch).map(|()| g.layers().iter().filter(|l| !l.trainable).count())
        };
        assert_eq!(frozen(&Freeze::default(), 1).unwrap(), 0);
        assert_eq!(frozen(&Freeze { depth: 5, ..Freeze::default() }, 1).unwrap(), 5);
        let until = Freeze { until: Some("Conv1_relu".into()), ..Freeze::default() };
        assert_eq!(frozen(&until, 1).unwrap(), 4);
        let layers = Freeze { layers: vec!["block_3_*".into()], ..Freeze::default() };
        assert_eq!(frozen(&layers, 1).unwrap(), 9);
        let staged = Freeze { depth: 5, unfreeze_epoch: Some(3), ..Freeze::default() };
        assert_eq!(frozen(&staged, 2).unwrap(), 5);
        assert_eq!(frozen(&staged, 3).unwrap(), 0);
        assert!(staged.changes_at(3) && !staged.changes_at(2) && !staged.changes_at(4));
        assert!(frozen(&Freeze { layers: vec!["blok_*".into()], ..Freeze::default() }, 1).is_err());
        assert!(frozen(&Freeze { until: Some("nowhere".into()), ..Freeze::default() }, 1).is_err());
        assert!(frozen(&Freeze { depth: 100_000, ..Freeze::default() }, 1).is_err());
        assert!(frozen(&Freeze { layers: vec!["*".into()], ..Freeze::default() }, 1).is_err());
    }
}
