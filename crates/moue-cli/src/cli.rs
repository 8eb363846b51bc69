//! The command line: which commands there are, and how the program ends.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands;
use crate::console;
use crate::failure::{self, Outcome, Result};

/// Reads emotions from faces: trains, evaluates and runs facial-emotion recognition
#[derive(Debug, Parser)]
#[command(name = "moue", version, max_term_width = 100)]
#[command(after_help = "\
Examples:
  moue analyze party.jpg                    faces and emotions, and party.moue.jpg with boxes
  moue analyze clip.mp4 --json              every frame of a video
  moue live                                 the first camera, in a window
  moue data check fer2013.csv.bz2           what is in the data, and what is wrong with it
  moue train fer2013.csv --out mine.safetensors
  moue eval fer2013.csv --model mine.safetensors --report out/

Exit status: 0 done, 1 something failed (named on stderr), 2 wrong usage, or a file
would be replaced that must not be; 130 interrupted: stderr says what was kept and how to go on.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Analyze(commands::analyze::Args),
    Live(commands::live::Args),
    Report(commands::report::Args),
    Train(commands::train::Args),
    Eval(commands::eval::Args),
    #[command(subcommand)]
    Data(commands::data::Command),
    #[command(subcommand)]
    Model(commands::model::Command),
    #[command(subcommand)]
    Detector(commands::detector::Command),
    #[command(subcommand)]
    Bench(commands::bench::Command),
}

/// Does what the arguments of the process say.
pub fn run() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => failure::exit_code(dispatch(cli.command)),
        // Help and the version are results: where they cannot be written, that is told.
        Err(error) if !error.use_stderr() => failure::exit_code(
            console::check_stdout()
                .and_then(|()| error.print().map_err(|e| console::stdout_failure(e).into()))
                .map(|()| Outcome::Done),
        ),
        Err(error) => error.exit(),
    }
}

fn dispatch(command: Command) -> Result {
    match command {
        Command::Analyze(args) => commands::analyze::run(args),
        Command::Live(args) => commands::live::run(args),
        Command::Report(args) => commands::report::run(args),
        Command::Train(args) => commands::train::run(args),
        Command::Eval(args) => commands::eval::run(args),
        Command::Data(command) => commands::data::run(command),
        Command::Model(command) => commands::model::run(command),
        Command::Detector(command) => commands::detector::run(command),
        Command::Bench(command) => commands::bench::run(command),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        super::Cli::command().debug_assert();
    }
}
