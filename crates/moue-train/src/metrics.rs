//! How good answers are.

mod calibration;
mod coverage;
mod interval;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

pub use calibration::{RELIABILITY_BINS, ReliabilityBin};
pub use coverage::{Abstaining, CoveragePoint};
pub use interval::wilson;

/// Scores of a classifier on labelled rows. Serialised, it is the object that `moue eval --json`
/// prints.
///
/// Definitions are those of scikit-learn over all labels of the model with `zero_division=0`: a
/// ratio without a denominator counts as 0, so that a class without rows has recall 0, and one that
/// is never answered has precision 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Rows scored.
    pub count: usize,
    /// Share of rows whose most probable class is the label.
    pub accuracy: f64,
    /// 95 % interval of the accuracy by Wilson's score.
    pub accuracy_ci95: [f64; 2],
    /// Mean recall of the classes that have rows.
    pub balanced_accuracy: f64,
    /// Mean F1 of all classes.
    pub macro_f1: f64,
    /// Mean of `-ln p(label)` in nats, probabilities held above the smallest step of f32 at 1 as in
    /// scikit-learn.
    pub log_loss: f64,
    /// Expected calibration error: mean distance of accuracy and confidence over
    /// [`RELIABILITY_BINS`] bins of equal width, weighted by rows (Guo et al. 2017).
    pub ece: f64,
    /// Class names in the order of everything below.
    pub labels: Vec<String>,
    /// Rows by true class (outer) and answered class (inner).
    pub confusion: Vec<Vec<usize>>,
    /// Scores of each class.
    pub per_class: Vec<ClassScores>,
    /// Scores without the rows whose picture stands, pixel for pixel, in Training.
    pub deduplicated: Deduplicated,
    /// The bins behind `ece`.
    pub reliability: Vec<ReliabilityBin>,
    /// Accuracy when only the most confident answers are given.
    pub coverage: Vec<CoveragePoint>,
}

/// Scores of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Class name.
    pub label: String,
    /// Share of right ones among the answers for this class.
    pub precision: f64,
    /// Share of this class' rows that were answered right.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Rows of this class.
    pub support: usize,
}

/// The score without leaked rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deduplicated {
    /// Rows left.
    pub count: usize,
    /// Share of right answers among them; 0 where none is left.
    pub accuracy: f64,
    /// 95 % interval by Wilson's score.
    pub accuracy_ci95: [f64; 2],
}

impl Scores {
    /// Scores `labels.len()` rows of class probabilities against their labels (indices into
    /// `names`). `leaked` says which rows' pictures stand in Training; empty: none does.
    ///
    /// An error where a length differs, there is no row, a label has no name, or a probability is
    /// not in 0..=1. Of equal probabilities the first class is the answer.
    pub fn new(probabilities: &[f32], labels: &[usize], names: &[String], leaked: &[bool]) -> Result<Self> {
        let classes = names.len();
        check(probabilities, labels, classes, leaked)?;
        let answers: Vec<Answer> = probabilities
            .chunks_exact(classes)
            .zip(labels)
            .map(|(row, &label)| {
                let (class, confidence) = top(row);
                Answer { class, confidence, right: class == label }
            })
            .collect();

        let mut confusion = vec![vec![0; classes]; classes];
        for (answer, &label) in answers.iter().zip(labels) {
            confusion[label][answer.class] += 1;
        }
        let per_class: Vec<ClassScores> =
            names.iter().enumerate().map(|(class, name)| class_scores(class, name, &confusion)).collect();
        let present: Vec<f64> = per_class.iter().filter(|c| c.support > 0).map(|c| c.recall).collect();
        let count = labels.len();
        let right = answers.iter().filter(|a| a.right).count();
        let kept = || answers.iter().enumerate().filter(|(i, _)| !leaked.get(*i).copied().unwrap_or(false));
        let (kept_count, kept_right) = (kept().count(), kept().filter(|(_, a)| a.right).count());
        let reliability = calibration::reliability(&answers);
        Ok(Self {
            count,
            accuracy: ratio(right, count),
            accuracy_ci95: wilson(right, count),
            balanced_accuracy: present.iter().sum::<f64>() / present.len().max(1) as f64,
            macro_f1: per_class.iter().map(|c| c.f1).sum::<f64>() / classes as f64,
            log_loss: log_loss(probabilities, labels, classes),
            ece: calibration::expected_error(&reliability),
            labels: names.to_vec(),
            confusion,
            per_class,
            deduplicated: Deduplicated {
                count: kept_count,
                accuracy: ratio(kept_right, kept_count),
                accuracy_ci95: wilson(kept_right, kept_count),
            },
            reliability,
            coverage: coverage::curve(&answers),
        })
    }
}

/// What a classifier said about one row.
#[derive(Clone, Copy, Debug)]
struct Answer {
    class: usize,
    confidence: f32,
    right: bool,
}

/// The most probable class, the first of equal ones, and its probability.
pub(crate) fn top(row: &[f32]) -> (usize, f32) {
    row.iter().copied().enumerate().fold(
        (0, f32::NEG_INFINITY),
        |best, (class, p)| {
            if p > best.1 { (class, p) } else { best }
        },
    )
}

fn check(probabilities: &[f32], labels: &[usize], classes: usize, leaked: &[bool]) -> Result<()> {
    let rows = labels.len();
    if rows == 0 || classes < 2 {
        return Err(Error::Data("scores need at least one row and two classes".into()));
    }
    if probabilities.len() != rows * classes || !(leaked.is_empty() || leaked.len() == rows) {
        return Err(Error::Parameter(format!(
            "{} probabilities and {} leak marks do not fit {rows} rows of {classes} classes",
            probabilities.len(),
            leaked.len()
        )));
    }
    if let Some(label) = labels.iter().find(|&&l| l >= classes) {
        return Err(Error::Data(format!("label {label} has no name among {classes}")));
    }
    // Written so that NaN is refused, too.
    if let Some(i) = probabilities.iter().position(|p| !(0.0..=1.0 + 1e-5).contains(p)) {
        return Err(Error::Data(format!("row {} holds the probability {}", i / classes, probabilities[i])));
    }
    Ok(())
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn class_scores(class: usize, name: &str, confusion: &[Vec<usize>]) -> ClassScores {
    let right = confusion[class][class];
    let support: usize = confusion[class].iter().sum();
    let answered: usize = confusion.iter().map(|row| row[class]).sum();
    ClassScores {
        label: name.to_owned(),
        precision: ratio(right, answered),
        recall: ratio(right, support),
        // Equals the harmonic mean and stays defined where one of the two is 0.
        f1: ratio(2 * right, support + answered),
        support,
    }
}

/// Mean `-ln p(label)`.
fn log_loss(probabilities: &[f32], labels: &[usize], classes: usize) -> f64 {
    let sum: f64 = probabilities
        .chunks_exact(classes)
        .zip(labels)
        .map(|(row, &label)| -f64::from(row[label].clamp(f32::EPSILON, 1.0)).ln())
        .sum();
    sum / labels.len() as f64
}

#[cfg(test)]
mod tests;
