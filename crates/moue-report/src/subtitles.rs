//! The emotions of people as subtitles.

use std::collections::BTreeMap;
use std::io::{self, Write};

use moue::Record;

/// Seconds for which a face that is not found stays in the subtitle: shorter gaps are misses of the detector.
const HELD: f64 = 0.3;

/// Longest cue in seconds. Longer ones are told in parts, so that little is lost where the writing is cut off.
const LONGEST: f64 = 5.0;

/// The two formats that players read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubtitleFormat {
    /// WebVTT (<https://www.w3.org/TR/webvtt1/>): each line is spoken by `Person N`, so that players can style it.
    WebVtt,
    /// SubRip: numbered cues.
    SubRip,
}

/// Writes subtitles: a cue for each stretch of time in which the same people show the same emotions, with a line for each.
///
/// Cues follow one another without overlapping and are written whole, so what was written is valid at any time.
#[derive(Debug)]
pub struct SubtitleWriter<W> {
    sink: W,
    format: SubtitleFormat,
    cues: u64,
    /// What is said about each person, and when the face was last seen.
    now: BTreeMap<u64, (String, f64)>,
    start: f64,
    /// Time and length of the last frame.
    last: Option<(f64, f64)>,
}

impl<W: Write> SubtitleWriter<W> {
    /// Writes what stands before the first cue.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn new(mut sink: W, format: SubtitleFormat) -> io::Result<Self> {
        if format == SubtitleFormat::WebVtt {
            sink.write_all(b"WEBVTT\n\n")?;
        }
        Ok(Self { sink, format, cues: 0, now: BTreeMap::new(), start: 0.0, last: None })
    }

    /// Takes the next frame; writes a cue where one ends with it.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        let time = record.time;
        let mut next: BTreeMap<u64, (String, f64)> = BTreeMap::new();
        for (id, held) in &self.now {
            // Half a millisecond less: times are rounded.
            if time - held.1 < HELD - 0.0005 {
                next.insert(*id, held.clone());
            }
        }
        for face in &record.faces {
            next.insert(face.id, (face.verdict().to_owned(), time));
        }
        let same = self.now.len() == next.len()
            && self.now.iter().zip(&next).all(|(a, b)| (a.0, &a.1.0) == (b.0, &b.1.0));
        if !same || time - self.start >= LONGEST {
            self.cue(time)?;
            self.start = time;
        }
        self.now = next;
        self.last = Some((time, self.last.map_or(0.04, |(before, _)| (time - before).max(0.001))));
        Ok(())
    }

    /// Where the cues go.
    pub fn sink_mut(&mut self) -> &mut W {
        &mut self.sink
    }

    /// Writes the last cue and gives the sink back.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(mut self) -> io::Result<W> {
        if let Some((time, length)) = self.last {
            self.cue(time + length)?;
        }
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn cue(&mut self, end: f64) -> io::Result<()> {
        if self.now.is_empty() || end <= self.start {
            return Ok(());
        }
        self.cues += 1;
        let mut text = String::new();
        let (from, to) = (self.clock(self.start), self.clock(end));
        if self.format == SubtitleFormat::SubRip {
            text.push_str(&format!("{}\n", self.cues));
        }
        text.push_str(&format!("{from} --> {to}\n"));
        for (id, (emotion, _)) in &self.now {
            match self.format {
                SubtitleFormat::WebVtt => text.push_str(&format!("<v Person {id}>{}\n", escaped(emotion))),
                SubtitleFormat::SubRip => text.push_str(&format!("Person {id}: {emotion}\n")),
            }
        }
        text.push('\n');
        self.sink.write_all(text.as_bytes())
    }

    /// `01:02:03.456`
    fn clock(&self, seconds: f64) -> String {
        let ms = (seconds.max(0.0) * 1000.0).round() as u64;
        let point = if self.format == SubtitleFormat::WebVtt { '.' } else { ',' };
        let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        format!("{hours:02}:{minutes:02}:{seconds:02}{point}{:03}", ms % 1000)
    }
}

/// Text in which nothing is markup; a cue ends at an empty line, so it has one line.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use moue::{BoundingBox, Face};

    use super::*;

    fn records() -> Vec<Record> {
        let face = |id, emotion: &str| {
            let bounds = BoundingBox { x: 0.0, y: 0.0, width: 9.0, height: 9.0 };
            Face::new(id, bounds, 0.9, [(emotion, 0.6)].into_iter().collect())
        };
        let unsure = Face { certain: Some(false), ..face(2, "fear") };
        (0..20_u64)
            .map(|frame| {
                let faces = match frame {
                    // Missed once.
                    3 => vec![],
                    0..8 => vec![face(0, "happy")],
                    8..10 => vec![face(0, "sad"), face(1, "a<b"), unsure.clone()],
                    _ => vec![],
                };
                let (source, time) = ("a.mp4".to_owned(), frame as f64 / 10.0);
                Record { source, frame, time, width: 64, height: 48, faces }
            })
            .collect()
    }

    #[test]
    fn cues_say_who_shows_what_from_when_to_when() {
        let written = |format| {
            let mut writer = SubtitleWriter::new(Vec::new(), format).unwrap();
            records().iter().for_each(|record| writer.write(record).unwrap());
            String::from_utf8(writer.finish().unwrap()).unwrap()
        };
        assert_eq!(
            written(SubtitleFormat::WebVtt),
            "WEBVTT\n\n\
             00:00:00.000 --> 00:00:00.800\n<v Person 0>happy\n\n\
             00:00:00.800 --> 00:00:01.200\n<v Person 0>sad\n<v Person 1>a&lt;b\n<v Person 2>uncertain\n\n"
        );
        assert_eq!(
            written(SubtitleFormat::SubRip),
            "1\n00:00:00,000 --> 00:00:00,800\nPerson 0: happy\n\n\
             2\n00:00:00,800 --> 00:00:01,200\nPerson 0: sad\nPerson 1: a<b\nPerson 2: uncertain\n\n"
        );
    }

    #[test]
    fn long_cues_come_in_parts_and_the_last_one_ends_after_its_frame() {
        let mut writer = SubtitleWriter::new(Vec::new(), SubtitleFormat::WebVtt).unwrap();
        let mut record = records().swap_remove(0);
        for frame in 0..70 {
            record.time = f64::from(frame) / 10.0;
            writer.write(&record).unwrap();
        }
        let text = String::from_utf8(writer.finish().unwrap()).unwrap();
        let times: Vec<&str> = text.lines().filter(|line| line.contains("-->")).collect();
        assert_eq!(times, ["00:00:00.000 --> 00:00:05.000", "00:00:05.000 --> 00:00:07.000"]);
    }
}
