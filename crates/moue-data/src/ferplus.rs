//! FER+: what ten annotators saw in each picture of FER2013.
//!
//! Barsoum, Zhang, Canton Ferrer, Zhang, "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced
//! Label Distribution", 2016. The file `fer2013new.csv` has a row for each row of `fer2013.csv`, in the same order.

use std::path::Path;

use moue_files::Separator;
use serde::Serialize;

mod relabel;

use crate::container::Source;
use crate::fields::{Fields, counted, first_line, shown};
use crate::lines::{Lines, for_each_line};
use crate::{Dataset, Error, Limits, Origin, Result, Usage};

pub use relabel::{Relabelled, relabel};

/// The columns of votes, in the order of the file. `unknown` is an emotion other than these, `NF` is not a face.
pub const COLUMNS: [&str; 10] =
    ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF"];

/// Where the votes for FER2013's classes, in their order, stand among [`COLUMNS`].
const FER2013: [usize; 7] = [4, 5, 6, 1, 3, 2, 0];

/// Where the votes for the classes of [`Labels::with_contempt`](crate::Labels::with_contempt), in their order, stand among
/// [`COLUMNS`].
const WITH_CONTEMPT: [usize; 8] = [4, 5, 6, 1, 3, 2, 0, 7];

/// Votes for one picture, by [`COLUMNS`]. They sum up to 10, for a few pictures to less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Votes([u8; 10]);

impl Votes {
    /// All votes, by [`COLUMNS`].
    pub fn counts(&self) -> [u8; 10] {
        self.0
    }

    /// Votes for FER2013's seven classes, in its order (angry, disgust, fear, happy, sad, surprise, neutral). Those for
    /// contempt, unknown and "not a face" are left out.
    pub fn fer2013(&self) -> [u8; 7] {
        FER2013.map(|column| self.0[column])
    }

    /// Votes for the eight classes of [`Labels::with_contempt`](crate::Labels::with_contempt), in its order. A single vote
    /// for a class is taken for a slip and left out, as Barsoum et al. do.
    pub fn with_contempt(&self) -> [u8; 8] {
        let counts = self.without_single_votes();
        WITH_CONTEMPT.map(|column| counts[column])
    }

    /// The class of [`Labels::with_contempt`](crate::Labels::with_contempt) that more than half of the annotators saw;
    /// `None` where no class has so many, or "unknown" or "not a face" has.
    ///
    /// This is the majority of Barsoum et al., section 3: classes with a single vote are left out, and out of what
    /// remains, "unknown" and "not a face" counted, one class must have more than half.
    pub fn majority(&self) -> Option<u8> {
        let counts = self.without_single_votes();
        let all: u32 = counts.iter().copied().map(u32::from).sum();
        let place = WITH_CONTEMPT.iter().position(|&column| 2 * u32::from(counts[column]) > all)?;
        u8::try_from(place).ok()
    }

    fn without_single_votes(&self) -> [u8; 10] {
        self.0.map(|votes| if votes > 1 { votes } else { 0 })
    }

    /// Share of the annotators who saw the class of FER2013, 0 to 1; 0 for any other class.
    pub fn agreement(&self, label: u8) -> f64 {
        let all: u32 = self.0.iter().copied().map(u32::from).sum();
        match self.fer2013().get(usize::from(label)) {
            Some(&votes) if all > 0 => f64::from(votes) / f64::from(all),
            _ => 0.0,
        }
    }
}

/// The whole file.
#[derive(Clone, Debug)]
pub struct Table {
    source: String,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    line: u32,
    usage: Usage,
    votes: Option<Votes>,
}

impl Table {
    /// Reads a file in the layout of `fer2013new.csv`: `Usage,Image name`, and the ten [`COLUMNS`], found by the header. An
    /// empty image name marks a row that FER+ dropped; it has no votes. The file may be compressed.
    ///
    /// # Errors
    /// [`Error::Row`] at the first line that is wrong (a column is missing; a vote is not 0 to 10; the votes are more
    /// than 10), [`Error::File`] and [`Error::Limit`] as [`crate::read`].
    pub fn read(path: &Path, limits: &Limits) -> Result<Self> {
        crate::container::with_text(path, limits, &|text| is_header(text), |source| Self::of(source, limits))
    }

