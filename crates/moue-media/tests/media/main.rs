//! Tests of the public API. Every picture in them is made here; nothing is read from outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail as tests do, and say what they skip"
)]

mod crops;
mod drawing;
mod files;
mod finding;
mod headers;
mod jpeg;
mod kinds;
mod malformed;
mod orientation;
mod sheets;
mod sizes;
mod writing;
