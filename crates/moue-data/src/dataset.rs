//! Pictures with labels, all in memory.

use std::path::{Path, PathBuf};

use crate::{Error, Labels, Result, RowError, Usage, Votes};

/// Where a sample came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A row of a csv file.
    Row {
        /// Place among the data rows, counted from 0, wrong rows included: the number that lists of rows to
        /// leave out and FER+ go by.
        row: u32,
        /// Line in the file, counted from 1, header included: the number an editor shows.
        line: u32,
    },
    /// The picture file of this number, counted over the folders in order; see [`Dataset::picture`].
    Picture(u32),
}

/// What is known of one picture besides its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) label: u8,
    pub(crate) usage: Usage,
    pub(crate) origin: Origin,
}

/// Grey square pictures of one size with a label each.
///
/// Pixels lie one after another in one buffer, a byte each, so that FER2013's 32,298 public rows take 75 MB.
/// Samples keep the order of the file, or of the sorted folders, and are addressed by their place in it.
#[derive(Clone, Debug)]
pub struct Dataset {
    source: String,
    labels: Labels,
    side: u32,
    pixels: Vec<u8>,
    samples: Vec<Sample>,
    pictures: Vec<PathBuf>,
    /// Data rows of the csv file, wrong ones included; 0 for folders.
    rows: u32,
    votes: Vec<Option<Votes>>,
}

impl Dataset {
    pub(crate) fn new(source: String, labels: Labels, side: u32) -> Self {
        Self {
            source,
            labels,
            side,
            pixels: Vec::new(),
            samples: Vec::new(),
            pictures: Vec::new(),
            rows: 0,
            votes: Vec::new(),
        }
    }

    /// Appends samples and their pixels; the caller has checked that there are `side * side` for each.
    pub(crate) fn append(&mut self, pixels: &[u8], samples: impl Iterator<Item = Sample>) {
        self.pixels.extend_from_slice(pixels);
        self.samples.extend(samples);
    }

    /// Appends one picture of a folder.
    pub(crate) fn append_picture(&mut self, pixels: &[u8], label: u8, usage: Usage, path: PathBuf) {
        let origin = Origin::Picture(self.pictures.len() as u32);
        self.pictures.push(path);
        self.append(pixels, std::iter::once(Sample { label, usage, origin }));
    }

    /// Gives back memory that growing took, and notes the number of rows in the file.
    pub(crate) fn finish(&mut self, rows: u32) {
        self.rows = rows;
        self.pixels.shrink_to_fit();
        self.samples.shrink_to_fit();
    }

    /// What was read: the file (`archive[member]` inside an archive) or the folder.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The classes.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Pixels a row, and rows of a picture.
    pub fn side(&self) -> u32 {
        self.side
    }

    /// Bytes of one picture, `side * side`.
    pub fn picture_len(&self) -> usize {
        self.side as usize * self.side as usize
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Grey values of a sample, 0 to 255, row by row.
    ///
    /// As with slices, this and the other accessors take an index below [`len`](Self::len).
    pub fn pixels(&self, index: usize) -> &[u8] {
        let length = self.picture_len();
        &self.pixels[index * length..(index + 1) * length]
    }

    /// Grey values of all samples, [`picture_len`](Self::picture_len) for each.
    pub fn all_pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The sample's picture as an own buffer.
    pub fn grey(&self, index: usize) -> Result<moue_media::Grey> {
        moue_media::Grey::from_raw(self.side, self.side, self.pixels(index).to_vec())
            .ok_or_else(|| Error::Argument(format!("sample {index} is not {0}x{0} pixels", self.side)))
    }

    /// Class of a sample, below `labels().len()`.
    pub fn label(&self, index: usize) -> u8 {
        self.samples[index].label
    }

    /// Part of the dataset a sample belongs to.
    pub fn usage(&self, index: usize) -> Usage {
        self.samples[index].usage
    }

    /// Where a sample came from.
    pub fn origin(&self, index: usize) -> Origin {
        self.samples[index].origin
    }

    /// The file and line, or the picture file, of a sample, as messages name it.
    pub fn place(&self, index: usize) -> String {
        match self.origin(index) {
            Origin::Row { line, .. } => format!("{}:{line}", self.source),
            Origin::Picture(_) => self.picture(index).map(|p| p.display().to_string()).unwrap_or_default(),
        }
    }

    /// The picture file of a sample; `None` for rows of a csv file.
    pub fn picture(&self, index: usize) -> Option<&Path> {
        match self.origin(index) {
            Origin::Row { .. } => None,
            Origin::Picture(number) => self.pictures.get(number as usize).map(PathBuf::as_path),
        }
    }

    /// Data rows of the csv file that was read, wrong ones included; 0 for folders.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// The samples of one part, in order.
    pub fn indices(&self, usage: Usage) -> Vec<usize> {
        (0..self.len()).filter(|&i| self.usage(i) == usage).collect()
    }

    /// Votes of FER+'s annotators on a sample; `None` where FER+ dropped it or no votes were laid beside the
    /// dataset.
    pub fn votes(&self, index: usize) -> Option<&Votes> {
        self.votes.get(index).and_then(Option::as_ref)
    }

    /// The samples for which `label` gives a class of `labels`, with that class; all else stays.
    pub(crate) fn relabelled(&self, labels: Labels, label: impl Fn(usize) -> Option<u8>) -> Self {
        let mut new = Self::new(self.source.clone(), labels, self.side);
        for (index, sample) in self.samples.iter().enumerate() {
            let Some(label) = label(index) else { continue };
            new.append(self.pixels(index), std::iter::once(Sample { label, ..*sample }));
            if !self.votes.is_empty() {
                new.votes.push(self.votes(index).copied());
            }
        }
        new.pictures.clone_from(&self.pictures);
        new.finish(self.rows);
        new
    }

    /// Changes the classes for more, of which the first are those that there were.
    pub(crate) fn set_labels(&mut self, labels: Labels) {
        self.labels = labels;
    }

    pub(crate) fn set_votes(&mut self, votes: Vec<Option<Votes>>) {
        self.votes = votes;
    }

    /// How many of the given samples each class has, in the order of the labels.
    pub fn class_counts(&self, indices: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.labels.len()];
        for &index in indices {
            counts[usize::from(self.label(index))] += 1;
        }
        counts
    }
}

/// Lines and pictures that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrongRows {
    described: Vec<RowError>,
    count: u64,
}

impl WrongRows {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first of them, at most [`ReadOptions::max_described`](crate::ReadOptions::max_described).
    pub fn described(&self) -> &[RowError] {
        &self.described
    }

    /// Adds one, described as long as there is room.
    pub(crate) fn push(&mut self, error: RowError, max_described: usize) {
        self.count += 1;
        if self.described.len() < max_described {
            self.described.push(error);
        }
    }

    /// Counts more of them without a description.
    pub(crate) fn add_undescribed(&mut self, count: u64) {
        self.count += count;
    }
}

/// A dataset and what had to be left out of it.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The good rows.
    pub dataset: Dataset,
    /// The others; none where reading was [`Strict`](crate::OnError::Strict).
    pub wrong: WrongRows,
}
