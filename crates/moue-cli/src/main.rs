//! The program `moue`.

mod cli;
mod commands;
mod console;
mod failure;
mod options;
mod text;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
