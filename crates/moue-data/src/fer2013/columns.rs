//! Which column is which, by the header line.

use moue_files::Separator;

use crate::fields::{Fields, first_line, shown};
use crate::lines::Lines;

const EXPECTED: &str = "expected the columns emotion, pixels and Usage";

/// Places of the columns that are read; others may stand between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    pub(super) count: usize,
    pub(super) emotion: usize,
    pub(super) pixels: usize,
    /// Kaggle's `train.csv` has none; its rows are all Training.
    pub(super) usage: Option<usize>,
    pub(super) separator: Separator,
}

impl Columns {
    /// `Err` says what is wrong with the header line.
    fn of(line: &[u8], separator: Separator) -> Result<Self, String> {
        if let Some(reason) = moue_files::text::foreign(line) {
            return Err(reason.to_owned());
        }
        if std::str::from_utf8(line).is_err() || line.contains(&0) {
            return Err(format!("the first line is not UTF-8 text, {EXPECTED}"));
        }
        let header = || format!("the header is {}", shown(line));
        let fields =
            Fields::of(line, separator).map_err(|reason| format!("{}: {reason}, {EXPECTED}", header()))?;
        let mut places = [None; 3];
        for (index, field) in fields.iter().enumerate() {
            for (place, name) in places.iter_mut().zip(["emotion", "pixels", "usage"]) {
                if field.eq_ignore_ascii_case(name.as_bytes()) && place.replace(index).is_some() {
                    return Err(format!("{}: the column {name} stands twice", header()));
                }
            }
        }
        let [Some(emotion), Some(pixels), usage] = places else {
            return Err(format!("{}, {EXPECTED}", header()));
        };
        Ok(Self { count: fields.len(), emotion, pixels, usage, separator })
    }
}

/// Cuts the header off the beginning of the text; gives the number of its lines, too. An error names the line.
pub(super) fn take_header(text: &mut Vec<u8>) -> Result<(Columns, u64), (u64, String)> {
    let (columns, lines) = header(text)?;
    let mut end = 0;
    for _ in 0..lines {
        end += text[end..].iter().position(|&b| b == b'\n').map_or(text.len() - end, |end| end + 1);
    }
    text.drain(..end);
    Ok((columns, lines))
}

/// Whether a text begins with a header that has the columns.
pub(super) fn is_header(text: &[u8]) -> bool {
    header(text).is_ok()
}

fn header(text: &[u8]) -> Result<(Columns, u64), (u64, String)> {
    let mut lines = Lines::of(text);
    let first = lines.next().unwrap_or_default();
    match first_line(first, None) {
        Some((line, separator)) => Columns::of(line, separator).map(|c| (c, 1)).map_err(|e| (1, e)),
        None => {
            let separator = Separator::declared(moue_files::text::without_mark(first));
            let line = lines.next().unwrap_or_default();
            let columns = Columns::of(line, separator.unwrap_or(Separator::Comma));
            columns.map(|c| (c, 2)).map_err(|e| (2, e))
        }
    }
}
