//! `moue model`: what a network is made of, what a model file holds, and networks of other programs.

mod import;
mod info;
mod summary;

use clap::Subcommand;

use crate::failure::Result;

/// Show and import models
#[derive(Debug, Subcommand)]
pub enum Command {
    Summary(summary::Args),
    Info(info::Args),
    Import(import::Args),
}

pub fn run(command: Command) -> Result {
    match command {
        Command::Summary(args) => summary::run(args),
        Command::Info(args) => info::run(args),
        Command::Import(args) => import::run(args),
    }
}
