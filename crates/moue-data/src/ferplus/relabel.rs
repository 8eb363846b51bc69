//! FER2013 with the labels of FER+.

use crate::{Dataset, Error, Labels, Result};

/// A dataset whose labels are what most of FER+'s annotators saw.
#[derive(Clone, Debug)]
pub struct Relabelled {
    /// The rows with a majority, in their order. Classes are those of [`Labels::with_contempt`]; votes are kept.
    pub dataset: Dataset,
    /// Rows that were left out: FER+ dropped them, most saw no face or another emotion, or nothing had a majority.
    pub dropped: usize,
}

/// Gives each row the class that more than half of the annotators saw ([`Votes::majority`](crate::Votes::majority)), and
/// leaves out the rows without one.
///
/// # Errors
/// [`Error::Argument`] where no votes were laid beside the dataset, or no row has a majority.
pub fn relabel(dataset: &Dataset) -> Result<Relabelled> {
    let label = |index: usize| dataset.votes(index).and_then(crate::Votes::majority);
    if (0..dataset.len()).all(|index| dataset.votes(index).is_none()) {
        return Err(Error::Argument(format!(
            "{}: the labels of FER+ need its votes (fer2013new.csv) beside the data",
            dataset.source()
        )));
    }
    let relabelled = dataset.relabelled(Labels::with_contempt(), label);
    if relabelled.is_empty() {
        return Err(Error::Argument(format!("{}: no row has a majority of votes", dataset.source())));
    }
    let dropped = dataset.len() - relabelled.len();
    Ok(Relabelled { dataset: relabelled, dropped })
}
