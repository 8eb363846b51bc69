//! Pictures and tables of what moue saw and how good a model is.

pub mod plots;
pub mod records;
