//! What is in a dataset, and what is wrong with it.

use rayon::prelude::*;
use serde::Serialize;

use crate::duplicates::in_conflict;
use crate::{Dataset, Duplicates, Labels, Origin, Reading, RowError, Usage};

mod sheet;
mod text;

pub use sheet::{SheetOptions, contact_sheet};

/// The findings of a check. Serialised, its keys are stable; printed, it is a table for people.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was read; see [`Dataset::source`].
    pub source: String,
    /// Pixels a row, and rows of a picture.
    pub side: u32,
    /// The classes in order.
    pub labels: Labels,
    /// Good rows or pictures.
    pub rows: usize,
    /// Rows of each part that has any, in FER2013's order.
    pub usages: Vec<UsageCount>,
    /// Rows or pictures that could not be read.
    pub wrong: Wrong,
    /// Pictures that have the same grey value everywhere.
    pub empty: Vec<Place>,
    /// Pictures that are equal pixel for pixel.
    pub duplicates: DuplicateCounts,
}

/// Rows of one part.
#[derive(Clone, Debug, Serialize)]
pub struct UsageCount {
    /// The part.
    pub usage: Usage,
    /// All its rows.
    pub rows: usize,
    /// Rows by class, in the order of the labels.
    pub classes: Vec<ClassCount>,
}

/// Rows of one class.
#[derive(Clone, Debug, Serialize)]
pub struct ClassCount {
    /// Name of the class.
    pub label: String,
    /// Its rows.
    pub rows: usize,
}

/// Rows that could not be read.
#[derive(Clone, Debug, Serialize)]
pub struct Wrong {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub rows: Vec<RowError>,
}

/// Where a sample stands, and as what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The picture file, in a folder of pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line of the csv file, counted from 1 with its header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Data row of the csv file, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u32>,
    /// Its part.
    pub usage: Usage,
    /// Its class.
    pub label: String,
}

/// Equal pictures.
#[derive(Clone, Debug, Serialize)]
pub struct DuplicateCounts {
    /// Within each part that has any rows.
    pub within: Vec<Within>,
    /// Over the whole dataset.
    pub all: Copies,
    /// For each part to be tested on: what of it stands in Training, too.
    pub leaks: Vec<Leak>,
    /// Every group of equal pictures, over the whole dataset.
    pub groups: Vec<Group>,
}

/// Copies among some rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Copies {
    /// Pictures that stand more than once.
    pub groups: usize,
    /// Rows to drop so that each picture stands once.
    pub surplus: usize,
    /// Groups whose rows do not all have the same label.
    pub conflicting_groups: usize,
}

/// Copies within one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Within {
    /// The part.
    pub usage: Usage,
    /// Its copies; groups and labels are looked at within the part only.
    #[serde(flatten)]
    pub copies: Copies,
}

/// Rows of one part whose pictures stand in Training, too.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Leak {
    /// The part.
    pub usage: Usage,
    /// How many of its rows.
    pub rows: usize,
    /// Their share of its rows, 0 to 1.
    pub share: f64,
}

/// Rows with equal pictures.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// Whether the labels differ.
    pub conflicting: bool,
    /// The rows, two or more, in order.
    pub samples: Vec<Place>,
}

impl Check {
    /// Looks through a dataset as it was read with [`ReadOptions::collect`](crate::ReadOptions::collect). `duplicates` are those
    /// of the same dataset.
    pub fn of(reading: &Reading, duplicates: &Duplicates) -> Self {
        let dataset = &reading.dataset;
        let parts: Vec<(Usage, Vec<usize>)> = Usage::ALL
            .into_iter()
            .map(|usage| (usage, dataset.indices(usage)))
            .filter(|(_, rows)| !rows.is_empty())
            .collect();
        Self {
            source: dataset.source().to_owned(),
            side: dataset.side(),
            labels: dataset.labels().clone(),
            rows: dataset.len(),
            usages: parts.iter().map(|(usage, rows)| count(dataset, *usage, rows)).collect(),
            wrong: Wrong { count: reading.wrong.count(), rows: reading.wrong.described().to_vec() },
            empty: empty(dataset).into_iter().map(|index| place(dataset, index)).collect(),
            duplicates: DuplicateCounts::of(dataset, duplicates, &parts),
        }
    }
}

impl DuplicateCounts {
    fn of(dataset: &Dataset, duplicates: &Duplicates, parts: &[(Usage, Vec<usize>)]) -> Self {
        let training = dataset.indices(Usage::Training);
        let within = |(usage, rows): &(Usage, Vec<usize>)| Within {
            usage: *usage,
            copies: Copies::of(dataset, &duplicates.groups_among(rows)),
        };
        let leak = |(usage, rows): &(Usage, Vec<usize>)| {
            let leaked = duplicates.also_in(rows, &training).len();
            Leak { usage: *usage, rows: leaked, share: leaked as f64 / rows.len() as f64 }
        };
        let group = |samples: &Vec<usize>| Group {
            conflicting: in_conflict(dataset, samples),
            samples: samples.iter().map(|&index| place(dataset, index)).collect(),
        };
        Self {
            within: parts.iter().map(within).collect(),
            all: Copies::of(dataset, duplicates.groups()),
            leaks: parts.iter().filter(|(usage, _)| *usage != Usage::Training).map(leak).collect(),
            groups: duplicates.groups().iter().map(group).collect(),
        }
    }
}

impl Copies {
    fn of(dataset: &Dataset, groups: &[Vec<usize>]) -> Self {
        Self {
            groups: groups.len(),
            surplus: groups.iter().map(|group| group.len() - 1).sum(),
            conflicting_groups: groups.iter().filter(|group| in_conflict(dataset, group)).count(),
        }
    }
}

fn count(dataset: &Dataset, usage: Usage, rows: &[usize]) -> UsageCount {
    let names = dataset.labels().names().iter();
    let classes = names
        .zip(dataset.class_counts(rows))
        .map(|(label, rows)| ClassCount { label: label.clone(), rows })
        .collect();
    UsageCount { usage, rows: rows.len(), classes }
}

/// Samples that have one grey value throughout.
fn empty(dataset: &Dataset) -> Vec<usize> {
    let constant = |pixels: &[u8]| pixels.iter().all(|value| Some(value) == pixels.first());
    (0..dataset.len()).into_par_iter().filter(|&index| constant(dataset.pixels(index))).collect()
}

fn place(dataset: &Dataset, index: usize) -> Place {
    let (line, row) = match dataset.origin(index) {
        Origin::Row { row, line } => (Some(line), Some(row)),
        Origin::Picture(_) => (None, None),
    };
    Place {
        file: dataset.picture(index).map(|path| path.display().to_string()),
        line,
        row,
        usage: dataset.usage(index),
        label: dataset.labels().name(dataset.label(index)).to_owned(),
    }
}
