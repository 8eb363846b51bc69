//! Frames from memory, as a camera library hands them over: `cargo run --release --example live -- samples/faces.jpg`
//!
//! The frames are made of one photo, over which the camera moves slowly.

use std::error::Error;

use moue::{Analyzer, Picture, Record};

/// The records of so many frames at 25 a second.
pub fn run(path: &str, frames: u32) -> Result<Vec<Record>, Box<dyn Error>> {
    let photo = Picture::open(path)?;
    let mut live = Analyzer::new()?.live()?;
    let mut records = Vec::new();
    for frame in 0..frames {
        let (x, width, height) = (i64::from(frame), photo.width(), photo.height());
        // Three bytes a pixel, row by row, is all that a frame has to be.
        let pixels = photo.crop(x, 0, width, height)?.into_pixels();
        let picture = Picture::from_raw(width, height, pixels).ok_or("the frame has another size")?;
        records.push(live.frame(f64::from(frame) / 25.0, &picture)?);
    }
    Ok(records)
}

#[allow(dead_code, reason = "a test runs what is above")]
#[allow(clippy::print_stdout, reason = "an example shows what it found")]
fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: live PICTURE")?;
    for record in run(&path, 25)? {
        let people: Vec<String> =
            record.faces.iter().map(|f| format!("{} {}", f.id + 1, f.emotion)).collect();
        println!("{:.2} s: {}", record.time, people.join(", "));
    }
    Ok(())
}
