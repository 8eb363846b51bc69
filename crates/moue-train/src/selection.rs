//! Which rows are trained and validated on.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use moue_data::{Dataset, Duplicates, Exclusions, Limits, Usage, Votes, splits};
use serde::{Deserialize, Serialize};

use crate::recipe::Recipe;
use crate::{Error, Result};

/// Rows of a dataset, chosen by a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Rows to train on.
    pub training: Vec<usize>,
    /// Rows to validate on.
    pub validation: Vec<usize>,
    /// For each of them whether its picture stands in Training.
    pub validation_leaked: Vec<bool>,
    /// Where they come from: `PublicTest`, or `10 % of Training`.
    pub validation_source: String,
    /// How many rows were left out of training, by reason.
    pub dropped: Dropped,
}

/// How many rows were left out, by the first reason that applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Named in the recipe's exclusions; of all parts.
    pub excluded: usize,
    /// Training rows without a face by FER+'s votes.
    pub not_a_face: usize,
    /// Training rows whose picture stands in an evaluation set.
    pub leaked: usize,
    /// Training rows whose picture bears several labels.
    pub conflicts: usize,
    /// Training rows whose picture stands there already.
    pub duplicates: usize,
}

impl Selection {
    /// Chooses rows as the recipe says; a relative `data.exclude` starts at `base`.
    ///
    /// Where there is no PublicTest, a seeded, stratified share of Training is held out, copies of a
    /// picture together.
    ///
    /// # Errors
    /// An exclusion file that cannot be read, or no row left to train or validate on.
    pub fn new(dataset: &Dataset, recipe: &Recipe, base: &Path) -> Result<Self> {
        let rules = &recipe.data;
        let excluded = match &rules.exclude {
            Some(path) => excluded_rows(dataset, &base.join(path))?,
            None => vec![false; dataset.len()],
        };
        let of =
            |usage| -> Vec<usize> { dataset.indices(usage).into_iter().filter(|&i| !excluded[i]).collect() };
        let duplicates = Duplicates::find(dataset);
        let mut dropped = Dropped { excluded: excluded.iter().filter(|&&e| e).count(), ..Dropped::default() };
        let mut validation = of(Usage::PublicTest);
        let mut training = of(Usage::Training);
        let mut validation_source = Usage::PublicTest.name().to_owned();
        if validation.is_empty() {
            let split = splits::hold_out(dataset, &duplicates, &training, rules.holdout, recipe.seed)?;
            (training, validation) = (split.kept, split.held_out);
            validation_source = format!("{} % of Training", (rules.holdout * 100.0).round());
        }
        if validation.is_empty() {
            return Err(Error::Data(format!("{}: no row is left to validate on", dataset.source())));
        }

        let learnt = pictures(&duplicates, &training);
        let validation_leaked = marks(&duplicates, &validation, &learnt);
        let judged = pictures(&duplicates, &[validation.as_slice(), &of(Usage::PrivateTest)].concat());

        // The label of each picture, or none where copies disagree.
        let mut labels: HashMap<usize, Option<u8>> = HashMap::new();
        for &i in &training {
            let label = dataset.label(i);
            labels
                .entry(duplicates.first(i))
                .and_modify(|known| *known = known.filter(|&l| l == label))
                .or_insert(Some(label));
        }
        let voted = recipe.needs_votes();
        if voted && training.iter().all(|&i| dataset.votes(i).is_none()) {
            let source = dataset.source();
            return Err(Error::Data(format!(
                "{source}: ferplus_weight and ferplus_task need the votes of FER+ beside the data"
            )));
        }
        let mut kept: HashSet<usize> = HashSet::new();
        training.retain(|&i| {
            let picture = duplicates.first(i);
            let reason = if voted && is_no_face(dataset.votes(i)) {
                &mut dropped.not_a_face
            } else if rules.drop_leaked && judged.contains(&picture) {
                &mut dropped.leaked
            } else if rules.drop_conflicts && labels.get(&picture) == Some(&None) {
                &mut dropped.conflicts
            } else if rules.drop_duplicates && !kept.insert(picture) {
                &mut dropped.duplicates
            } else {
                return true;
            };
            *reason += 1;
            false
        });
        if training.is_empty() {
            return Err(Error::Data(format!("{}: no row is left to train on", dataset.source())));
        }
        Ok(Self { training, validation, validation_leaked, validation_source, dropped })
    }
}

/// For each of the rows whether its picture stands, pixel for pixel, in a Training row.
pub fn leaked(dataset: &Dataset, indices: &[usize]) -> Vec<bool> {
    let duplicates = Duplicates::find(dataset);
    marks(&duplicates, indices, &pictures(&duplicates, &dataset.indices(Usage::Training)))
}

fn pictures(duplicates: &Duplicates, indices: &[usize]) -> HashSet<usize> {
    indices.iter().map(|&i| duplicates.first(i)).collect()
}

fn marks(duplicates: &Duplicates, indices: &[usize], learnt: &HashSet<usize>) -> Vec<bool> {
    indices.iter().map(|&i| learnt.contains(&duplicates.first(i))).collect()
}

/// Whether FER+ says that a row shows no face: it dropped the row, or no class has more votes than
/// "not a face".
fn is_no_face(votes: Option<&Votes>) -> bool {
    let Some(counts) = votes.map(Votes::counts) else { return true };
    let [emotions @ .., no_face] = counts;
    no_face > 0 && emotions.iter().all(|&votes| votes <= no_face)
}

fn excluded_rows(dataset: &Dataset, path: &Path) -> Result<Vec<bool>> {
    let mut excluded = vec![false; dataset.len()];
    for sample in Exclusions::read(path, &Limits::default())?.samples(dataset)? {
        excluded[sample] = true;
    }
    Ok(excluded)
}

#[cfg(test)]
mod tests;
