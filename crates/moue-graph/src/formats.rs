//! Readers of other projects' network files, one file a format.

pub mod pytorch;
pub mod tfjs;
