//! The program as people and scripts use it: arguments in, files, streams and exit status out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may")]

mod bench;
mod data;
mod detector;
mod device;
mod eval;
mod model;
mod report;
mod support;
mod train;
mod usage;
mod wrong_input;
