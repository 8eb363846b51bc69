//! FER2013, FER+ and folder datasets: reading, checking, splitting.
//!
//! [`read`] takes a `fer2013.csv` (plain or in an archive) or a folder of pictures per class and gives a [`Dataset`]:
//! grey 48x48 pictures, a byte a pixel, each with a label, a [`Usage`] and the place it came from.
//!
//! - [`ferplus::Table`]: FER+ votes laid beside a FER2013 dataset; [`Exclusions`]: rows to leave out;
//! - [`Duplicates`]: which pictures are equal pixel for pixel, and who leaks into whose Training rows;
//! - [`Check`]: what is in a dataset and what is wrong with it, with a contact sheet;
//! - [`splits`]: seeded shuffles and a stratified hold-out, the same on every machine;
//! - [`mean_face`]: the average over many faces of a class.

mod check;
mod container;
mod dataset;
mod duplicates;
mod error;
mod exclusions;
mod fer2013;
pub mod ferplus;
mod fields;
mod folder;
mod labels;
mod lines;
mod mean;
mod numbering;
mod options;
pub mod splits;
mod usage;

use std::path::Path;

pub use check::{
    Check, ClassCount, Copies, DuplicateCounts, Group, Leak, Place, SheetOptions, UsageCount, Within, Wrong,
    contact_sheet,
};
pub use dataset::{Dataset, Origin, Reading, WrongRows};
pub use duplicates::Duplicates;
pub use error::{Error, Result, RowError};
pub use exclusions::Exclusions;
pub use ferplus::Votes;
pub use labels::{LabelSet, Labels, emotion_named};
pub use mean::{FEWEST_FACES, Mean, MeanOptions, mean_face};
pub use numbering::Numbering;
pub use options::{Limits, OnError, ReadOptions};
pub use usage::Usage;

/// What a dataset without Training pictures lacks, as a part of a sentence; `there` is a part that it has.
pub fn without_training(there: Usage) -> String {
    format!(
        "this can be measured on (moue eval --usage {there}), not trained from; training needs a folder train beside \
         the others, or rows of {}",
        Usage::Training
    )
}

/// Reads a dataset: a FER2013 csv file, plain or inside .gz, .bz2, .zip, .tar or .tar.gz (told apart by their first
/// bytes, not by their names), or a folder of pictures per class.
///
/// **csv**: columns `emotion` (0 to 6, or by [`ReadOptions::numbering`]), `pixels` (2304 grey values) and `Usage`, in any order,
/// found by the header, which also tells whether commas, semicolons or tabs stand between fields.
/// Without a `Usage` column (Kaggle's `train.csv`) every row is Training. Of an archive the first .csv member is taken that
/// has such a header or is called `fer2013.csv`.
///
/// **folder**: a folder per class, called by an [emotion's name](emotion_named), alone or after a number (`0_angry`), either right
/// below the folder given or below folders for the parts: `Training`, `PublicTest`, `PrivateTest`, or `train` with `val`,
/// `validation`, `valid` or `test`, in upper or lower case and with endings such as `_set` or `_data`. `test` means PublicTest,
/// unless there is a folder for validation, too; then it means PrivateTest. (In the well-known Kaggle layout `test` holds both
/// of FER2013's tests.) Classes right below a folder that is itself called by a part are that part, otherwise Training. One
/// folder alone that is neither part nor class, such as `images`, is entered, and one that holds the same parts once more beside
/// them is passed over. A folder of any other name is an error, and so
/// are classes called by numbers unless it is known [whose](ReadOptions::numbering) they are. Pictures may have any format and
/// size that [`moue_media`] reads; they become grey and are stretched to `options.side` pixels a side; grey pictures of that
/// size keep every value.
///
/// The result depends on the data only, not on the number of threads.
///
/// # Errors
/// - [`Error::Io`]: the file or folder cannot be read;
/// - [`Error::File`]: it is empty, cut off, of another kind, or no member of the archive has the columns;
/// - [`Error::Row`]: the header is wrong, or, if [`OnError::Strict`], a row or picture;
/// - [`Error::Limit`]: it is beyond `options.limits`.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Reading> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::io(path, source))?;
    if metadata.is_dir() { folder::read(path, options) } else { fer2013::read(path, options) }
}
