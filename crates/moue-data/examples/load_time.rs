//! How long a dataset takes to load: `cargo run --release -p moue-data --example load_time FILE…`.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::time::Instant;

use moue_data::{ReadOptions, Usage};

fn main() -> moue_data::Result<()> {
    for path in std::env::args().skip(1) {
        let start = Instant::now();
        let dataset = moue_data::read(Path::new(&path), &ReadOptions::strict())?.dataset;
        let seconds = start.elapsed().as_secs_f64();
        let counts = Usage::ALL.map(|usage| dataset.indices(usage).len());
        println!("{path}: {} rows {counts:?} in {seconds:.2} s", dataset.len());
    }
    Ok(())
}
