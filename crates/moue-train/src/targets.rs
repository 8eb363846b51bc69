//! What the network shall answer for each training row, and how much the row counts.

use moue_data::{Dataset, LabelSet, Labels};

use crate::recipe::Recipe;
use crate::tasks::Tasks;
use crate::{Error, Result, shares, teaching};

/// Targets of the training rows.
#[derive(Debug)]
pub(crate) struct Targets {
    indices: Vec<usize>,
    tasks: Tasks,
    rows: Vec<f32>,
    weights: Vec<f32>,
}

impl Targets {
    /// Targets of `indices`: the label, mixed with the votes of FER+ where there are any, then
    /// smoothed; with a second task, the shares of the votes for FER+'s eight emotions (all 0 without votes); and the
    /// weight of the label's class.
    pub(crate) fn new(dataset: &Dataset, indices: Vec<usize>, recipe: &Recipe) -> Result<Self> {
        let classes = dataset.labels().len();
        if indices.is_empty() {
            return Err(Error::Data("no row is left to train on".into()));
        }
        if u32::try_from(indices.len()).is_err() {
            return Err(Error::Data(format!("{} rows are too many", indices.len())));
        }
        let eight = dataset.labels() == &Labels::with_contempt();
        if recipe.needs_votes() && !eight && dataset.labels() != &Labels::fer2013() {
            return Err(Error::Data(
                "the votes of FER+ are for the classes of FER2013, or these and contempt".into(),
            ));
        }
        if recipe.data.labels == LabelSet::Ferplus && !eight {
            return Err(Error::Data("data.labels is ferplus, but the data has other labels".into()));
        }
        let class_weights = recipe.class_weights.weights(&dataset.class_counts(&indices))?;
        let second = (recipe.ferplus_task > 0.0).then_some((EMOTIONS, recipe.ferplus_task));
        let tasks = Tasks::new(classes, second);
        let mut rows = Vec::with_capacity(indices.len() * tasks.outputs());
        let mut weights = Vec::new();
        for &index in &indices {
            let label = usize::from(dataset.label(index));
            let votes = match recipe.ferplus_weight {
                0.0 => None,
                _ => votes_of(dataset, index, eight),
            };
            let share = if votes.is_some() { recipe.ferplus_weight } else { 0.0 };
            rows.extend((0..classes).map(|class| {
                let hard = if class == label { 1.0 - share } else { 0.0 };
                let soft = votes.as_ref().and_then(|v| v.get(class)).copied().unwrap_or(0.0);
                let target = hard + share * soft;
                target * (1.0 - recipe.label_smoothing) + recipe.label_smoothing / classes as f32
            }));
            if second.is_some() {
                rows.extend(emotions_of(dataset, index));
            }
            weights.extend(class_weights.as_ref().map(|w| w[label]));
        }
        Ok(Self { indices, tasks, rows, weights })
    }

    /// Takes a share of each target from the teachers' answers, one row of class probabilities for each training row.
    pub(crate) fn taught(mut self, share: f32, answers: &[f32]) -> Self {
        let (width, classes) = (self.tasks.outputs(), self.tasks.classes());
        teaching::mix(&mut self.rows, width, answers, classes, share);
        self
    }

    /// Brings the mean of the targets to the classes' shares among the labels.
    pub(crate) fn matched(mut self, shares: &[f64]) -> Result<Self> {
        let width = self.tasks.outputs();
        let factors = shares::factors(&self.rows, width, shares)?;
        shares::apply(&mut self.rows, width, &factors);
        Ok(self)
    }

    pub(crate) fn len(&self) -> usize {
        self.indices.len()
    }

    /// Place in the dataset of the row at `place`.
    pub(crate) fn index(&self, place: usize) -> usize {
        self.indices[place]
    }

    /// The groups of outputs that the rows are for.
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Class probabilities, summing to 1; those of a second task behind them.
    pub(crate) fn row(&self, place: usize) -> &[f32] {
        let width = self.tasks.outputs();
        &self.rows[place * width..(place + 1) * width]
    }

    /// The weight in the loss; `None` where all are 1.
    pub(crate) fn weight(&self, place: usize) -> Option<f32> {
        self.weights.get(place).copied()
    }
}

/// Share of the votes for each of the seven classes of FER2013, or of these and contempt; `None` where they got none.
fn votes_of(dataset: &Dataset, index: usize, eight: bool) -> Option<Vec<f32>> {
    let votes = dataset.votes(index)?;
    let counts = if eight { votes.with_contempt().to_vec() } else { votes.fer2013().to_vec() };
    let sum: u32 = counts.iter().map(|&n| u32::from(n)).sum();
    (sum > 0).then(|| counts.into_iter().map(|n| f32::from(n) / sum as f32).collect())
}

/// Emotions that FER+'s annotators could vote for, contempt among them; "unknown" and "not a face" are none.
const EMOTIONS: usize = 8;

/// Share of the votes for each of FER+'s emotions, in its order; all 0 where they got none.
fn emotions_of(dataset: &Dataset, index: usize) -> [f32; EMOTIONS] {
    let mut shares = [0.0; EMOTIONS];
    if let Some(votes) = dataset.votes(index) {
        let counts = &votes.counts()[..EMOTIONS];
        let sum: f32 = counts.iter().map(|&n| f32::from(n)).sum();
        for (share, &count) in shares.iter_mut().zip(counts) {
            *share = f32::from(count) / sum.max(1.0);
        }
    }
    shares
}

#[cfg(test)]
mod tests;
