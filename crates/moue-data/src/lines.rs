//! Text cut at the ends of its lines.

use std::io::Read;

use crate::container::read_failure;
use crate::{Error, Limits, Result};

/// Bytes a piece, unless a longer line needs more.
const PIECE: usize = 1 << 20;

/// Hands the text piece by piece to `send`, until it returns `false`. Each piece ends with a line's end, save the
/// last, which ends with the text. Every line of at most `max_line` bytes is whole in its piece.
///
/// # Errors
/// [`Error::Row`] where a line is longer than a whole piece; whatever [`read_failure`] makes of a failed read.
pub(crate) fn cut(
    reader: &mut dyn Read,
    name: &str,
    max_line: usize,
    mut send: impl FnMut(Vec<u8>) -> bool,
) -> Result<()> {
    let size = PIECE.max(max_line.saturating_add(1));
    let mut carry = Vec::new();
    let mut lines = 0_u64;
    loop {
        let mut piece = Vec::with_capacity(size);
        piece.append(&mut carry);
        let room = size - piece.len();
        let read = reader.take(room as u64).read_to_end(&mut piece);
        // What came before a failure is parsed, too: a wrong row there explains more than the failure.
        let failure = read.as_ref().err().map(|error| read_failure(name, error));
        let at_end = matches!(read, Ok(read) if read < room);
        if at_end {
            if !piece.is_empty() {
                send(piece);
            }
            return Ok(());
        }
        let Some(end) = piece.iter().rposition(|&b| b == b'\n') else {
            let too_long =
                || Error::row(name, lines + 1, format!("the line is longer than {max_line} bytes"));
            return Err(failure.unwrap_or_else(too_long));
        };
        carry.extend_from_slice(&piece[end + 1..]);
        piece.truncate(end + 1);
        lines += piece.iter().filter(|&&b| b == b'\n').count() as u64;
        if !send(piece) {
            return Ok(());
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
}

/// Hands each line that is not blank to `visit`, with its number counted from 1. For short files.
///
/// # Errors
/// As [`cut`], and [`Error::Row`] for a line longer than the limit; what `visit` returns.
pub(crate) fn for_each_line(
    reader: &mut dyn Read,
    name: &str,
    limits: &Limits,
    mut visit: impl FnMut(u64, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut number = 0;
    let mut failure = None;
    cut(reader, name, limits.max_line, |piece| {
        for line in Lines::of(&piece) {
            number += 1;
            let visited = if line.len() > limits.max_line {
                let what = format!("the line is {} bytes long; the limit is {}", line.len(), limits.max_line);
                Err(Error::row(name, number, what))
            } else if line.trim_ascii().is_empty() {
                Ok(())
            } else {
                visit(number, line)
            };
            if let Err(error) = visited {
                failure = Some(error);
                return false;
            }
        }
        true
    })?;
    failure.map_or(Ok(()), Err)
}

/// The lines of a text without their ends (LF or CRLF).
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(crate) fn of(text: &'a [u8]) -> Self {
        Self { rest: text }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = match self.rest.iter().position(|&b| b == b'\n') {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, &self.rest[self.rest.len()..]),
        };
        self.rest = rest;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}
