//! A file per command.

pub mod analyze;
pub mod bench;
pub mod data;
pub mod detector;
pub mod eval;
pub mod live;
pub mod model;
pub mod report;
pub mod sample;
pub mod train;
