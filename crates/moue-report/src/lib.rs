//! Pictures and tables of what moue saw and how good a model is.

pub mod elan;
pub mod plots;
pub mod records;
pub mod subtitles;
