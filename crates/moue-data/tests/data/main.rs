//! Reading, checking and splitting, from the outside.

// What prepares a test may fail like the test itself.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod containers;
mod csv;
mod equal_pictures;
mod ferplus;
mod folders;
mod malformed;
mod mean;
mod saved;
mod shared;
mod splits;
