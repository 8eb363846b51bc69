//! Which column is which, by the header line.

use crate::fields::{Fields, shown};
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
}

impl Columns {
    /// `Err` says what is wrong with the header line.
    fn of(line: &[u8]) -> Result<Self, String> {
        if std::str::from_utf8(line).is_err() || line.contains(&0) {
            return Err(format!("the first line is not UTF-8 text, {EXPECTED}"));
        }
        let header = || format!("the header is {}", shown(line));
        let fields = Fields::of(line).map_err(|reason| format!("{}: {reason}, {EXPECTED}", header()))?;
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
        Ok(Self { count: fields.len(), emotion, pixels, usage })
    }
}

/// Cuts the header line off the beginning of the text.
pub(super) fn take_header(text: &mut Vec<u8>) -> Result<Columns, String> {
    let end = text.iter().position(|&b| b == b'\n').map_or(text.len(), |end| end + 1);
    let columns = Columns::of(first_line(text))?;
    text.drain(..end);
    Ok(columns)
}

/// Whether a text begins with a header that has the columns.
pub(super) fn is_header(text: &[u8]) -> bool {
    Columns::of(first_line(text)).is_ok()
}

/// Without a byte-order mark, which Windows editors like to add.
fn first_line(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    Lines::of(text).next().unwrap_or_default()
}
