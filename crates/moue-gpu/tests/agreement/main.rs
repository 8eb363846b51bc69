//! The same graphs on burn's CPU backend and on `moue-cpu`: two engines that were written apart judge each other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "an unmet expectation fails the test"
)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures for whoever asks with --nocapture")]

mod backbones;
mod checkpoints;
mod contract;
mod fit;
mod material;
mod operations;
mod precision;
mod recipes;
mod rendered;
mod rendering;
mod replicas;
mod sharpness;
