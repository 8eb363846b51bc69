//! Learning from other networks' answers (Hinton, Vinyals and Dean: "Distilling the Knowledge in a Neural Network",
//! 2015). A network that learns from one of its own size often becomes the better of the two, above all where labels are
//! uncertain (Furlanello et al.: "Born-Again Neural Networks", ICML 2018).

use std::path::{Path, PathBuf};

use moue_data::Dataset;
use moue_graph::engine::{Engine, InferenceOptions};
use moue_graph::{Calibration, Model};
use serde::{Deserialize, Serialize};

use crate::augment::{Target, Transform};
use crate::evaluate::{Rows, logits_under};
use crate::{Error, Result};

/// Who teaches, and how much of a target comes from the teachers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Teaching {
    /// Models of the data's classes; the mean of their probabilities is taught. A relative path starts at the
    /// recipe's folder.
    pub models: Vec<PathBuf>,
    /// Share of the target, in 0..=1; the rest is the row's own.
    #[serde(default = "half")]
    pub weight: f32,
    /// Divides the teachers' logits, on top of their own calibration: above 1 it tells more about the
    /// less probable classes; 0.25..=8.
    #[serde(default = "one")]
    pub temperature: f32,
}

fn half() -> f32 {
    0.5
}

fn one() -> f32 {
    1.0
}

/// Pictures a teacher reads at a time.
const BATCH: usize = 64;

impl Teaching {
    /// The first field out of range, as its name and what is wrong with it.
    pub(crate) fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        if self.models.is_empty() {
            return Err(("models", "names no model".into()));
        }
        if !(0.0..=1.0).contains(&self.weight) {
            return Err(("weight", format!("{} must lie in 0..=1", self.weight)));
        }
        if !(0.25..=8.0).contains(&self.temperature) {
            return Err(("temperature", format!("{} must lie in 0.25..=8", self.temperature)));
        }
        Ok(())
    }

    /// What the teachers answer to the rows `indices`: class probabilities in the order of the data's labels, each the
    /// mean over all teachers, and over the picture and its mirror.
    ///
    /// `base` is the folder at which a relative path starts.
    ///
    /// # Errors
    /// A model that cannot be read, whose labels are not the data's, or that does not read grey squares.
    pub(crate) fn answers(
        &self,
        engine: &dyn Engine,
        dataset: &Dataset,
        indices: &[usize],
        base: &Path,
        threads: usize,
    ) -> Result<Vec<f32>> {
        let names = dataset.labels().names();
        let mut sums = vec![0.0; indices.len() * names.len()];
        for path in &self.models {
            let path = base.join(path);
            let model = Model::load(&path)?;
            let places: Option<Vec<usize>> =
                names.iter().map(|name| model.card.labels.iter().position(|l| l == name)).collect();
            let Some(places) = places.filter(|_| model.card.labels.len() == names.len()) else {
                let (theirs, ours) = (model.card.labels.join(", "), names.join(", "));
                return Err(Error::Parameter(format!(
                    "{}: teaches {theirs}, the data has {ours}",
                    path.display()
                )));
            };
            let target = Target::new(model.graph.input_shape(), &model.card.preprocessing)?;
            let options = InferenceOptions { max_batch: BATCH, threads };
            let mut session = engine.inference(&model.graph, &model.weights, &options)?;
            let calibration =
                Calibration { temperature: model.card.calibration.temperature * self.temperature };
            let mut run = |p: &[f32], n: usize, out: &mut [f32]| session.logits(p, n, out);
            let rows = Rows { dataset, indices, leaked: &[] };
            let share = 0.5 / self.models.len() as f32;
            for flip in [false, true] {
                let transform = Transform { flip, ..Transform::NONE };
                let logits = logits_under(&mut run, &target, names.len(), rows, BATCH, &transform)?;
                for (row, sum) in logits.chunks_exact(names.len()).zip(sums.chunks_exact_mut(names.len())) {
                    let probabilities = calibration.probabilities(row);
                    for (value, &place) in sum.iter_mut().zip(&places) {
                        *value += share * probabilities[place];
                    }
                }
            }
        }
        Ok(sums)
    }
}
