//! A small convolutional detector: one pass over the picture, whatever the number of faces.

mod boxes;
mod detector;
mod input;
mod network;
pub mod train;

pub(crate) use boxes::overlap;
pub use detector::{CnnDetector, CnnParameters, Network};
pub use network::{GRANULE, STRIDES, network};
