//! `moue model`: what a network is made of, what a model file holds, networks of other programs, and int8.

mod export;
mod import;
mod info;
mod quantize;
mod summary;

use clap::Subcommand;

use crate::failure::Result;

/// Show, import, export and quantize models
#[derive(Debug, Subcommand)]
pub enum Command {
    Summary(summary::Args),
    Info(info::Args),
    Import(import::Args),
    Export(export::Args),
    Quantize(quantize::Args),
}

pub fn run(command: Command) -> Result {
    match command {
        Command::Summary(args) => summary::run(args),
        Command::Info(args) => info::run(args),
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
        Command::Quantize(args) => quantize::run(args),
    }
}
