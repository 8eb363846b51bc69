//! Files that appear [whole or not at all](whole), and [text] as people's programs save it.
//!
//! All crates write their files with [`whole::write`], so that a power cut, a full disk or Ctrl-C leaves either the old
//! file or the new one.

pub mod separator;
pub mod text;
pub mod whole;

pub use separator::Separator;
