//! A small dataset in the form of FER2013: each class is a grating of its own, in noise.

use std::fmt::Write;

use moue_data::{Dataset, Limits, ReadOptions, ferplus};

fn pixels(class: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..48 * 48)
        .map(|i| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let noise = (state >> 33) % 120;
            let (x, y) = (i % 48, i / 48);
            let bar = if class < 4 { x / (class * 4 + 6) } else { y / (class * 4 - 8) };
            (if bar % 2 == 0 { 20 } else { 120 }) + noise as u8
        })
        .collect()
}

fn push(text: &mut String, class: usize, picture: &[u8], usage: &str) {
    let words: Vec<String> = picture.iter().map(u8::to_string).collect();
    writeln!(text, "{class},{},{usage}", words.join(" ")).unwrap();
}

/// The csv: `training` Training rows, then 35 of PublicTest, of which the first two show the
/// pictures of Training rows 0 and 1. Training row 2 stands there once more as the last Training
/// row.
pub fn csv(training: usize) -> String {
    let mut text = String::from("emotion,pixels,Usage\n");
    for row in 0..training {
        push(&mut text, row % 7, &pixels(row % 7, row as u64 + 1), "Training");
    }
    push(&mut text, 2, &pixels(2, 3), "Training");
    for row in 0..35 {
        let seed = if row < 2 { row as u64 + 1 } else { 1000 + row as u64 };
        push(&mut text, row % 7, &pixels(row % 7, seed), "PublicTest");
    }
    text
}

pub fn read(text: &str) -> Dataset {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    moue_data::read(file.path(), &ReadOptions::strict()).unwrap().dataset
}

/// [`read`] with the votes of FER+ beside it: seven of ten for the class, one for the next, two for contempt or
/// for no emotion with a name.
pub fn read_with_votes(text: &str) -> Dataset {
    // The columns of FER2013's classes, in their order.
    const COLUMNS: [usize; 7] = [4, 5, 6, 1, 3, 2, 0];
    let mut votes = String::from(
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n",
    );
    for (row, line) in text.lines().skip(1).enumerate() {
        let class: usize = line.split(',').next().unwrap().parse().unwrap();
        let usage = line.rsplit(',').next().unwrap();
        let mut counts = [0; 10];
        counts[COLUMNS[class]] = 7;
        counts[COLUMNS[(class + 1) % 7]] = 1;
        // Contempt, and for some an emotion without a name.
        counts[7 + usize::from(row % 9 == 0)] = 2;
        writeln!(votes, "{usage},fer{row:07}.png,{}", counts.map(|n| n.to_string()).join(",")).unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), votes).unwrap();
    let mut dataset = read(text);
    ferplus::Table::read(file.path(), &Limits::default()).unwrap().lay_beside(&mut dataset).unwrap();
    dataset
}
