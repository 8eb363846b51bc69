//! The reaction report from records to files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may")]

mod figures;
mod page;
mod support;
