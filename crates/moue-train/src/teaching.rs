//! Learning from other networks' answers (Hinton, Vinyals and Dean: "Distilling the Knowledge in a Neural Network",
//! 2015). A network that learns from one of its own size often becomes the better of the two, above all where labels are
//! uncertain (Furlanello et al.: "Born-Again Neural Networks", ICML 2018).

use std::path::{Path, PathBuf};

use moue_data::Dataset;
use moue_graph::engine::{Engine, InferenceOptions, InferenceSession};
use moue_graph::{Calibration, Model};
use serde::{Deserialize, Serialize};

use crate::augment::{Target, Transform};
use crate::evaluate::{Rows, logits_under};
use crate::{Error, Result, shares};

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
    /// Whether the teachers look at every training picture as the network sees it, changed and mixed, and its mirror, at every
    /// step; otherwise once, at the picture and its mirror. What they say of a picture never seen before is what they know, not
    /// the labels that they learnt by heart (Beyer et al.: "Knowledge distillation: A good teacher is patient and
    /// consistent", CVPR 2022). Costs two answers of each teacher for every picture.
    #[serde(default)]
    pub consistent: bool,
}

fn half() -> f32 {
    0.5
}

fn one() -> f32 {
    1.0
}

/// Pictures a teacher reads at a time where no batch says it.
pub(crate) const BATCH: usize = 64;

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

    /// The teachers, ready to answer to up to `batch` pictures at a time about the classes of `dataset`.
    ///
    /// `base` is the folder at which a relative path starts.
    ///
    /// # Errors
    /// A model that cannot be read, whose labels are not the data's, or that does not read grey squares.
    pub(crate) fn open(
        &self,
        engine: &dyn Engine,
        dataset: &Dataset,
        batch: usize,
        base: &Path,
        threads: usize,
    ) -> Result<Teachers> {
        let names = dataset.labels().names();
        let mut teachers = Teachers { all: Vec::new(), views: Vec::new(), classes: names.len(), batch };
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
            let view = teachers.views.iter().position(|v| *v == target).unwrap_or(teachers.views.len());
            if view == teachers.views.len() {
                teachers.views.push(target);
            }
            let options = InferenceOptions { max_batch: batch, threads };
            let session = engine.inference(&model.graph, &model.weights, &options)?;
            let temperature = model.card.calibration.temperature * self.temperature;
            teachers.all.push(Teacher { session, view, places, calibration: Calibration { temperature } });
        }
        Ok(teachers)
    }
}

/// Networks that answer for others to learn.
pub(crate) struct Teachers {
    all: Vec<Teacher>,
    /// What their inputs are like, each once.
    views: Vec<Target>,
    classes: usize,
    batch: usize,
}

struct Teacher {
    session: Box<dyn InferenceSession>,
    /// Which of the views it looks at.
    view: usize,
    /// Where each of the data's classes stands among its outputs.
    places: Vec<usize>,
    calibration: Calibration,
}

impl Teacher {
    /// Adds `share` of the probabilities to `sums`.
    fn add(&self, logits: &[f32], share: f32, sums: &mut [f32]) {
        let classes = self.places.len();
        for (row, sum) in logits.chunks_exact(classes).zip(sums.chunks_exact_mut(classes)) {
            let probabilities = self.calibration.probabilities(row);
            for (value, &place) in sum.iter_mut().zip(&self.places) {
                *value += share * probabilities[place];
            }
        }
    }
}

impl Teachers {
    /// What pictures shall be like for [`Teachers::look`].
    pub(crate) fn views(&self) -> &[Target] {
        &self.views
    }

