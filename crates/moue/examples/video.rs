//! Who is in a video, for how long and in what mood: `cargo run --release --example video -- clip.mp4`

use std::collections::BTreeMap;
use std::error::Error;

use moue::Analyzer;

/// A line for each person.
pub fn run(path: &str) -> Result<String, Box<dyn Error>> {
    let analyzer = Analyzer::new()?;
    let mut people: BTreeMap<u64, BTreeMap<String, usize>> = BTreeMap::new();
    for record in analyzer.video(path)? {
        for face in record? {
            *people.entry(face.id).or_default().entry(face.emotion).or_default() += 1;
        }
    }
    let mut lines = String::new();
    for (person, moods) in people {
        let frames: usize = moods.values().sum();
        let mostly = moods.iter().max_by_key(|(_, count)| **count).map_or("", |(mood, _)| mood);
        lines += &format!("person {}: {frames} frames, mostly {mostly}\n", person + 1);
    }
    Ok(lines)
}

#[allow(dead_code, reason = "a test runs what is above")]
#[allow(clippy::print_stdout, reason = "an example shows what it found")]
fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: video VIDEO")?;
    print!("{}", run(&path)?);
    Ok(())
}
