//! The JSON Lines file of an earlier run, to go on from.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use moue::Record;

use super::{TextFile, in_file};
use crate::failure::{Failure, Result};

/// Longest line: a thousand faces take half a megabyte.
const MAX_LINE: u64 = 16 << 20;

/// What an earlier run recorded.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Bytes of whole records.
    length: u64,
    frames: u64,
    last: Option<f64>,
}

impl Journal {
    /// Reads the file through. A part of a line at its end, which a killed run left, does not count; anything else that is
    /// no record of this source is an error. A file that does not exist is a journal of nothing.
    pub fn open(path: &Path, source: &str) -> Result<Self> {
        let mut journal = Self { path: path.to_owned(), length: 0, frames: 0, last: None };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(journal),
            Err(error) => return Err(in_file(path, &error)),
        };
        let mut reader = BufReader::new(file);
        while let Some((record, length)) = journal.next(&mut reader)? {
            if record.source != source {
                return Err(journal.fault(format!("is about {}, not {source}", record.source)));
            }
            if record.frame != journal.frames {
                let expected = journal.frames;
                return Err(journal.fault(format!("is frame {}, but {expected} was expected", record.frame)));
            }
            journal.frames += 1;
            journal.length += length;
            journal.last = Some(record.time);
        }
        Ok(journal)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same journal, to be read while its file is continued.
    pub fn reopened(&self) -> Self {
        Self { path: self.path.clone(), ..*self }
    }

    /// Frames recorded.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Time of the last of them.
    pub fn last(&self) -> Option<f64> {
        self.last
    }

    /// Gives the records again, in order.
    pub fn replay(&self, mut each: impl FnMut(Record) -> Result<()>) -> Result<()> {
        if self.frames == 0 {
            return Ok(());
        }
        let file = File::open(&self.path).map_err(|error| in_file(&self.path, &error))?;
        let mut reader = BufReader::new(file.take(self.length));
        while let Some((record, _)) = self.next(&mut reader)? {
            each(record)?;
        }
        Ok(())
    }

    /// The file, to go on with; what is no whole record is cut off.
    pub fn into_file(self) -> Result<TextFile> {
        match self.frames {
            0 => TextFile::create(&self.path, false),
            _ => TextFile::continued(&self.path, self.length),
        }
        .map_err(|error| in_file(&self.path, &error))
    }

    /// The next record and the bytes of its line; `None` at the end, or where only a part of a line follows.
    fn next(&self, reader: &mut impl BufRead) -> Result<Option<(Record, u64)>> {
        let mut line = Vec::new();
        let failed = |error: &std::io::Error| in_file(&self.path, error);
        let length = reader.take(MAX_LINE).read_until(b'\n', &mut line).map_err(|e| failed(&e))? as u64;
        if length == MAX_LINE {
            return Err(self.fault("is longer than records are".to_owned()));
        }
        if line.last() != Some(&b'\n') {
            return Ok(None);
        }
        if self.length == 0
            && let Some(reason) = moue_files::text::foreign(&line)
        {
            return Err(Failure::message(format!("{}: {reason}", self.path.display())));
        }
        // A mark that an editor put before the first record stays in the file, and counts.
        match serde_json::from_slice(moue_files::text::without_mark(&line)) {
            Ok(record) => Ok(Some((record, length))),
            Err(error) => Err(self.fault(format!("is no record: {error}"))),
        }
    }

    fn fault(&self, what: String) -> Failure {
        Failure::message(format!("{}: line {} {what}", self.path.display(), self.frames + 1))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn line(frame: u64) -> String {
        format!(
            "{{\"source\":\"a.mp4\",\"frame\":{frame},\"time\":{},\"width\":8,\"height\":6,\"faces\":[]}}\n",
            frame as f64 / 4.0
        )
    }

    #[test]
    fn half_a_line_at_the_end_is_cut_and_nothing_else_forgiven() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let open = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Journal::open(&path, "a.mp4")
        };
        let whole: String = (0..3).map(line).collect();
        for cut in 0..=line(3).len() {
            let text = whole.clone() + &line(3)[..cut];
            let journal = open(&text).unwrap();
            let frames = if cut == line(3).len() { 4 } else { 3 };
            assert_eq!((journal.frames(), journal.last()), (frames, Some((frames - 1) as f64 / 4.0)));
            let mut again = Vec::new();
            let each = |record: Record| {
                again.push(record.frame);
                Ok(())
            };
            journal.replay(each).unwrap();
            assert_eq!(again, (0..frames).collect::<Vec<u64>>());
            let mut file = journal.into_file().unwrap();
            file.write_all(line(frames).as_bytes()).unwrap();
            let expected: String = (0..=frames).map(line).collect();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        }
        let marked = format!("\u{feff}{}", line(0));
        let journal = open(&marked).unwrap();
        assert_eq!(journal.frames(), 1);
        drop(journal.into_file().unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), marked);
        let wrong = [
            whole.clone() + "{}\n",
            whole.clone() + &line(4),
            line(0) + "\n" + &line(1),
            line(0).replace("a.mp4", "b.mp4"),
        ];
        for text in wrong {
            let Err(Failure::Failed(error)) = open(&text) else { panic!("{text}") };
            assert!(error.to_string().contains("a.jsonl: line "), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(Journal::open(&path, "a.mp4").unwrap().frames(), 0);
    }
}
