//! Pictures that are equal pixel for pixel.
//!
//! FER2013 was collected by image search, and the same photo was found more than once: 1,236 Training rows are surplus copies,
//! 39 groups of copies there carry different labels, and 7.8 % of PublicTest stands in Training, too.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};

use rayon::prelude::*;

use crate::Dataset;

/// All groups of equal pictures of a dataset. Equality is checked byte by byte; hashes only find the candidates.
#[derive(Clone, Debug)]
pub struct Duplicates {
    /// Two or more samples each, in order; groups in the order of their first samples.
    groups: Vec<Vec<usize>>,
    /// The picture each sample shows: the first sample that is equal to it.
    first: Vec<usize>,
}

impl Duplicates {
    /// Compares all pictures of a dataset, whatever their Usage.
    pub fn find(dataset: &Dataset) -> Self {
        let mut by_hash: Vec<(u64, usize)> =
            (0..dataset.len()).into_par_iter().map(|index| (hash(dataset.pixels(index)), index)).collect();
        by_hash.par_sort_unstable();
        let mut groups: Vec<Vec<usize>> = by_hash
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|run| run.len() > 1)
            .flat_map(|run| equal_pictures(dataset, run.iter().map(|&(_, index)| index)))
            .collect();
        groups.sort_unstable();
        let mut first: Vec<usize> = (0..dataset.len()).collect();
        for group in &groups {
            for &index in group {
                first[index] = group[0];
            }
        }
        Self { groups, first }
    }

    /// Samples of equal pictures: two or more each, in order; groups in the order of their first samples.
    pub fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    /// The first sample of the dataset that shows the same picture; a sample without copies is its own first.
    pub fn first(&self, index: usize) -> usize {
        self.first[index]
    }

    /// The groups that remain, with two or more members, when only the given samples are looked at.
    pub fn groups_among(&self, samples: &[usize]) -> Vec<Vec<usize>> {
        let chosen: HashSet<usize> = samples.iter().copied().collect();
        self.groups
            .iter()
            .map(|group| group.iter().copied().filter(|index| chosen.contains(index)).collect::<Vec<_>>())
            .filter(|group| group.len() > 1)
            .collect()
    }

    /// Those of `samples` whose picture stands among `others`, too.
    ///
    /// `also_in(&evaluation, &training)` are the leaked evaluation rows; `also_in(&training, &evaluation)` are the Training
    /// rows to drop for an honest score.
    pub fn also_in(&self, samples: &[usize], others: &[usize]) -> Vec<usize> {
        let pictures: HashSet<usize> = others.iter().map(|&index| self.first[index]).collect();
        samples.iter().copied().filter(|&index| pictures.contains(&self.first[index])).collect()
    }

    /// `samples` without those whose picture stands among `others`.
    pub fn without(&self, samples: &[usize], others: &[usize]) -> Vec<usize> {
        let pictures: HashSet<usize> = others.iter().map(|&index| self.first[index]).collect();
        samples.iter().copied().filter(|&index| !pictures.contains(&self.first[index])).collect()
    }

    /// Each picture of `samples` once, by the first of its samples; pictures that carry different labels among them are
    /// left out altogether.
    pub fn distinct(&self, dataset: &Dataset, samples: &[usize]) -> Vec<usize> {
        let conflicting: HashSet<usize> = self
            .groups_among(samples)
            .iter()
            .filter(|group| in_conflict(dataset, group))
            .map(|group| self.first[group[0]])
            .collect();
        let mut seen = HashSet::with_capacity(samples.len());
        samples
            .iter()
            .copied()
            .filter(|&index| !conflicting.contains(&self.first[index]) && seen.insert(self.first[index]))
            .collect()
    }
}

/// Whether the samples of a group do not all have the same label.
pub(crate) fn in_conflict(dataset: &Dataset, group: &[usize]) -> bool {
    group.windows(2).any(|pair| dataset.label(pair[0]) != dataset.label(pair[1]))
}

/// Splits samples with equal hashes into groups of equal pictures, without those that stand alone.
fn equal_pictures(dataset: &Dataset, samples: impl Iterator<Item = usize>) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for index in samples {
        match groups.iter_mut().find(|group| dataset.pixels(group[0]) == dataset.pixels(index)) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

fn hash(pixels: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(pixels);
    hasher.finish()
}
