//! `moue bench`: how long things take on this machine.

mod detect;
mod floor;
mod infer;
mod timing;
mod train;

use clap::Subcommand;

use crate::failure::Result;

/// Measure the speed of inference, training and face detection
#[derive(Debug, Subcommand)]
pub enum Command {
    Infer(infer::Args),
    Train(train::Args),
    Detect(detect::Args),
}

pub fn run(command: Command) -> Result {
    match command {
        Command::Infer(args) => infer::run(args),
        Command::Train(args) => train::run(args),
        Command::Detect(args) => detect::run(args),
    }
}

/// Values between 0 and 1 without a pattern, the same at every run: what pictures are to a network.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    std::iter::repeat_with(|| {
        // Numerical Recipes' linear congruential generator; its upper bits are good enough here.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1_u32 << 24) as f32
    })
    .take(count)
    .collect()
}