    fn of(source: Source<'_>, limits: &Limits) -> Result<Self> {
        let Source { name, reader } = source;
        let (mut columns, mut declared) = (None, None);
        let mut rows = Vec::new();
        for_each_line(reader, &name, limits, |line, text| {
            let wrong = |reason| Error::row(&name, line, reason);
            match &columns {
                None => match first_line(text, declared) {
                    Some((header, separator)) => {
                        columns = Some(Columns::of(header, separator).map_err(wrong)?);
                    }
                    None => declared = Separator::declared(moue_files::text::without_mark(text)),
                },
                Some(_) if rows.len() as u64 == u64::from(limits.max_rows) => {
                    return Err(Error::limit(
                        &name,
                        format!("the file has more than {} rows", limits.max_rows),
                    ));
                }
                // Lines fit into 32 bits as long as rows do, but empty lines do not count as rows.
                Some(columns) => rows.push(columns.row(line as u32, text).map_err(wrong)?),
            }
            Ok(())
        })?;
        if columns.is_none() {
            return Err(Error::file(name, "the file is empty, expected FER+ votes with a header line"));
        }
        Ok(Self { source: name, rows })
    }

    /// Rows, dropped ones included.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is only a header.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Gives each sample of the dataset the votes of its row. Afterwards [`Dataset::votes`] has them.
    ///
    /// # Errors
    /// [`Error::Argument`] where the dataset was not read from a csv file; [`Error::File`] where the numbers of rows
    /// differ; [`Error::Row`] at the first row whose Usage differs, because then the files are not in the same order.
    pub fn lay_beside(&self, dataset: &mut Dataset) -> Result<()> {
        if dataset.rows() == 0 {
            return Err(Error::Argument(format!(
                "{}: FER+ votes belong to the rows of fer2013.csv, but {} is a folder of pictures",
                self.source,
                dataset.source()
            )));
        }
        if self.rows.len() as u64 != u64::from(dataset.rows()) {
            let (here, there) = (self.rows.len(), dataset.rows());
            let reason = format!("{here} rows of votes, expected {there} as in {}", dataset.source());
            return Err(Error::file(&self.source, reason));
        }
        let mut votes = Vec::with_capacity(dataset.len());
        for index in 0..dataset.len() {
            let row = match dataset.origin(index) {
                Origin::Row { row, .. } => self.rows.get(row as usize),
                Origin::Picture(_) => None,
            };
            if let Some(row) = row
                && row.usage != dataset.usage(index)
            {
                let expected = format!("expected {} as in {}", dataset.usage(index), dataset.place(index));
                let reason = format!("Usage {}, {expected}", row.usage);
                return Err(Error::row(&self.source, row.line.into(), reason));
            }
            votes.push(row.and_then(|row| row.votes));
        }
        dataset.set_votes(votes);
        Ok(())
    }
}

/// Places of the columns.
struct Columns {
    count: usize,
    usage: usize,
    image: usize,
    votes: [usize; 10],
    separator: Separator,
}

impl Columns {
    fn of(header: &[u8], separator: Separator) -> Result<Self, String> {
        if let Some(reason) = moue_files::text::foreign(header) {
            return Err(reason.to_owned());
        }
        let fields = Fields::of(header, separator)?;
        let place = |name: &str| {
            let place = fields.iter().position(|field| field.eq_ignore_ascii_case(name.as_bytes()));
            place.ok_or_else(|| {
                format!("the header is {}, expected Usage,Image name,{}", shown(header), COLUMNS.join(","))
            })
        };
        let mut votes = [0; 10];
        for (vote, name) in votes.iter_mut().zip(COLUMNS) {
            *vote = place(name)?;
        }
        let (usage, image) = (place("Usage")?, place("Image name")?);
        Ok(Self { count: fields.len(), usage, image, votes, separator })
    }

    fn row(&self, line: u32, text: &[u8]) -> Result<Row, String> {
        let fields = Fields::of(text, self.separator)?;
        if fields.len() != self.count {
            return Err(format!("{}, expected {} as in the header", counted(fields.len()), self.count));
        }
        let usage = String::from_utf8_lossy(fields.get(self.usage));
        let usage: Usage = usage.parse()?;
        let mut votes = [0; 10];
        for ((vote, &place), name) in votes.iter_mut().zip(&self.votes).zip(COLUMNS) {
            *vote = count(fields.get(place))
                .ok_or_else(|| format!("{name} has {} votes, expected 0 to 10", shown(fields.get(place))))?;
        }
        let all: u8 = votes.iter().sum();
        if all > 10 {
            return Err(format!("{all} votes, expected at most 10"));
        }
        let dropped = fields.get(self.image).is_empty();
        Ok(Row { line, usage, votes: (!dropped).then_some(Votes(votes)) })
    }
}

fn is_header(text: &[u8]) -> bool {
    let mut declared = None;
    Lines::of(text).take(2).any(|line| match first_line(line, declared) {
        Some((header, separator)) => Columns::of(header, separator).is_ok(),
        None => {
            declared = Separator::declared(moue_files::text::without_mark(line));
            false
        }
    })
}

fn count(field: &[u8]) -> Option<u8> {
    match field {
        [digit @ b'0'..=b'9'] => Some(digit - b'0'),
        b"10" => Some(10),
        _ => None,
    }
}
