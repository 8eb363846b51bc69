//! Records of people who were never there.

use std::collections::HashMap;
use std::fs;
use std::sync::LazyLock;

use moue::{BoundingBox, Face, Record};
use moue_report::reaction::{Event, Illustrations, Report, Settings};

pub const LABELS: [&str; 7] = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];

/// Numbers that look random, the same each time (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// 0 to 1.
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A face with the keys that every record has, and nothing in those that may have been added.
static TEMPLATE: LazyLock<Face> = LazyLock::new(|| {
    serde_json::from_str(
        r#"{"id":0,"box":{"x":0,"y":0,"width":1,"height":1},"score":0.9,"emotion":"","confidence":0,"probabilities":{}}"#,
    )
    .unwrap()
});

pub fn face(id: u64, probabilities: &[f32]) -> Face {
    let (best, confidence) =
        probabilities.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    Face {
        id,
        bounds: BoundingBox { x: 10.0 * id as f32, y: 5.0, width: 40.0, height: 40.0 },
        emotion: LABELS[best].to_owned(),
        confidence,
        probabilities: LABELS.iter().copied().zip(probabilities.iter().copied()).collect(),
        ..TEMPLATE.clone()
    }
}

pub fn record(source: &str, frame: u64, time: f64, faces: Vec<Face>) -> Record {
    Record { source: source.to_owned(), frame, time, width: 640, height: 480, faces }
}

/// A clip of people who come and go, with frames of uneven length.
pub fn clip(source: &str, seed: u64, people: u64, seconds: f64) -> Vec<Record> {
    let mut random = Random(seed);
    let mut records = Vec::new();
    let mut time = 0.0;
    while time < seconds {
        let mut faces = Vec::new();
        for id in 0..people {
            let away = ((time / 3.0) as u64 + id * 7 + seed).is_multiple_of(5);
            let weights: Vec<f64> = LABELS.iter().map(|_| random.next().powi(3) + 1e-3).collect();
            let total: f64 = weights.iter().sum();
            if !away {
                let p: Vec<f32> = weights.iter().map(|w| (w / total) as f32).collect();
                faces.push(face(id, &p));
            }
        }
        records.push(record(source, records.len() as u64, time, faces));
        time += 0.02 + 0.06 * random.next();
    }
    records
}

/// The files that a report of these records has, by name.
pub fn written(records: Vec<Record>, settings: Settings, events: Vec<Event>) -> HashMap<String, String> {
    files(&Report::from_records(records, settings, events).unwrap(), &Illustrations::default())
}

pub fn files(report: &Report, illustrations: &Illustrations) -> HashMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let written = report.write(&folder.path().join("a/b"), illustrations).unwrap();
    let all = written.tables.iter().chain([&written.page]);
    let files: HashMap<String, String> = all
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), files.len());
    files
}

/// Rows of a CSV without quoted cells, by column.
pub fn rows(csv: &str) -> Vec<HashMap<&str, &str>> {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells.len(), header.len(), "{line}");
            header.iter().copied().zip(cells).collect()
        })
        .collect()
}

pub fn number(row: &HashMap<&str, &str>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} is {:?}", row[column]))
}
