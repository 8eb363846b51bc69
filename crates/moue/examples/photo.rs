//! The emotions of the faces of one photo: `cargo run --release --example photo -- samples/faces.jpg`

use std::error::Error;

use moue::{Analyzer, Picture};

/// A line for each face, and one where there is none.
pub fn run(path: &str) -> Result<String, Box<dyn Error>> {
    let analyzer = Analyzer::new()?;
    let record = analyzer.picture(&Picture::open(path)?)?;
    let mut lines = String::new();
    for face in &record {
        let (x, y, sure) = (face.bounds.x, face.bounds.y, 100.0 * face.confidence);
        lines +=
            &format!("{} ({sure:.0} %) at {x:.0},{y:.0}, turned by {:.0} degrees\n", face.emotion, face.roll);
    }
    Ok(if lines.is_empty() { "no faces\n".to_owned() } else { lines })
}

#[allow(dead_code, reason = "a test runs what is above")]
#[allow(clippy::print_stdout, reason = "an example shows what it found")]
fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: photo PICTURE")?;
    print!("{}", run(&path)?);
    Ok(())
}
