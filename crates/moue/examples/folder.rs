//! All photos of a folder, on all cores, as JSON Lines: `cargo run --release --example folder -- samples`

use std::error::Error;
use std::path::{Path, PathBuf};

use moue::{Analyzer, Record};
use rayon::prelude::*;

/// A file, and what is in it.
type Looked = (PathBuf, Result<Record, moue::Error>);

/// The record of each file of the folder, or why there is none, in the order of their names.
pub fn run(folder: &Path) -> Result<Vec<Looked>, Box<dyn Error>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    // One analyzer for all threads.
    let analyzer = Analyzer::new()?;
    let look = |path: PathBuf| {
        let record = analyzer.file(&path);
        (path, record)
    };
    Ok(files.into_par_iter().map(look).collect())
}

#[allow(dead_code, reason = "a test runs what is above")]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it found")]
fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: folder FOLDER")?;
    for (path, record) in run(Path::new(&folder))? {
        match record {
            Ok(record) => println!("{}", serde_json::to_string(&record)?),
            Err(error) => eprintln!("{}: {error}", path.display()),
        }
    }
    Ok(())
}
