//! A small convolutional detector: one pass over the picture, whatever the number of faces.

mod boxes;
mod closer;
mod detector;
mod input;
mod network;
mod pyramid;
mod refine;
pub mod train;

pub(crate) use boxes::{overlap, suppressed};
pub use detector::{CnnDetector, CnnParameters, Network};
pub use network::{GRANULE, STRIDES, network};
