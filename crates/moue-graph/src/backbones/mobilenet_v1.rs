//! MobileNet (Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto and Adam: "MobileNets: Efficient Convolutional
//! Neural Networks for Mobile Vision Applications", 2017), layer for layer as `keras.applications.MobileNet`.

use super::{RELU6, Stem, check_alpha, conv};
use crate::Result;
use crate::graph::{Graph, GraphBuilder, LayerId};
use crate::op::{Op, Padding};

/// What to build.
#[derive(Clone, Debug, PartialEq)]
pub struct MobileNetV1 {
    /// Width multiplier, in 0.1..=4; 1.0 is the published network.
    pub alpha: f32,
    /// Input `[height, width, channels]`.
    pub input: [usize; 3],
    /// First convolution.
    pub stem: Stem,
}

impl Default for MobileNetV1 {
    fn default() -> Self {
        Self { alpha: 1.0, input: [224, 224, 3], stem: Stem::Stride2 }
    }
}

/// Output channels and stride of each depthwise separable convolution (table 1 of the paper, but for the stride of
/// the last, which is 1 in every implementation).
const BLOCKS: [(usize, usize); 13] = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];

const NORMALIZATION: Op = Op::BatchNormalization { epsilon: 1e-3, momentum: 0.99 };

impl MobileNetV1 {
    /// The graph up to the last feature map (`conv_pw_13_relu`), without pooling and head.
    ///
    /// # Errors
    /// A width multiplier out of range, or a picture too small for the strides.
    pub fn build(&self) -> Result<Graph> {
        check_alpha(self.alpha)?;
        // As Keras: cut off, not rounded to multiples of 8.
        let width = |channels: usize| ((channels as f32 * self.alpha) as usize).max(1);
        let mut b = Graph::builder("mobilenet_v1");
        let x = b.add("input_layer", Op::InputLayer { shape: self.input.to_vec() }, &[])?;
        let stride = self.stem.stride();
        let x = b.add("conv1", conv(width(32), 3, stride), &[x])?;
        let mut x = normalised(&mut b, "conv1", x)?;
        for (index, &(channels, stride)) in BLOCKS.iter().enumerate() {
            x = separable(&mut b, x, index + 1, width(channels), stride)?;
        }
        b.finish()
    }
}

fn separable(
    b: &mut GraphBuilder,
    input: LayerId,
    index: usize,
    channels: usize,
    stride: usize,
) -> Result<LayerId> {
    let mut x = input;
    let mut padding = Padding::Same;
    if stride == 2 {
        x = b.add(format!("conv_pad_{index}"), Op::ZeroPadding2D { padding: [[0, 1], [0, 1]] }, &[x])?;
        padding = Padding::Valid;
    }
    let depthwise =
        Op::DepthwiseConv2D { kernel_size: [3, 3], strides: [stride; 2], padding, use_bias: false };
    let x = b.add(format!("conv_dw_{index}"), depthwise, &[x])?;
    let x = normalised(b, &format!("conv_dw_{index}"), x)?;
    let x = b.add(format!("conv_pw_{index}"), conv(channels, 1, 1), &[x])?;
    normalised(b, &format!("conv_pw_{index}"), x)
}

fn normalised(b: &mut GraphBuilder, prefix: &str, x: LayerId) -> Result<LayerId> {
    let x = b.add(format!("{prefix}_bn"), NORMALIZATION, &[x])?;
    b.add(format!("{prefix}_relu"), RELU6, &[x])
}
