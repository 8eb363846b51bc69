//! The program as people and scripts use it: arguments in, files, streams and exit status out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may")]

mod bench;
mod data;
mod detector;
mod device;
mod eval;
mod files;
mod interrupt;
mod model;
mod names;
mod report;
mod streams;
mod support;
mod train;
mod usage;
mod wrong_input;
