//! Backbones: feature extractors without a classification head, one file a family.

mod mobilenet_v2;

pub use mobilenet_v2::{MobileNetV2, Stem};

use crate::{Error, Graph, Result};

/// Names accepted by [`by_name`].
pub const NAMES: &[&str] = &["mobilenet_v2"];

/// Builds a backbone with its usual stem for `side` x `side` pictures of three channels.
///
/// `alpha` is the width multiplier (1.0 is the published network).
pub fn by_name(name: &str, alpha: f32, side: usize) -> Result<Graph> {
    match name {
        "mobilenet_v2" => MobileNetV2 { alpha, input: [side, side, 3], ..MobileNetV2::default() }.build(),
        other => Err(Error::Parameter(format!("unknown backbone {other}; known are {}", NAMES.join(", ")))),
    }
}
