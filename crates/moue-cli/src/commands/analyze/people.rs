//! Who was seen in a video, as people read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use moue::Record;

use crate::text::{counted, grouped};

/// Emotions that are worth a place beside the most frequent one.
const ALTERNATIVES: usize = 2;

/// Gathers the frames of a video; its size grows with the number of people, not of frames.
#[derive(Debug, Default)]
pub struct People {
    frames: usize,
    with_faces: usize,
    size: (u32, u32),
    last: Option<f64>,
    first: Option<f64>,
    people: BTreeMap<u64, Person>,
}

#[derive(Debug)]
struct Person {
    first: f64,
    last: f64,
    frames: usize,
    /// Frames by what was said about them.
    emotions: BTreeMap<String, usize>,
}

impl People {
    pub fn add(&mut self, record: &Record) {
        let time = record.time;
        self.frames += 1;
        self.with_faces += usize::from(!record.faces.is_empty());
        self.size = (record.width, record.height);
        self.first.get_or_insert(time);
        self.last = Some(time);
        for face in &record.faces {
            let new = || Person { first: time, last: time, frames: 0, emotions: BTreeMap::new() };
            let person = self.people.entry(face.id).or_insert_with(new);
            person.last = time;
            person.frames += 1;
            match person.emotions.get_mut(face.verdict()) {
                Some(frames) => *frames += 1,
                None => {
                    person.emotions.insert(face.verdict().to_owned(), 1);
                }
            }
        }
    }

    /// Whether no frame was added.
    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// The video with the number of its people, and a line for each.
    pub fn table(&self, source: &str) -> String {
        let source = moue_files::text::shown(source);
        let (width, height) = self.size;
        let duration = self.last.zip(self.first).map_or(0.0, |(last, first)| last - first);
        let mut text = format!(
            "{source}  {width}x{height}  {} in {duration:.1} s, {} with faces  {}\n",
            counted(self.frames, "frame", "frames"),
            grouped(self.with_faces),
            counted(self.people.len(), "person", "people"),
        );
        if self.people.is_empty() {
            return text;
        }
        let titles = ["person", "from", "to", "frames", "mostly", "otherwise"].map(str::to_owned);
        let rows: Vec<[String; 6]> =
            std::iter::once(titles).chain(self.people.iter().map(|(id, person)| row(*id, person))).collect();
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let [w0, w1, w2, w3, w4] = [0, 1, 2, 3, 4].map(width);
        for [id, from, to, frames, mostly, otherwise] in &rows {
            let line =
                format!("  {id:>w0$}  {from:>w1$}  {to:>w2$}  {frames:>w3$}  {mostly:<w4$}  {otherwise}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }
}

fn row(id: u64, person: &Person) -> [String; 6] {
    let mut emotions: Vec<(&String, &usize)> = person.emotions.iter().collect();
    emotions.sort_by(|a, b| b.1.cmp(a.1));
    let share = |(emotion, frames): &(&String, &usize)| {
        format!("{emotion} {:.0} %", 100.0 * **frames as f64 / person.frames as f64)
    };
    let mostly = emotions.first().map(share).unwrap_or_default();
    let others: Vec<String> = emotions.iter().skip(1).take(ALTERNATIVES).map(share).collect();
    [
        id.to_string(),
        clock(person.first),
        clock(person.last),
        grouped(person.frames),
        mostly,
        others.join(", "),
    ]
}

/// `1:02:03.4`
fn clock(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    let (hours, minutes, seconds, rest) = (tenths / 36_000, tenths / 600 % 60, tenths / 10 % 60, tenths % 10);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}.{rest}")
    } else {
        format!("{minutes}:{seconds:02}.{rest}")
    }
}

#[cfg(test)]
mod tests {
    use moue::{BoundingBox, Face};

    use super::*;

    #[test]
    fn people_are_listed_with_their_times_and_shares() {
        let face = |id: u64, emotion: &str| {
            let bounds = BoundingBox { x: 0.0, y: 0.0, width: 9.0, height: 9.0 };
            Face::new(id, bounds, 0.9, [(emotion, 0.6)].into_iter().collect())
        };
        let mut people = People::default();
        for frame in 0..8_u64 {
            let faces = match frame {
                0..4 => vec![face(0, "happy")],
                4..6 => vec![face(0, "sad"), Face { certain: Some(frame == 4), ..face(12, "fear") }],
                _ => vec![],
            };
            let (source, time) = ("a.mp4".to_owned(), frame as f64 * 0.5 + 3600.0);
            people.add(&Record { source, frame, time, width: 64, height: 48, faces });
        }
        let expected = "\
a.mp4  64x48  8 frames in 3.5 s, 6 with faces  2 people
  person       from         to  frames  mostly      otherwise
       0  1:00:00.0  1:00:02.5       6  happy 67 %  sad 33 %
      12  1:00:02.0  1:00:02.5       2  fear 50 %   uncertain 50 %
";
        assert_eq!(people.table("a.mp4"), expected);
        assert_eq!(clock(61.26), "1:01.3");
    }
}
