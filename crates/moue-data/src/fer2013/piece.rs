//! A piece of the text, parsed apart from the others.

use super::columns::Columns;
use super::{SIDE, row};
use crate::lines::Lines;
use crate::{OnError, ReadOptions, Usage};

const PICTURE: usize = SIDE as usize * SIDE as usize;

/// What stands in a piece; lines and rows are counted from its beginning.
pub(super) struct Piece {
    pub(super) pixels: Vec<u8>,
    pub(super) rows: Vec<Row>,
    /// Line and reason of wrong rows, the first of them.
    pub(super) wrong: Vec<(u32, String)>,
    pub(super) wrong_count: u64,
    pub(super) line_count: u32,
    pub(super) row_count: u32,
}

/// A good row.
pub(super) struct Row {
    pub(super) label: u8,
    pub(super) usage: Usage,
    pub(super) row: u32,
    pub(super) line: u32,
}

/// Parses whole lines. Empty lines are no rows.
pub(super) fn parse(text: &[u8], columns: &Columns, options: &ReadOptions) -> Piece {
    let describe = match options.on_error {
        OnError::Strict => 1,
        OnError::Collect => options.max_described,
    };
    let mut piece = Piece {
        // Two to four bytes of text make a pixel.
        pixels: Vec::with_capacity(text.len() / 2),
        rows: Vec::new(),
        wrong: Vec::new(),
        wrong_count: 0,
        line_count: 0,
        row_count: 0,
    };
    for line in Lines::of(text) {
        piece.line_count += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        piece.row_count += 1;
        let (row, line_index) = (piece.row_count - 1, piece.line_count - 1);
        let good = piece.pixels.len();
        piece.pixels.resize(good + PICTURE, 0);
        match row::parse(line, columns, options, &mut piece.pixels[good..]) {
            Ok((label, usage)) => piece.rows.push(Row { label, usage, row, line: line_index }),
            Err(reason) => {
                piece.pixels.truncate(good);
                piece.wrong_count += 1;
                if piece.wrong.len() < describe.max(1) {
                    piece.wrong.push((line_index, reason));
                }
            }
        }
    }
    piece
}