    /// What they answer to the rows `indices`: class probabilities in the order of the data's labels, each the
    /// mean over all teachers, and over the picture and its mirror.
    pub(crate) fn answers(&mut self, dataset: &Dataset, indices: &[usize]) -> Result<Vec<f32>> {
        let mut sums = vec![0.0; indices.len() * self.classes];
        let rows = Rows { dataset, indices, leaked: &[] };
        let share = 0.5 / self.all.len() as f32;
        for teacher in &mut self.all {
            for flip in [false, true] {
                let transform = Transform { flip, ..Transform::NONE };
                let target = &self.views[teacher.view];
                let mut run = |p: &[f32], n: usize, out: &mut [f32]| teacher.session.logits(p, n, out);
                let logits = logits_under(&mut run, target, self.classes, rows, self.batch, &transform)?;
                teacher.add(&logits, share, &mut sums);
            }
        }
        Ok(sums)
    }

    /// What they answer to the `count` pictures of a batch, which `pictures` holds once for each of the views:
    /// the mean of their class probabilities over all teachers, and over the picture and its mirror.
    ///
    /// Leaves the pictures mirrored.
    pub(crate) fn look(&mut self, pictures: &mut [Vec<f32>], count: usize) -> Result<Vec<f32>> {
        let mut sums = vec![0.0; count * self.classes];
        let mut logits = vec![0.0; count * self.classes];
        let share = 0.5 / self.all.len() as f32;
        for flip in [false, true] {
            if flip {
                for (buffer, view) in pictures.iter_mut().zip(&self.views) {
                    mirror(buffer, view);
                }
            }
            for teacher in &mut self.all {
                let view = pictures.get(teacher.view).map_or(&[][..], Vec::as_slice);
                teacher.session.logits(view, count, &mut logits)?;
                teacher.add(&logits, share, &mut sums);
            }
        }
        Ok(sums)
    }
}

/// Exchanges left and right in pictures like `view`, whose channels are all the same.
fn mirror(pictures: &mut [f32], view: &Target) {
    pictures.chunks_exact_mut(view.side * view.channels).for_each(<[f32]>::reverse);
}

/// Teachers that answer at every step.
pub(crate) struct Consistent {
    teachers: Teachers,
    /// Share of the target that is theirs.
    share: f32,
    /// What their probabilities are multiplied by.
    factors: Option<Vec<f64>>,
}

impl Consistent {
    /// Takes `share` of each target from `teachers`.
    pub(crate) fn new(teachers: Teachers, share: f32) -> Self {
        Self { teachers, share, factors: None }
    }

    /// What pictures shall be like for [`Consistent::mix`].
    pub(crate) fn views(&self) -> &[Target] {
        self.teachers.views()
    }

    /// Their answers, all classes' probabilities brought to their shares if they were [matched](Self::match_shares).
    pub(crate) fn look(&mut self, pictures: &mut [Vec<f32>], count: usize) -> Result<Vec<f32>> {
        let mut answers = self.teachers.look(pictures, count)?;
        if let Some(factors) = &self.factors {
            shares::apply(&mut answers, self.teachers.classes, factors);
        }
        Ok(answers)
    }

    /// From now on the mean of answers like these is the classes' `shares`.
    pub(crate) fn match_shares(&mut self, answers: &[f32], shares: &[f64]) -> Result<()> {
        self.factors = Some(shares::factors(answers, self.teachers.classes, shares)?);
        Ok(())
    }

    /// Takes a share of the targets of a batch, rows of `width` values with the classes' at the front, from the answers.
    pub(crate) fn mix(&mut self, targets: &mut [f32], width: usize, pictures: &mut [Vec<f32>]) -> Result<()> {
        let answers = self.look(pictures, targets.len() / width.max(1))?;
        mix(targets, width, &answers, self.teachers.classes, self.share);
        Ok(())
    }
}

/// Takes `share` of the first `classes` of each row's `width` values from `answers`.
pub(crate) fn mix(rows: &mut [f32], width: usize, answers: &[f32], classes: usize, share: f32) {
    for (row, answer) in rows.chunks_exact_mut(width).zip(answers.chunks_exact(classes)) {
        for (value, taught) in row.iter_mut().zip(answer) {
            *value += share * (taught - *value);
        }
    }
}

#[cfg(test)]
mod tests;
