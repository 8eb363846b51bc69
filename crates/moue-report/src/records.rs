//! Records as tables and lines.

use std::io::{self, Write};

use moue::{Face, Record};

/// Writes one record as a line of JSON Lines (<https://jsonlines.org>) in the form of [`Record`].
///
/// # Errors
/// Those of the sink.
pub fn write_json_line(sink: &mut impl Write, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *sink, record)?;
    sink.write_all(b"\n")
}

/// The header's columns before the probabilities: what a table of moue begins with.
pub const COLUMNS: &str =
    "source,frame,time,width,height,id,x,y,face_width,face_height,roll,score,emotion,confidence,certain";

/// Writes records as CSV (RFC 4180, lines ended by a line feed; names as in [`quote`]): a row per face with the columns of the JSON
/// form, the box as `x,y,face_width,face_height,roll`, and a column `p_LABEL` for the probability of each label; `certain` is
/// empty where no smallest confidence was asked for.
///
/// A picture without faces has one row whose cells from `id` on are empty, so that the table tells "no face" from
/// "not looked at".
pub struct CsvWriter<W> {
    sink: W,
    labels: Vec<String>,
    line: String,
}

impl<W: Write> CsvWriter<W> {
    /// Writes the header for a model's labels, in their order.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn new(sink: W, labels: &[String]) -> io::Result<Self> {
        let mut writer = Self { sink, labels: labels.to_vec(), line: COLUMNS.to_owned() };
        for label in labels {
            cell(&mut writer.line, &format!("p_{label}"));
        }
        writer.end_line()?;
        Ok(writer)
    }

    /// Writes the rows of one record.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        if record.faces.is_empty() {
            self.start_line(record);
            let blank = COLUMNS.split(',').count() - 5 + self.labels.len();
            self.line.extend(std::iter::repeat_n(',', blank));
            self.end_line()?;
        }
        for face in &record.faces {
            self.start_line(record);
            self.face(face);
            self.end_line()?;
        }
        Ok(())
    }

    /// Where the rows go.
    pub fn sink_mut(&mut self) -> &mut W {
        &mut self.sink
    }

    /// Gives the sink back after everything was handed to it.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(mut self) -> io::Result<W> {
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn start_line(&mut self, record: &Record) {
        let Record { source, frame, time, width, height, .. } = record;
        quote(&mut self.line, source);
        self.line.push_str(&format!(",{frame},{time},{width},{height}"));
    }

    fn face(&mut self, face: &Face) {
        let b = face.bounds;
        self.line.push_str(&format!(
            ",{},{},{},{},{},{},{}",
            face.id, b.x, b.y, b.width, b.height, face.roll, face.score
        ));
        cell(&mut self.line, &face.emotion);
        let certain = face.certain.map(|c| c.to_string()).unwrap_or_default();
        self.line.push_str(&format!(",{},{certain}", face.confidence));
        for label in &self.labels {
            self.line.push(',');
            if let Some(p) = face.probabilities.get(label) {
                self.line.push_str(&p.to_string());
            }
        }
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.line.push('\n');
        self.sink.write_all(self.line.as_bytes())?;
        self.line.clear();
        Ok(())
    }
}

fn cell(line: &mut String, text: &str) {
    line.push(',');
    quote(line, text);
}

/// Adds text as a cell (RFC 4180): in quotes where it holds a character that means something in CSV. Text that spreadsheets would
/// take for a formula (it begins with `=`, `+`, `-`, `@`, a tab or a line's end) gets an apostrophe before it, which they do not
/// show: a file may be called `=cmd|…`, and a table of it is opened by somebody else. Numbers are not written with this.
pub fn quote(line: &mut String, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let apostrophe = if formula { "'" } else { "" };
    if text.contains(['"', ',', '\n', '\r']) {
        line.push('"');
        line.push_str(apostrophe);
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(apostrophe);
        line.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use moue::BoundingBox;

    use super::*;

    fn record(source: &str, faces: usize) -> Record {
        let face = |id| Face {
            id,
            bounds: BoundingBox { x: 1.5, y: 2.0, width: 30.0, height: 31.0 },
            roll: -12.5,
            score: 0.5,
            emotion: "happy".into(),
            confidence: 0.75,
            certain: (id == 1).then_some(false),
            probabilities: [("sad", 0.25), ("happy", 0.75)].into_iter().collect(),
            raw_probabilities: None,
        };
        let faces = (0..faces as u64).map(face).collect();
        Record { source: source.into(), frame: 0, time: 0.0, width: 640, height: 480, faces }
    }

    #[test]
    fn csv_has_a_row_for_each_face_and_one_for_none() {
        let mut csv = CsvWriter::new(Vec::new(), &["sad".into(), "hap,py".into()]).unwrap();
        csv.write(&record("a \"b\", c.jpg", 2)).unwrap();
        csv.write(&record("empty.jpg", 0)).unwrap();
        let text = String::from_utf8(csv.finish().unwrap()).unwrap();
        assert_eq!(
            text,
            "source,frame,time,width,height,id,x,y,face_width,face_height,roll,score,emotion,confidence,certain,p_sad,\"p_hap,py\"\n\
             \"a \"\"b\"\", c.jpg\",0,0,640,480,0,1.5,2,30,31,-12.5,0.5,happy,0.75,,0.25,\n\
             \"a \"\"b\"\", c.jpg\",0,0,640,480,1,1.5,2,30,31,-12.5,0.5,happy,0.75,false,0.25,\n\
             empty.jpg,0,0,640,480,,,,,,,,,,,,\n"
        );
        let columns: Vec<usize> = text.lines().map(|l| l.matches(',').count()).collect();
        // The quoted commas of the first three lines are no separators.
        assert_eq!(columns, [17, 17, 17, 16]);
    }

    #[test]
    fn no_name_is_a_formula_and_numbers_stay_numbers() {
        for (text, cell) in [
            ("=1+1.jpg", "'=1+1.jpg"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-x", "'-x"),
            ("+49.mp4", "'+49.mp4"),
            ("=HYPERLINK(\"a\",\"b\")", "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\""),
            ("\t=1", "'\t=1"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            let mut line = String::new();
            quote(&mut line, text);
            assert_eq!(line, cell);
        }
        let mut csv = CsvWriter::new(Vec::new(), &["sad".into()]).unwrap();
        let mut left = record("=a.jpg", 1);
        left.faces[0].bounds.x = -3.5;
        csv.write(&left).unwrap();
        let text = String::from_utf8(csv.finish().unwrap()).unwrap();
        assert!(text.contains("\n'=a.jpg,0,0,640,480,0,-3.5,"), "{text}");
    }

    #[test]
    fn json_lines_are_read_back() {
        let mut lines = Vec::new();
        let records = [record("a.jpg", 2), record("b.jpg", 0)];
        for record in &records {
            write_json_line(&mut lines, record).unwrap();
        }
        let text = String::from_utf8(lines).unwrap();
        let read: Vec<Record> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(read, records);
    }
}
