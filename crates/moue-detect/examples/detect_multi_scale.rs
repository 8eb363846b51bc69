//! Prints what the cascade detector finds in grey pictures: one JSON line a picture, with the boxes
//! `[x, y, width, height, neighbours]` in the order in which OpenCV returns them.
//!
//! `scripts/opencv_parity.py` compares these lines with OpenCV's own.
//!
//!     detect_multi_scale CASCADE.xml SCALE_FACTOR MIN_NEIGHBOURS MIN_SIDE MAX_SIDE PICTURE...
//!     detect_multi_scale --time RUNS CASCADE.xml SCALE_FACTOR ... PICTURE
//!
//! A side of 0 sets no limit. With `--time` each line holds the milliseconds of each run instead.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use moue_detect::cascade::{Cascade, ScanParameters, Scanner, Size};
use moue_media::Grey;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let runs = (arguments.first().is_some_and(|first| first == "--time") && arguments.len() > 2).then(|| {
        let runs = arguments.remove(1);
        arguments.remove(0);
        runs
    });
    match run(&arguments, runs.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stderr, reason = "a program says what went wrong")]
fn print_error(message: &str) {
    eprintln!("detect_multi_scale: {message}");
}

#[allow(clippy::print_stdout, reason = "the lines are the program's result")]
fn print_line(line: &impl serde::Serialize) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(line)?);
    Ok(())
}

fn run(arguments: &[String], runs: Option<&str>) -> Result<(), Failure> {
    let [cascade, factor, neighbours, min, max, pictures @ ..] = arguments else {
        return Err("expected CASCADE.xml SCALE_FACTOR MIN_NEIGHBOURS MIN_SIDE MAX_SIDE PICTURE...".into());
    };
    let side = |text: &str| -> Result<Option<Size>, Failure> {
        let side: u32 = text.parse()?;
        Ok((side > 0).then_some(Size { width: side, height: side }))
    };
    let parameters = ScanParameters {
        scale_factor: factor.parse()?,
        min_neighbours: neighbours.parse()?,
        min_size: side(min)?,
        max_size: side(max)?,
    };
    let mut scanner = Scanner::new(Arc::new(Cascade::read(Path::new(cascade))?));
    for path in pictures {
        let picture = image::open(path).map_err(|error| format!("{path}: {error}"))?.into_luma8();
        let (width, height) = picture.dimensions();
        let grey = Grey::from_raw(width, height, picture.into_raw()).ok_or("a picture of a wrong length")?;
        if let Some(runs) = runs {
            let mut times = Vec::new();
            for _ in 0..runs.parse::<usize>()? {
                let start = Instant::now();
                scanner.detect_multi_scale(&grey, &parameters)?;
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
            print_line(&times)?;
        } else {
            let found = scanner.detect_multi_scale(&grey, &parameters)?;
            let boxes: Vec<[u32; 5]> =
                found.iter().map(|f| [f.x, f.y, f.width, f.height, f.neighbours]).collect();
            print_line(&boxes)?;
        }
    }
    Ok(())
}
