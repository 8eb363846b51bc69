//! A network together with everything needed to use it, and the file that holds it.

mod file;

use serde::{Deserialize, Serialize};

use crate::{Graph, Result, Weights};

/// A network ready to use: graph, weights, and what they mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The layers.
    pub graph: Graph,
    /// Their values.
    pub weights: Weights,
    /// What goes in, what comes out, and where it is from.
    pub card: ModelCard,
}

/// What a model file says about its network, beside the layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Class names in the order of the outputs.
    pub labels: Vec<String>,
    /// How pixels become inputs.
    pub preprocessing: Preprocessing,
    /// Share of a face box's side added on each side of it before the crop is resized to the input;
    /// may be negative.
    pub crop_margin: f32,
    /// How logits become probabilities.
    pub calibration: Calibration,
    /// Licence of the weights (an SPDX expression or a sentence).
    pub licence: String,
    /// How it was trained: recipe, data, scores. Free-form, for people and for `moue model info`.
    #[serde(default)]
    pub training: serde_json::Value,
}

/// Input = pixel (0..=255) x `scale` + `offset`, after a resize to the graph's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Whether luma is copied to every channel (`true`) or colour is kept.
    pub grey: bool,
    /// Factor, 1/255 for inputs in [0, 1].
    pub scale: f32,
    /// Added after scaling.
    pub offset: f32,
}

impl Default for Preprocessing {
    fn default() -> Self {
        Self { grey: true, scale: 1.0 / 255.0, offset: 0.0 }
    }
}

/// Temperature scaling (Guo, Pleiss, Sun and Weinberger: "On Calibration of Modern Neural
/// Networks", ICML 2017).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Logits are divided by this before the softmax; 1 leaves them as they are.
    pub temperature: f32,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { temperature: 1.0 }
    }
}

impl Calibration {
    /// Calibrated probabilities of one row of logits: softmax of `logits / temperature`.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<f32> {
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> =
            logits.iter().map(|&l| (f64::from(l - top) / f64::from(self.temperature)).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|p| (p / sum) as f32).collect()
    }
}

impl ModelCard {
    /// Checks labels and numbers.
    fn check(&self) -> Result<()> {
        let refuse = |reason: String| Err(crate::Error::Parameter(reason));
        for (i, label) in self.labels.iter().enumerate() {
            if label.is_empty() || self.labels[..i].contains(label) {
                return refuse(format!("label {i}, {label:?}, must not be empty and not stand twice"));
            }
        }
        if !(self.calibration.temperature > 0.0 && self.calibration.temperature.is_finite()) {
            return refuse(format!(
                "the calibration temperature {} must be positive",
                self.calibration.temperature
            ));
        }
        let Preprocessing { scale, offset, .. } = self.preprocessing;
        if !(self.crop_margin.is_finite() && scale.is_finite() && offset.is_finite()) {
            return refuse("crop margin, scale and offset must be finite".into());
        }
        Ok(())
    }
}

impl Model {
    /// Checks that weights, labels and graph belong together.
    pub fn check(&self) -> Result<()> {
        self.weights.check(&self.graph)?;
        let outputs = self.graph.output_shape();
        if outputs.as_slice() != [self.card.labels.len()] {
            return Err(crate::Error::Weights(format!(
                "{} labels do not name outputs of the shape {outputs:?}",
                self.card.labels.len()
            )));
        }
        self.card.check()
    }
}
