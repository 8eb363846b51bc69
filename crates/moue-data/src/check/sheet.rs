//! The contact sheet: examples of every class, and of what is wrong.

use moue_media::{Picture, Sheet, Tile, palette};

use super::empty;
use crate::duplicates::in_conflict;
use crate::splits::shuffle;
use crate::{Dataset, Duplicates, Error, Origin, Result};

/// Border of empty places and of pictures shown for what is wrong with them.
const BLANK: [u8; 3] = [255, 255, 255];
const WRONG: [u8; 3] = [200, 0, 0];

/// What a contact sheet shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SheetOptions {
    /// Examples of each class, 2 to 64, and tiles a row.
    pub per_class: u32,
    /// Side of a tile in pixels, 16 to 1024.
    pub side: u32,
    /// Chooses the examples.
    pub seed: u64,
}

impl Default for SheetOptions {
    /// Twelve examples a class on tiles of 96 pixels, seed 0.
    fn default() -> Self {
        Self { per_class: 12, side: 96, seed: 0 }
    }
}

/// Draws a row of examples for each class, chosen by the seed; a row of empty pictures and one of equal pictures with
/// different labels (copies side by side), where there are any. Captions say class and line, or the picture's file name.
///
/// # Errors
/// [`Error::Argument`] where the dataset is empty or `per_class` out of its range; [`Error::Media`] where `side` is.
pub fn contact_sheet(dataset: &Dataset, duplicates: &Duplicates, options: &SheetOptions) -> Result<Picture> {
    if dataset.is_empty() {
        return Err(Error::Argument("a contact sheet of no pictures".to_owned()));
    }
    if !(2..=64).contains(&options.per_class) {
        return Err(Error::Argument(format!("{} pictures a class, expected 2 to 64", options.per_class)));
    }
    let columns = options.per_class as usize;
    let mut by_class: Vec<Vec<usize>> = vec![Vec::new(); dataset.labels().len()];
    for index in 0..dataset.len() {
        by_class[usize::from(dataset.label(index))].push(index);
    }
    let mut tiles = Vec::new();
    for (class, mut samples) in by_class.into_iter().enumerate() {
        shuffle(&mut samples, options.seed, class as u64);
        samples.truncate(columns);
        add_row(&mut tiles, dataset, &samples, columns, palette(class))?;
    }
    let conflicts = duplicates.groups().iter().filter(|group| in_conflict(dataset, group));
    let conflicting: Vec<usize> = conflicts.flat_map(|group| different_pair(dataset, group)).collect();
    for wrong in [empty(dataset), conflicting] {
        if !wrong.is_empty() {
            // Pairs of copies stay whole.
            let shown = wrong.len().min(columns / 2 * 2);
            add_row(&mut tiles, dataset, &wrong[..shown], columns, WRONG)?;
        }
    }
    let title = dataset.source().to_owned();
    Ok(Sheet { title, columns: options.per_class, side: options.side, tiles }.render()?)
}

fn add_row(
    tiles: &mut Vec<Tile>,
    dataset: &Dataset,
    samples: &[usize],
    columns: usize,
    border: [u8; 3],
) -> Result<()> {
    for &index in samples {
        let picture = dataset.grey(index)?.to_picture();
        tiles.push(Tile { picture, caption: caption(dataset, index), border });
    }
    for _ in samples.len()..columns {
        tiles.push(Tile { picture: Picture::filled(1, 1, BLANK), caption: Vec::new(), border: BLANK });
    }
    Ok(())
}

fn caption(dataset: &Dataset, index: usize) -> Vec<String> {
    let place = match dataset.origin(index) {
        Origin::Row { line, .. } => format!("line {line}"),
        Origin::Picture(_) => dataset
            .picture(index)
            .and_then(|path| path.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
    };
    vec![dataset.labels().name(dataset.label(index)).to_owned(), place]
}

/// Two samples of a group whose labels differ.
fn different_pair(dataset: &Dataset, group: &[usize]) -> Vec<usize> {
    let first = group.iter().take(1);
    let other = group.iter().find(|&&index| dataset.label(index) != dataset.label(group[0]));
    first.chain(other).copied().collect()
}
