//! Lists of rows to leave out of a csv dataset.

use std::path::Path;

use moue_files::Separator;

use crate::container::{Source, with_text};
use crate::fields::{Fields, first_line, shown};
use crate::lines::for_each_line;
use crate::{Dataset, Error, Limits, Origin, Result, Usage};

/// Rows to leave out, by their place among the data rows.
#[derive(Clone, Debug)]
pub struct Exclusions {
    source: String,
    rows: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    line: u64,
    row: u32,
    usage: Option<Usage>,
}

impl Exclusions {
    /// Reads row numbers, one a line: a csv with a header that has a column `line` or `row`, and perhaps `Usage`, or numbers
    /// alone without a header. Row 0 is the first row after the header of the dataset.
    ///
    /// # Errors
    /// [`Error::Row`] at the first line that is wrong, [`Error::File`] and [`Error::Limit`] as [`crate::read`].
    pub fn read(path: &Path, limits: &Limits) -> Result<Self> {
        with_text(path, limits, &|_| true, |Source { name, reader }| {
            let (mut columns, mut declared): (Option<Columns>, _) = (None, None);
            let mut rows = Vec::new();
            for_each_line(reader, &name, limits, |line, text| {
                let wrong = |reason| Error::row(&name, line, reason);
                let (columns, fields) = match &columns {
                    Some(columns) => (columns, Fields::of(text, columns.separator).map_err(wrong)?),
                    None => {
                        if let Some(reason) = moue_files::text::foreign(text) {
                            return Err(wrong(reason.to_owned()));
                        }
                        let Some((text, separator)) = first_line(text, declared) else {
                            declared = Separator::declared(moue_files::text::without_mark(text));
                            return Ok(());
                        };
                        let fields = Fields::of(text, separator).map_err(wrong)?;
                        let (found, is_header) = Columns::of(&fields, separator).map_err(wrong)?;
                        let found = columns.insert(found);
                        if is_header {
                            return Ok(());
                        }
                        (&*found, fields)
                    }
                };
                if rows.len() as u64 == u64::from(limits.max_rows) {
                    return Err(Error::limit(&name, format!("more than {} rows", limits.max_rows)));
                }
                rows.push(columns.entry(line, &fields).map_err(wrong)?);
                Ok(())
            })?;
            Ok(Self { source: name.clone(), rows })
        })
    }

    /// Numbers of the rows, as they stand in the file.
    pub fn rows(&self) -> impl Iterator<Item = u32> + '_ {
        self.rows.iter().map(|entry| entry.row)
    }

    /// The samples of a dataset that are meant, sorted, each once. Rows that were wrong in the dataset's file are
    /// out of it already and have no sample.
    ///
    /// # Errors
    /// [`Error::Argument`] where the dataset was not read from a csv file; [`Error::Row`] where a number is beyond its last
    /// row, or the Usage given beside it differs from the row's.
    pub fn samples(&self, dataset: &Dataset) -> Result<Vec<usize>> {
        if dataset.rows() == 0 {
            return Err(Error::Argument(format!(
                "{}: row numbers belong to a csv file, but {} is a folder of pictures",
                self.source,
                dataset.source()
            )));
        }
        let mut samples = Vec::with_capacity(self.rows.len());
        for entry in &self.rows {
            if entry.row >= dataset.rows() {
                let reason = format!(
                    "row {}, expected 0 to {} as in {}",
                    entry.row,
                    dataset.rows() - 1,
                    dataset.source()
                );
                return Err(Error::row(&self.source, entry.line, reason));
            }
            let Some(index) = sample_of(dataset, entry.row) else { continue };
            match entry.usage {
                Some(usage) if usage != dataset.usage(index) => {
                    let expected =
                        format!("expected {} as in {}", dataset.usage(index), dataset.place(index));
                    let reason = format!("Usage {usage} for row {}, {expected}", entry.row);
                    return Err(Error::row(&self.source, entry.line, reason));
                }
                _ => samples.push(index),
            }
        }
        samples.sort_unstable();
        samples.dedup();
        Ok(samples)
    }
}

/// The sample read from a data row; samples stand in the order of their rows.
fn sample_of(dataset: &Dataset, row: u32) -> Option<usize> {
    let row_of = |index| match dataset.origin(index) {
        Origin::Row { row, .. } => row,
        Origin::Picture(number) => number,
    };
    let (mut low, mut high) = (0, dataset.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if row_of(middle) < row { low = middle + 1 } else { high = middle }
    }
    (low < dataset.len() && row_of(low) == row).then_some(low)
}

struct Columns {
    row: usize,
    usage: Option<usize>,
    separator: Separator,
}

impl Columns {
    /// The columns, and whether the first line is a header at all.
    fn of(first: &Fields<'_>, separator: Separator) -> Result<(Self, bool), String> {
        if number(first.get(0)).is_some() {
            return Ok((Self { row: 0, usage: None, separator }, false));
        }
        let place = |name: &str| first.iter().position(|field| field.eq_ignore_ascii_case(name.as_bytes()));
        let row = place("line").or_else(|| place("row")).ok_or_else(|| {
            format!(
                "the first field is {}, expected a row number or a column line or row",
                shown(first.get(0))
            )
        })?;
        Ok((Self { row, usage: place("usage"), separator }, true))
    }

    fn entry(&self, line: u64, fields: &Fields<'_>) -> Result<Entry, String> {
        let row = number(fields.get(self.row))
            .ok_or_else(|| format!("row {}, expected a whole number from 0", shown(fields.get(self.row))))?;
        let usage = match self.usage {
            Some(place) => Some(String::from_utf8_lossy(fields.get(place)).parse()?),
            None => None,
        };
        Ok(Entry { line, row, usage })
    }
}

fn number(field: &[u8]) -> Option<u32> {
    // `parse` would take a sign.
    if !field.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(field).ok()?.parse().ok()
}
