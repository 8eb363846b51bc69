//! `moue data`: what is in a dataset.

mod check;

use clap::Subcommand;

use super::sample;
use crate::failure::Result;

/// Check datasets and make samples from them
#[derive(Debug, Subcommand)]
pub enum Command {
    Check(check::Args),
    Sample(sample::Args),
}

pub fn run(command: Command) -> Result {
    match command {
        Command::Check(args) => check::run(args),
        Command::Sample(args) => sample::run(args),
    }
}
