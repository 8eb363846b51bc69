//! A record as people read it.

use std::fmt::Write as _;
use std::path::Path;

use moue::{Face, Record};
use moue_files::text::shown;

use crate::text::counted;

/// Other emotions that are worth a place beside the most probable one.
const ALTERNATIVES: usize = 2;

/// The source with the number of its faces and the picture written, and a line for each face.
pub fn table(record: &Record, written: Option<&Path>) -> String {
    let Record { width, height, faces, .. } = record;
    let source = shown(&record.source);
    let mut text = format!("{source}  {width}x{height}  {}", counted(faces.len(), "face", "faces"));
    if let Some(path) = written {
        let _ = write!(text, "  -> {}", crate::text::path(path));
    }
    text.push('\n');
    let rows: Vec<[String; 5]> = faces.iter().map(row).collect();
    if !rows.is_empty() {
        let titles = ["face", "emotion", "sure", "box", "otherwise"].map(str::to_owned);
        lines(&mut text, &[vec![titles], rows].concat());
    }
    text
}

fn row(face: &Face) -> [String; 5] {
    let b = face.bounds;
    let ranked = face.probabilities.ranked();
    // Of an uncertain face, the most probable emotion is one of several.
    let skipped = if face.is_uncertain() { 0 } else { 1 };
    let others: Vec<String> = ranked
        .iter()
        .skip(skipped)
        .take(ALTERNATIVES + 1 - skipped)
        .map(|(label, p)| format!("{label} {}", percent(*p)))
        .collect();
    [
        face.id.to_string(),
        face.verdict().to_owned(),
        percent(face.confidence),
        format!("{:.0}x{:.0} at {:.0},{:.0}", b.width, b.height, b.x, b.y),
        others.join(", "),
    ]
}

fn percent(share: f32) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// Adds rows in columns; figures (the first and the third column) stand to the right.
fn lines(text: &mut String, rows: &[[String; 5]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let [face, emotion, sure, place] = [0, 1, 2, 3].map(width);
    for [f, e, s, b, o] in rows {
        let _ = writeln!(text, "  {f:>face$}  {e:<emotion$}  {s:>sure$}  {b:<place$}  {o}");
    }
}

#[cfg(test)]
mod tests {
    use moue::BoundingBox;

    use super::*;

    fn face(id: u64, x: f32, emotion: &str, confidence: f32) -> Face {
        let rest = 1.0 - confidence;
        Face {
            id,
            bounds: BoundingBox { x, y: 7.0, width: 96.0, height: 96.0 },
            roll: 0.0,
            score: 0.5,
            emotion: emotion.to_owned(),
            confidence,
            certain: None,
            probabilities: [("sad", rest * 0.25), (emotion, confidence), ("neutral", rest * 0.75)]
                .into_iter()
                .collect(),
            raw_probabilities: None,
        }
    }

    #[test]
    fn columns_line_up() {
        let faces = vec![face(0, 412.0, "surprise", 0.875), face(1, 5.0, "happy", 0.96)];
        let record = Record { source: "a.jpg".into(), frame: 0, time: 0.0, width: 640, height: 480, faces };
        let expected = "\
a.jpg  640x480  2 faces  -> a.moue.jpg
  face  emotion   sure  box             otherwise
     0  surprise  88 %  96x96 at 412,7  neutral 9 %, sad 3 %
     1  happy     96 %  96x96 at 5,7    neutral 3 %, sad 1 %
";
        assert_eq!(table(&record, Some(Path::new("a.moue.jpg"))), expected);
        let mut unsure = record.clone();
        unsure.faces[0].certain = Some(false);
        let expected = "     0  uncertain  88 %  96x96 at 412,7  surprise 88 %, neutral 9 %, sad 3 %\n";
        assert!(table(&unsure, None).contains(expected), "{}", table(&unsure, None));
        let named = Record { source: "a\n\u{1b}[2J.jpg".into(), faces: vec![], ..record.clone() };
        assert_eq!(table(&named, None), "a\\n\\u{1b}[2J.jpg  640x480  0 faces\n");
        let none = Record { faces: vec![], ..record };
        assert_eq!(table(&none, None), "a.jpg  640x480  0 faces\n");
    }
}
