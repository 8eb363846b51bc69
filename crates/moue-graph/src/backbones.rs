//! Backbones: feature extractors without a classification head, one file a family.

mod efficientnet_lite;
mod mobilenet_v2;

pub use efficientnet_lite::EfficientNetLite;
pub use mobilenet_v2::{MobileNetV2, Stem};

use crate::{Error, Graph, Result};

/// Names accepted by [`build`].
pub const NAMES: &[&str] = &["efficientnet_lite0", "mobilenet_v2"];

/// Builds a backbone of a family.
///
/// `alpha` is the width multiplier (1.0 is the published network), `input` is `[height, width, channels]`.
pub fn build(name: &str, alpha: f32, input: [usize; 3], stem: Stem) -> Result<Graph> {
    match name {
        "efficientnet_lite0" => EfficientNetLite { alpha, input, stem }.build(),
        "mobilenet_v2" => MobileNetV2 { alpha, input, stem }.build(),
        other => Err(Error::Parameter(format!("unknown backbone {other}; known are {}", NAMES.join(", ")))),
    }
}

/// [`build`] with the family's usual stem for `side` x `side` pictures of three channels.
pub fn by_name(name: &str, alpha: f32, side: usize) -> Result<Graph> {
    build(name, alpha, [side, side, 3], Stem::default())
}
