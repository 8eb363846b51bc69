//! Running a network over a dataset and scoring its answers.

use moue_data::Dataset;
use moue_graph::engine::InferenceSession;
use moue_graph::views::mean_logits;
use moue_graph::{ModelCard, View};

use crate::augment::{Scratch, Source, Target, Transform, render};
use crate::calibrate::probabilities;
use crate::metrics::{Abstaining, Scores, top};
use crate::{Error, Result};

/// The rows to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The data they are part of.
    pub dataset: &'a Dataset,
    /// Places in the dataset, in the order of all results.
    pub indices: &'a [usize],
    /// For each of them whether its picture stands in Training (see [`leaked`](crate::leaked)); empty:
    /// none does.
    pub leaked: &'a [bool],
}

/// What a network answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Places in the dataset.
    pub indices: Vec<usize>,
    /// Label of each row, an index into the model's labels.
    pub labels: Vec<usize>,
    /// One row of logits for each; the mean where there were several views.
    pub logits: Vec<f32>,
    /// One row of calibrated probabilities for each.
    pub probabilities: Vec<f32>,
    /// How good they are.
    pub scores: Scores,
}

/// A wrong answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mistake {
    /// Place in the dataset.
    pub index: usize,
    /// The label.
    pub label: usize,
    /// The class answered.
    pub answer: usize,
    /// Its probability.
    pub confidence: f32,
}

impl From<View> for Transform {
    fn from(view: View) -> Self {
        let View { mirrored, shift, scale } = view;
        Self { flip: mirrored, shift, scale, ..Self::NONE }
    }
}

impl Evaluation {
    /// Wrong answers, the most confident first.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let classes = self.scores.labels.len();
        let rows = self.probabilities.chunks_exact(classes).zip(&self.labels).zip(&self.indices);
        let mut wrong: Vec<Mistake> = rows
            .map(|((row, &label), &index)| {
                let (answer, confidence) = top(row);
                Mistake { index, label, answer, confidence }
            })
            .filter(|m| m.answer != m.label)
            .collect();
        wrong.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        wrong
    }

    /// How good the answers are that have at least this confidence, and how many they are.
    pub fn abstaining(&self, min_confidence: f32) -> Abstaining {
        Abstaining::of(&self.probabilities, &self.labels, self.scores.labels.len(), min_confidence)
    }
}

/// Scores a model: `session` runs its graph, whose input shape is `input`, on `batch` pictures at a
/// time (at most what the session was planned for). The result does not depend on `batch` unless the
/// engine's does.
///
/// Each picture is looked at in all of `views`, and what is scored is the mean of the logits; [`View::PLAIN`] alone is
/// plain evaluation, [`View::TEST_TIME`] is test-time augmentation.
///
/// An error where a class of the data is none of the model's, the model does not take grey squares,
/// or there is no row or no view.
pub fn evaluate(
    session: &mut dyn InferenceSession,
    input: &[usize],
    card: &ModelCard,
    rows: Rows<'_>,
    views: &[View],
    batch: usize,
) -> Result<Evaluation> {
    let target = Target::new(input, &card.preprocessing)?;
    let labels = labels_of(rows.dataset, rows.indices, &card.labels)?;
    if views.is_empty() {
        return Err(Error::Parameter("a picture is looked at in at least one view".into()));
    }
    let mut run = |pictures: &[f32], count: usize, out: &mut [f32]| session.logits(pictures, count, out);
    let classes = card.labels.len();
    let mut looks = Vec::with_capacity(views.len());
    for &view in views {
        looks.push(logits_under(&mut run, &target, classes, rows, batch, &Transform::from(view))?);
    }
    let logits = mean_of(looks, classes);
    if let Some(place) = logits.iter().position(|l| !l.is_finite()) {
        let place = rows.dataset.place(rows.indices[place / card.labels.len()]);
        return Err(Error::Data(format!("{place}: the network's answer is not a number")));
    }
    let probabilities = probabilities(&logits, card.labels.len(), card.calibration)?;
    let scores = Scores::new(&probabilities, &labels, &card.labels, rows.leaked)?;
    Ok(Evaluation { indices: rows.indices.to_vec(), labels, logits, probabilities, scores })
}

/// Labels of rows as indices into `names`, matched by name.
pub(crate) fn labels_of(dataset: &Dataset, indices: &[usize], names: &[String]) -> Result<Vec<usize>> {
    let places: Vec<Option<usize>> =
        dataset.labels().names().iter().map(|name| names.iter().position(|n| n == name)).collect();
    indices
        .iter()
        .map(|&i| {
            let label = dataset.label(i);
            places.get(usize::from(label)).copied().flatten().ok_or_else(|| {
                let (place, name) = (dataset.place(i), dataset.labels().name(label));
                Error::Data(format!("{place}: the model has no class {name}; it has {}", names.join(", ")))
            })
        })
        .collect()
}

/// Runs a network in inference mode: pictures, their number, room for logits.
pub(crate) type Run<'a> = &'a mut dyn FnMut(&[f32], usize, &mut [f32]) -> moue_graph::Result<()>;

/// Row by row the mean over all looks.
fn mean_of(mut looks: Vec<Vec<f32>>, classes: usize) -> Vec<f32> {
    if looks.len() == 1 {
        return looks.remove(0);
    }
    let rows = looks.first().map_or(0, |look| look.len() / classes.max(1));
    let row = |i: usize| -> Vec<f32> {
        looks.iter().flat_map(|look| &look[i * classes..(i + 1) * classes]).copied().collect()
    };
    (0..rows).flat_map(|i| mean_logits(&row(i), classes)).collect()
}

/// Logits of rows.
pub(crate) fn logits_of(
    run: Run<'_>,
    target: &Target,
    classes: usize,
    rows: Rows<'_>,
    batch: usize,
) -> Result<Vec<f32>> {
    logits_under(run, target, classes, rows, batch, &Transform::NONE)
}

/// Logits of rows whose pictures are all changed in the same way.
pub(crate) fn logits_under(
    run: Run<'_>,
    target: &Target,
    classes: usize,
    rows: Rows<'_>,
    batch: usize,
    transform: &Transform,
) -> Result<Vec<f32>> {
    if batch == 0 {
        return Err(Error::Parameter("a batch has at least one picture".into()));
    }
    let side = rows.dataset.side() as usize;
    let mut pictures = vec![0.0; target.len() * batch.min(rows.indices.len())];
    let mut logits = vec![0.0; rows.indices.len() * classes];
    let mut scratch = Scratch::default();
    for (indices, out) in rows.indices.chunks(batch).zip(logits.chunks_mut(batch * classes)) {
        for (&i, picture) in indices.iter().zip(pictures.chunks_exact_mut(target.len())) {
            let source = Source::new(rows.dataset.pixels(i), side)?;
            render(source, transform, target, &mut scratch, picture)?;
        }
        run(&pictures[..indices.len() * target.len()], indices.len(), out)?;
    }
    Ok(logits)
}
