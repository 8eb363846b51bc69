//! FER2013 in its published form: one csv with a picture a line.
//!
//! Goodfellow et al., "Challenges in Representation Learning: A report on three machine learning contests", 2013.
//! The file unpacks to 271 MB of text, so it is never in memory as a whole: a thread reads and unpacks pieces of
//! 1 MiB that end at a line's end; meanwhile the pieces before are parsed side by side, and joined in order.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rayon::prelude::*;

use crate::container::{Source, with_text};
use crate::dataset::Sample;
use crate::lines::cut;
use crate::{Dataset, Error, Labels, OnError, Origin, ReadOptions, Reading, Result, RowError, WrongRows};

mod columns;
mod piece;
mod row;

use columns::Columns;

/// Pixels a row, and rows of a picture.
const SIDE: u32 = 48;

/// Reads a csv file as [`crate::read`] describes.
pub(crate) fn read(path: &Path, options: &ReadOptions) -> Result<Reading> {
    let pieces_at_once = rayon::current_num_threads() * 2;
    let (sender, receiver) = sync_channel(pieces_at_once);
    thread::scope(|scope| {
        let unpacking = scope.spawn(move || unpack(path, options, &sender));
        let assembled = assemble(path, options, &receiver, pieces_at_once);
        // A thread that waits to send learns by this that nobody listens any more.
        drop(receiver);
        let unpacked = unpacking.join().unwrap_or_else(|_| {
            Err(Error::file(path.display().to_string(), "the thread that unpacks the file failed"))
        });
        // A wrong row stands before the place where unpacking failed.
        let assembly = assembled?;
        unpacked?;
        assembly.finish()
    })
}

enum Message {
    /// What the text is called in messages; comes first.
    Name(String),
    Piece(Vec<u8>),
}

fn unpack(path: &Path, options: &ReadOptions, sender: &SyncSender<Message>) -> Result<()> {
    let limits = &options.limits;
    with_text(path, limits, &columns::is_header, |Source { name, reader }| {
        if sender.send(Message::Name(name.clone())).is_err() {
            return Ok(());
        }
        let send = |piece| sender.send(Message::Piece(piece)).is_ok();
        cut(reader, &name, limits.max_line, send)
    })
}

fn assemble(
    path: &Path,
    options: &ReadOptions,
    receiver: &Receiver<Message>,
    pieces_at_once: usize,
) -> Result<Assembly> {
    let mut assembly = Assembly::new(path.display().to_string(), *options);
    let mut pieces = Vec::with_capacity(pieces_at_once);
    while let Ok(message) = receiver.recv() {
        let waiting = std::iter::once(message).chain(receiver.try_iter().take(pieces_at_once - 1));
        for message in waiting {
            match message {
                Message::Name(name) => assembly = Assembly::new(name, *options),
                Message::Piece(piece) => pieces.push(piece),
            }
        }
        assembly.add(&mut pieces)?;
        pieces.clear();
    }
    Ok(assembly)
}

/// Rows put together in the order of the file.
struct Assembly {
    options: ReadOptions,
    dataset: Dataset,
    columns: Option<Columns>,
    /// Lines and data rows before the next piece.
    lines: u64,
    rows: u32,
    wrong: WrongRows,
    /// Whether a row shows contempt, which FER2013's seven classes do not have.
    contempt: bool,
}

/// The class after FER2013's seven, in the order of [`Labels::with_contempt`].
const CONTEMPT: u8 = 7;

impl Assembly {
    fn new(source: String, options: ReadOptions) -> Self {
        let dataset = Dataset::new(source, Labels::fer2013(), SIDE);
        Self {
            options,
            dataset,
            columns: None,
            lines: 0,
            rows: 0,
            wrong: WrongRows::default(),
            contempt: false,
        }
    }

    fn add(&mut self, pieces: &mut [Vec<u8>]) -> Result<()> {
        let columns = match self.columns {
            Some(columns) => columns,
            None => {
                let Some(first) = pieces.first_mut() else { return Ok(()) };
                let (columns, lines) = columns::take_header(first)
                    .map_err(|(line, reason)| Error::row(self.dataset.source(), line, reason))?;
                self.lines = lines;
                *self.columns.insert(columns)
            }
        };
        let options = self.options;
        let parsed: Vec<_> = pieces.par_iter().map(|piece| piece::parse(piece, &columns, &options)).collect();
        parsed.into_iter().try_for_each(|piece| self.join(piece))
    }

    fn join(&mut self, piece: piece::Piece) -> Result<()> {
        let source = self.dataset.source().to_owned();
        let rows = u64::from(self.rows) + u64::from(piece.row_count);
        let max = self.options.limits.max_rows;
        let Ok(rows) =
            u32::try_from(rows).map_err(drop).and_then(|rows| (rows <= max).then_some(rows).ok_or(()))
        else {
            return Err(Error::limit(source, format!("the file has more than {max} rows")));
        };
        let described = piece.wrong.len() as u64;
        for (line, reason) in piece.wrong {
            let line = self.lines + u64::from(line) + 1;
            let error = RowError { file: source.clone(), line: Some(line), reason };
            match self.options.on_error {
                OnError::Strict => return Err(Error::Row(error)),
                OnError::Collect => self.wrong.push(error, self.options.max_described),
            }
        }
        self.wrong.add_undescribed(piece.wrong_count - described);
        self.contempt |= piece.rows.iter().any(|row| row.label == CONTEMPT);
        let (first_row, first_line) = (self.rows, self.lines as u32 + 1);
        let samples = piece.rows.into_iter().map(|row| Sample {
            label: row.label,
            usage: row.usage,
            origin: Origin::Row { row: first_row + row.row, line: first_line + row.line },
        });
        self.dataset.append(&piece.pixels, samples);
        self.rows = rows;
        self.lines += u64::from(piece.line_count);
        Ok(())
    }

    fn finish(mut self) -> Result<Reading> {
        if self.rows == 0 {
            let reason = match self.columns {
                None => "the file is empty, expected a csv with a header line",
                Some(_) => "no rows after the header",
            };
            return Err(Error::file(self.dataset.source(), reason));
        }
        if self.contempt {
            self.dataset.set_labels(Labels::with_contempt());
        }
        self.dataset.finish(self.rows);
        Ok(Reading { dataset: self.dataset, wrong: self.wrong })
    }
}
