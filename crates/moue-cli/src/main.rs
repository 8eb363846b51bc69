//! The program `moue`.

mod cli;
mod commands;
mod console;
mod failure;
mod files;
mod interrupt;
mod options;
mod text;

use std::process::ExitCode;

/// What loading a model takes: its weights as they are in the file, folded, and packed.
const MODEL_MEMORY: usize = 30 << 20;

fn main() -> ExitCode {
    // For one photo the system takes longer to find memory, page by page, than the network to answer.
    moue_graph::pages::reserve(MODEL_MEMORY);
    cli::run()
}
