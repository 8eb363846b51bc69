//! Backbones: feature extractors without a classification head, one file a family.

mod efficientnet_lite;
mod mobilenet_v1;
mod mobilenet_v2;

pub use efficientnet_lite::{EfficientNetLite, Lite};
pub use mobilenet_v1::MobileNetV1;
pub use mobilenet_v2::MobileNetV2;
use serde::{Deserialize, Serialize};

use crate::op::{Activation, Op, Padding};
use crate::{Error, Graph, Result};

/// Step of the first convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stem {
    /// Stride 2, as published.
    #[default]
    Stride2,
    /// Stride 1: keeps the detail of pictures as small as 48x48.
    Stride1,
}

impl Stem {
    fn stride(self) -> usize {
        match self {
            Self::Stride2 => 2,
            Self::Stride1 => 1,
        }
    }
}

/// Names accepted by [`build`].
pub const NAMES: &[&str] =
    &["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "mobilenet_v1", "mobilenet_v2"];

/// Builds a backbone of a family.
///
/// `alpha` is the width multiplier (1.0 is the published network), `input` is `[height, width, channels]`.
pub fn build(name: &str, alpha: f32, input: [usize; 3], stem: Stem) -> Result<Graph> {
    if let Some(size) = Lite::ALL.into_iter().find(|size| size.name() == name) {
        return EfficientNetLite { size, alpha, input, stem }.build();
    }
    match name {
        "mobilenet_v1" => MobileNetV1 { alpha, input, stem }.build(),
        "mobilenet_v2" => MobileNetV2 { alpha, input, stem }.build(),
        other => Err(Error::Parameter(format!("unknown backbone {other}; known are {}", NAMES.join(", ")))),
    }
}

/// [`build`] with the family's usual stem for `side` x `side` pictures of three channels.
pub fn by_name(name: &str, alpha: f32, side: usize) -> Result<Graph> {
    build(name, alpha, [side, side, 3], Stem::default())
}

const RELU6: Op = Op::Activation { function: Activation::Relu6 };

/// A convolution whose bias the normalisation behind it brings.
fn conv(filters: usize, side: usize, stride: usize) -> Op {
    Op::Conv2D {
        filters,
        kernel_size: [side; 2],
        strides: [stride; 2],
        padding: Padding::Same,
        use_bias: false,
        activation: Activation::Linear,
    }
}

fn check_alpha(alpha: f32) -> Result<()> {
    if (0.1..=4.0).contains(&alpha) {
        return Ok(());
    }
    Err(Error::Parameter(format!("alpha {alpha} must lie in 0.1..=4")))
}

/// The nearest multiple of 8 that is not more than 10 % below (Keras' `_make_divisible`).
fn divisible(channels: f32) -> usize {
    let rounded = (((channels + 4.0) / 8.0).floor() as usize * 8).max(8);
    if (rounded as f32) < 0.9 * channels { rounded + 8 } else { rounded }
}
