//! Pictures, tables and pages of what moue saw and how good a model is.

pub mod elan;
pub mod plots;
pub mod reaction;
pub mod records;
pub mod subtitles;
