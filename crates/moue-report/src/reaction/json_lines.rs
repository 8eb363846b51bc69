//! Records from JSON Lines.

use std::io::{BufRead, Read};

use moue::Record;
use moue_files::text;

use super::{Collector, Error, Stream};

/// Longer lines than this are no records.
const MAX_LINE: u64 = 16 << 20;

/// What [`Collector::read_json_lines`] met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinesRead {
    /// Records added.
    pub records: u64,
    /// The number of the last line, where that line was cut off. It was left out.
    pub cut_off: Option<u64>,
}

impl Collector {
    /// Adds the records of a file, line by line, with memory for one line only. Keys that are no part of [`Record`] are
    /// ignored, and so are blank lines. A last line that does not end and is no record was cut off when its writer died;
    /// it is left out, and noted for the reader of the page.
    ///
    /// # Errors
    /// [`Error::Line`] names `file` and the line for anything else that is no record or does not fit; [`Error::Io`].
    pub fn read_json_lines(
        &mut self,
        mut reader: impl BufRead,
        file: &str,
        stream: Stream,
    ) -> Result<LinesRead, Error> {
        let mut line = Vec::new();
        let mut read = LinesRead { records: 0, cut_off: None };
        for number in 1.. {
            line.clear();
            let length = (&mut reader).take(MAX_LINE + 1).read_until(b'\n', &mut line);
            let length = length.map_err(|e| Error::io(file, e))? as u64;
            if length == 0 {
                break;
            }
            if number == 1 {
                if let Some(reason) = text::foreign(&line) {
                    return Err(Error::line(file, number, reason));
                }
                line.drain(..line.len() - text::without_mark(&line).len());
            }
            if length > MAX_LINE {
                return Err(Error::line(file, number, format!("the line is longer than {MAX_LINE} bytes")));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let record: Record = match serde_json::from_slice(&line) {
                Ok(record) => record,
                Err(_) if line.last() != Some(&b'\n') => {
                    read.cut_off = Some(number);
                    self.note(format!("The last line of {file} was cut off and is left out."));
                    break;
                }
                Err(error) => return Err(Error::line(file, number, wrong(&error))),
            };
            self.add(stream, &record).map_err(|e| Error::line(file, number, e.to_string()))?;
            read.records += 1;
        }
        Ok(read)
    }
}

/// What serde says without its "line 1", which is not the line of the file.
fn wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    format!("no record of moue analyze --json: {reason} (column {})", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reaction::Settings;

    const GOOD: &str = r#"{"source":"a.mp4","frame":0,"time":0.0,"width":4,"height":3,"faces":[{"id":7,"box":{"x":0.0,"y":0.0,"width":2.0,"height":2.0},"score":0.9,"emotion":"happy","confidence":0.75,"probabilities":{"happy":0.75,"sad":0.25},"raw":[1]}],"new":{}}"#;

    fn read(text: &str) -> Result<LinesRead, String> {
        let mut collector = Collector::new(Settings::default(), Vec::new()).unwrap();
        let stream = collector.stream("r.jsonl", None);
        collector.read_json_lines(text.as_bytes(), "r.jsonl", stream).map_err(|e| e.to_string())
    }

    #[test]
    fn unknown_keys_blank_lines_and_a_missing_last_end_are_no_matter() {
        let text = format!("{GOOD}\n\n{}", GOOD.replace("\"time\":0.0", "\"time\":0.5"));
        assert_eq!(read(&text), Ok(LinesRead { records: 2, cut_off: None }));
        assert_eq!(read(""), Ok(LinesRead { records: 0, cut_off: None }));
    }

    #[test]
    fn what_editors_make_of_records_is_read_or_named() {
        let second = GOOD.replace("\"time\":0.0", "\"time\":0.5");
        let text = format!("\u{feff}{GOOD}\r\n{second}\r\n");
        assert_eq!(read(&text), Ok(LinesRead { records: 2, cut_off: None }));
        assert_eq!(read("\u{feff}"), Ok(LinesRead { records: 0, cut_off: None }));
        let mut collector = Collector::new(Settings::default(), Vec::new()).unwrap();
        let stream = collector.stream("r.jsonl", None);
        let wide: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let error = collector.read_json_lines(wide.as_slice(), "r.jsonl", stream).unwrap_err().to_string();
        assert!(error.starts_with("r.jsonl:1: this is UTF-16 text"), "{error}");
    }

    #[test]
    fn a_last_line_cut_anywhere_is_left_out() {
        for cut in 1..GOOD.len() {
            let text = format!("{GOOD}\n{}", &GOOD[..cut]);
            assert_eq!(read(&text), Ok(LinesRead { records: 1, cut_off: Some(2) }), "{cut}");
        }
    }

    #[test]
    fn a_bad_line_is_named() {
        let second = GOOD.replace("\"time\":0.0", "\"time\":0.5");
        for (bad, words) in [
            ("{}".to_owned(), "r.jsonl:2: no record of moue analyze --json: missing field `source`"),
            (GOOD[..40].to_owned(), "r.jsonl:2: no record"),
            (second.replace("0.75", "7.5"), "r.jsonl:2: 7.5 is no probability"),
            (second.replace("0.5", "-0.5"), "r.jsonl:2: time -0.5 comes after time 0"),
            (second.replace("0.5", "2e7"), "r.jsonl:2: time 20000000 is not within 10000000 seconds after 0"),
            (
                second.replace("\"sad\"", "\"angry\""),
                "r.jsonl:2: the labels are happy, angry, before happy, sad",
            ),
        ] {
            let text = format!("{GOOD}\n{bad}\n{GOOD}\n");
            let error = read(&text).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
        let error = read(&format!("{second}\n{GOOD}\n")).unwrap_err();
        assert_eq!(error, "r.jsonl:2: time 0 comes after time 0.5 of the same source");
    }
}
